"""Frames of 4-D volumes and parts of series, as they stand in a volume's attributes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import cast

import numpy as np

from schemas.geometry import FloatArray
from schemas.volume import WHOLE, FrameAxis, Part


def frames_attributes(frames: FrameAxis) -> dict[str, object]:
    """JSON-able description of the frames."""
    return {
        "kind": frames.kind,
        "n": frames.n,
        "start_s": _listed(frames.start_s),
        "duration_s": _listed(frames.duration_s),
        "labels": list(frames.labels),
        "slice_start_s": None if frames.slice_start_s is None else frames.slice_start_s.tolist(),
    }


def frame_times(frames: FrameAxis | None) -> Iterator[tuple[str, FloatArray]]:
    """Names and values (t,), or (t, z) for slices, of the times that are known."""
    if frames is not None and frames.start_s is not None:
        yield "frame_start_s", frames.start_s
    if frames is not None and frames.duration_s is not None:
        yield "frame_duration_s", frames.duration_s
    if frames is not None and frames.slice_start_s is not None:
        yield "slice_start_s", frames.slice_start_s


def frames_of(about: Mapping[str, object]) -> FrameAxis | None:
    """Frames that a volume's attributes describe; None for a 3-D volume."""
    found = cast("Mapping[str, object] | None", about.get("frames"))
    if found is None:
        return None
    return FrameAxis(
        kind=str(found["kind"]),
        n=int(str(found["n"])),
        start_s=_line(found["start_s"]),
        duration_s=_line(found["duration_s"]),
        labels=tuple(cast("list[str]", found["labels"])),
        slice_start_s=_line(found["slice_start_s"]),
    )


def part_of(about: Mapping[str, object]) -> Part:
    """Which of the volumes of its series a volume is."""
    found = cast("Mapping[str, object] | None", about.get("part"))
    if found is None:
        return WHOLE
    label = found["label"]
    return Part(int(str(found["index"])), None if label is None else str(label))


def _listed(values: FloatArray | None) -> list[float] | None:
    return None if values is None else [float(v) for v in values]


def _line(values: object) -> FloatArray | None:
    return None if values is None else np.asarray(values, dtype=np.float64)
