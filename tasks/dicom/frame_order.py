"""Slices that lie at the same places several times: which frame is each of, and when was it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np
from numpy.typing import NDArray

from schemas.geometry import FloatArray
from schemas.volume import FrameAxis
from tasks.dicom import tags
from tasks.dicom.slices import SliceHeader, time_values
from tasks.quantify.times import combine, parse_date, parse_datetime, parse_time

#: Slices of one frame that start further apart than this were measured one after the other (beds).
_SAME_START_S: Final = 1.0
#: The time of average activity lies before the middle of a frame by no more than this part of it,
#: for nuclides and frames in use (1.4 % for ten minutes of C-11).
_BEFORE_MIDDLE: Final = 0.03
#: A time that is not there.
_UNKNOWN: Final = math.nan
#: Local times, of which only differences are used.
_EPOCH: Final = datetime(2000, 1, 1)  # noqa: DTZ001

#: Gives an attribute of all slices as (t, z).
_Values = Callable[[str], FloatArray]


@dataclass(frozen=True, slots=True)
class SliceTime:
    """What a slice says about its frame; NaN where it says nothing.

    Parameters
    ----------
    acquisition_s : float
        Start of its acquisition, seconds since some fixed day.
    frame_reference_s, trigger_s, echo_ms, duration_s, temporal_position, acquisition_number : float
        Frame Reference Time, Trigger Time, Echo Time, Actual Frame Duration, Temporal Position
        Identifier, Acquisition Number.
    b_value : float
        Diffusion b-value, s/mm2.
    """

    acquisition_s: float
    frame_reference_s: float
    trigger_s: float
    echo_ms: float
    duration_s: float
    temporal_position: float
    acquisition_number: float
    b_value: float


@dataclass(frozen=True, slots=True)
class FrameOrder:
    """Slices sorted into frames.

    Parameters
    ----------
    order : ndarray, (t, z), intp
        Indices of the slices.
    axis : FrameAxis
        What the frames are.
    """

    order: NDArray[np.intp]
    axis: FrameAxis


#: In the order of trust: what may tell frames apart, and what they then are.
_DISTINCTIONS: Final = (
    ("temporal_position", "time"),
    ("echo_ms", "echo"),
    ("b_value", "other"),
    ("acquisition_s", "time"),
    ("trigger_s", "gate"),
    ("frame_reference_s", "time"),
    ("acquisition_number", "other"),
)
#: These must be the same in all slices of a frame.
_ONE_PER_FRAME: Final = frozenset({"temporal_position", "echo_ms", "acquisition_number", "b_value"})


def read_slice_time(header: SliceHeader) -> SliceTime:
    """Give the times of a slice, from what its header was read for anyway."""
    found = time_values(header)
    start = combine(
        parse_date(found.get(tags.ACQUISITION_DATE)) or _EPOCH.date(),
        parse_time(found.get(tags.ACQUISITION_TIME)),
    ) or parse_datetime(found.get(tags.ACQUISITION_DATETIME))
    return SliceTime(
        acquisition_s=_UNKNOWN if start is None else (start - _EPOCH).total_seconds(),
        frame_reference_s=_number(found.get(tags.FRAME_REFERENCE_TIME)) / 1000,
        trigger_s=_number(found.get(tags.TRIGGER_TIME)) / 1000,
        echo_ms=_number(found.get(tags.ECHO_TIME)),
        duration_s=_number(found.get(tags.ACTUAL_FRAME_DURATION)) / 1000,
        temporal_position=_number(found.get(tags.TEMPORAL_POSITION)),
        acquisition_number=_number(found.get(tags.ACQUISITION_NUMBER)),
        b_value=_number(found.get(tags.DIFFUSION_B_VALUE)),
    )


def order_frames(place: NDArray[np.intp], times: Sequence[SliceTime]) -> FrameOrder | None:
    """Sort slices that lie equally often at every place into frames.

    Parameters
    ----------
    place : ndarray, (n,), intp
        Place of each slice, from 0, each equally often.
    times : sequence of SliceTime
        Of each slice.

    Returns
    -------
    FrameOrder or None
        None if nothing in the headers tells the frames apart at every place.
    """
    n_places = int(place.max()) + 1
    for name, kind in _DISTINCTIONS:
        values = np.array([getattr(t, name) for t in times], dtype=np.float64)
        order = np.lexsort((values, place)).reshape(n_places, -1).T
        if _tells_apart(values[order], name):
            return FrameOrder(order, _axis(order, times, name, kind))
    return None


def _tells_apart(values: FloatArray, name: str) -> bool:
    """Say whether the values (t, z) grow from frame to frame at every place."""
    if not np.isfinite(values).all() or (np.diff(values, axis=0) <= 0).any():
        return False
    return name not in _ONE_PER_FRAME or not np.ptp(values, axis=1).any()


def _axis(order: NDArray[np.intp], times: Sequence[SliceTime], name: str, kind: str) -> FrameAxis:
    def of(attribute: str) -> FloatArray:
        values = np.array([getattr(t, attribute) for t in times], dtype=np.float64)
        return np.asarray(values[order])

    if kind == "time" and name == "temporal_position" and _is_gated(of):
        kind = "gate"
    starts = _starts(of, kind)
    labels: tuple[str, ...] = ()
    if kind in ("echo", "other"):
        labels = tuple(f"{v:g}" for v in of(name)[:, 0])
    return FrameAxis(
        kind,
        len(order),
        None if starts is None else starts.min(axis=1),
        _common(of("duration_s")),
        labels,
        starts if starts is not None and _is_spread(starts) else None,
    )


def _is_gated(of: _Values) -> bool:
    """Frames that began together and differ in their trigger time are phases of a cycle."""
    trigger, acquisition = of("trigger_s"), of("acquisition_s")
    return bool(
        np.isfinite(trigger).all()
        and (np.diff(trigger, axis=0) > 0).all()
        and not (np.diff(acquisition, axis=0) > 0).any()
    )


def _starts(of: _Values, kind: str) -> FloatArray | None:
    """Start of every slice (t, z) in s: after the first one, or after the trigger."""
    if kind == "gate":
        trigger = of("trigger_s")
        return trigger if np.isfinite(trigger).all() else None
    for name in ("acquisition_s", "frame_reference_s"):
        values = of(name)
        if np.isfinite(values).all() and (np.diff(values, axis=0) > 0).all():
            if name == "frame_reference_s":
                values = _frame_starts(values, of("duration_s"))
            return np.asarray(values - values.min())
    return None


def _frame_starts(reference: FloatArray, duration: FloatArray) -> FloatArray:
    """Return the starts (t, z) of frames whose reference times are known, s.

    A reference time is by the standard the time of average activity, a little before the middle of
    the frame; GE gives the start. Whichever makes the frames follow one another more closely is
    taken; what decay puts between middle and average activity is closed.

    References
    ----------
    DICOM PS3.3 C.8.9.4.1.5 (Frame Reference Time).
    """

    def gaps(start: FloatArray) -> FloatArray:
        return np.asarray(np.diff(start, axis=0) - duration[:-1])

    start = reference - duration / 2.0
    if (
        not np.isfinite(duration).all()
        or np.abs(gaps(start)).sum() >= np.abs(gaps(reference)).sum()
    ):
        return reference
    for frame in range(1, len(start)):
        end = start[frame - 1] + duration[frame - 1]
        is_next = np.abs(start[frame] - end) <= _BEFORE_MIDDLE * duration[frame]
        start[frame] = np.where(is_next, end, start[frame])
    return start


def _common(values: FloatArray) -> FloatArray | None:
    """One value per frame (t,) if its slices agree."""
    is_common = np.isfinite(values).all() and not np.ptp(values, axis=1).any()
    return values[:, 0] if is_common else None


def _is_spread(starts: FloatArray) -> bool:
    return bool(np.ptp(starts, axis=1).max() > _SAME_START_S)


def _number(text: str | None) -> float:
    try:
        value = float((text or "").split("\\")[0])
    except ValueError:
        return _UNKNOWN
    return value if math.isfinite(value) else _UNKNOWN
