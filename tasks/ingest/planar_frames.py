"""Planar objects of one series side by side: their frames as one axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from schemas.geometry import FloatArray
from schemas.volume import FrameAxis
from tasks.dicom.nm_vectors import VECTORS
from tasks.ingest.open_planar import PlanarObject

#: How a count is called in a frame's label.
_WORDS: Final = {
    "image": "image", "energy_window": "window", "detector": "detector", "phase": "phase",
    "rotation": "rotation", "rr_interval": "interval", "time_slot": "gate", "slice": "slice",
    "angular_view": "view", "time_slice": "time", "frame": "frame",
}  # fmt: skip
#: Said of every frame, also where it is the same in all.
_ALWAYS: Final = ("energy_window", "detector")


@dataclass(frozen=True, slots=True, eq=False)
class PooledFrames:
    """The frames of the objects of one part, in the order of the volume.

    Parameters
    ----------
    order : ndarray, (t,), intp
        Indices into the frames of all objects, one object after the other.
    axis : FrameAxis
        What the frames are.
    indices : dict
        (t,) int64, from 1, by name of `VECTORS`, and ``image``: the object.
    is_told_apart : bool
        False if nothing in the headers tells some frames apart.
    """

    order: NDArray[np.intp]
    axis: FrameAxis
    indices: dict[str, NDArray[np.int64]]
    is_told_apart: bool


def pool_frames(objects: Sequence[PlanarObject]) -> PooledFrames:
    """Put the frames of objects together.

    Frames that differ in nothing but their time are ordered by it; all others stay as they are in
    their objects.

    Parameters
    ----------
    objects : sequence of PlanarObject
        Of one size and image type, in order.
    """
    indices = _indices(objects)
    starts, durations = _starts(objects), _durations(objects)
    kind = _kind(objects[0].form, indices, starts)
    order = _order(kind, indices, starts)
    indices = {name: counts[order] for name, counts in indices.items()}
    starts = None if starts is None else starts[order]
    if kind != "gate" and starts is not None:
        starts = starts - starts.min()
    is_timed = kind in ("time", "gate") and starts is not None
    axis = FrameAxis(
        kind,
        len(order),
        starts,
        None if durations is None else durations[order],
        () if is_timed else _labels(indices),
    )
    return PooledFrames(order, axis, indices, _n_distinct(indices) == len(order))


def _indices(objects: Sequence[PlanarObject]) -> dict[str, NDArray[np.int64]]:
    """Count what each frame is of; what an object does not say is 1."""
    sizes = [len(o.stored) for o in objects]
    found = {"image": np.repeat(np.arange(1, len(objects) + 1), sizes).astype(np.int64)}
    for name in VECTORS.values():
        if any(name in o.counts for o in objects):
            found[name] = np.concatenate(
                [
                    o.counts.get(name, np.ones(n, dtype=np.int64))
                    for o, n in zip(objects, sizes, strict=True)
                ]
            )
    return found


def _starts(objects: Sequence[PlanarObject]) -> FloatArray | None:
    """Start of every frame; of several objects, after the start of the first of them."""
    is_gated = "GATED" in objects[0].form.split()
    begins = [o.acquired for o in objects]
    known = [b for b in begins if b is not None]
    offsets = [0.0] * len(objects)
    if not is_gated and len(objects) > 1:
        if len(known) < len(begins):
            return None
        offsets = [(b - min(known)).total_seconds() for b in known]
    own = [o.times.start_s for o in objects]
    if all(times is None for times in own):
        if is_gated or len(set(offsets)) < 2:
            return None
        own = [np.zeros(len(o.stored)) for o in objects]
    if any(times is None for times in own):
        return None
    shifted = [t + offset for t, offset in zip(own, offsets, strict=True) if t is not None]
    return np.concatenate(shifted)


def _durations(objects: Sequence[PlanarObject]) -> FloatArray | None:
    own = [o.times.duration_s for o in objects]
    known = [d for d in own if d is not None]
    return np.concatenate(known) if len(known) == len(own) else None


def _kind(form: str, indices: dict[str, NDArray[np.int64]], starts: FloatArray | None) -> str:
    """``time`` or ``gate`` if that is all in which the frames differ, otherwise ``view``."""
    varying = {name for name, counts in indices.items() if np.ptp(counts)}
    if form == "DYNAMIC":
        views = {name: indices[name] for name in _ALWAYS if name in indices}
        is_one_view = not any(np.ptp(counts) for counts in views.values())
        is_timed = starts is not None and len(np.unique(starts)) == len(starts) > 1
        told_apart = bool(varying) and varying <= {"phase", "time_slice"}
        if is_one_view and (is_timed or told_apart):
            return "time"
    if form == "GATED" and varying == {"time_slot"}:
        return "gate"
    return "view"


def _order(
    kind: str, indices: dict[str, NDArray[np.int64]], starts: FloatArray | None
) -> NDArray[np.intp]:
    n = len(indices["image"])
    if kind == "gate":
        return np.argsort(indices["time_slot"], kind="stable")
    if kind == "time" and starts is not None:
        return np.argsort(starts, kind="stable")
    if kind == "time":
        one = np.ones(n, dtype=np.int64)
        return np.lexsort((indices.get("time_slice", one), indices.get("phase", one)))
    return np.arange(n)


def _n_distinct(indices: dict[str, NDArray[np.int64]]) -> int:
    return len(np.unique(np.stack(list(indices.values()), axis=1), axis=0))


def _labels(indices: dict[str, NDArray[np.int64]]) -> tuple[str, ...]:
    """Such as ``window 1 detector 2``: by numbers, since names may hold anything."""
    n = len(indices["image"])
    said = dict(indices)
    for name in _ALWAYS:
        said.setdefault(name, np.ones(n, dtype=np.int64))
    if _n_distinct(indices) < n:
        said["frame"] = np.arange(1, n + 1)
    names = [
        name
        for name in _WORDS
        if name in said and (name in _ALWAYS or np.ptp(said[name]))
        and not (name == "image" and _n_distinct({k: said[k] for k in said if k != name}) == n)
    ]  # fmt: skip
    return tuple(" ".join(f"{_WORDS[name]} {said[name][i]}" for name in names) for i in range(n))
