"""When each frame of a planar NM object was measured, how long, and from which angle."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from schemas.geometry import FloatArray
from tasks.dicom import values
from tasks.dicom.nm_vectors import Counts


@dataclass(frozen=True, slots=True)
class FrameTimes:
    """Times of the frames of one object.

    Parameters
    ----------
    start_s : ndarray, (frame,), float64, or None
        After the start of the acquisition; of gated images after the trigger.
    duration_s : ndarray, (frame,), float64, or None
        How long each was measured.
    """

    start_s: FloatArray | None = None
    duration_s: FloatArray | None = None


def frame_times(dataset: Dataset, form: str, counts: Counts, n_frames: int) -> FrameTimes:
    """Find the times of the frames of one object.

    Parameters
    ----------
    dataset : Dataset
        NM object.
    form : str
        Image Type value 3: ``DYNAMIC``, ``GATED`` ...
    counts : dict
        From `tasks.dicom.nm_vectors.frame_counts`.
    n_frames : int
        Number of frames.

    References
    ----------
    DICOM PS3.3 C.8.4.14 (NM Phase), C.8.4.13 (NM Multi-gated Acquisition), C.8.4.12
    (NM TOMO Acquisition).
    """
    if form == "DYNAMIC":
        return _of_phases(dataset, counts, n_frames)
    if "GATED" in form.split():
        return _of_gates(dataset, counts, n_frames)
    if form == "TOMO":
        return FrameTimes(None, _of_rotations(dataset, counts, n_frames))
    duration_ms = values.number(dataset, "ActualFrameDuration")
    if duration_ms is None or duration_ms <= 0:
        return FrameTimes()
    return FrameTimes(None, np.full(n_frames, duration_ms / 1000))


def _of_phases(dataset: Dataset, counts: Counts, n_frames: int) -> FrameTimes:
    """Start with the delay of a phase behind the last frame of the phase before.

    Within a phase, a frame follows the one before after Pause Between Frames (0054,0038).
    """
    phases = values.items(dataset, "PhaseInformationSequence")
    of_phase = counts.get("phase", np.ones(n_frames, dtype=np.int64))
    durations = [_ms(phase, "ActualFrameDuration") for phase in phases]
    if not phases or of_phase.max() > len(phases) or not all(d and d > 0 for d in durations):
        return FrameTimes()
    length = np.array([d or 0.0 for d in durations]) / 1000
    pause = np.array([_ms(phase, "PauseBetweenFrames") or 0.0 for phase in phases]) / 1000
    begin, end = np.empty(len(phases)), 0.0
    rank = _rank_in_phase(of_phase, counts, n_frames)
    for i, phase in enumerate(phases):
        begin[i] = end + (_ms(phase, "PhaseDelay") or 0.0) / 1000
        n = values.number(phase, "NumberOfFramesInPhase")
        mine = rank[of_phase == i + 1]
        n_in_phase = int(n) if n else int(mine.max()) + 1 if mine.size else 0
        end = begin[i] + n_in_phase * length[i] + max(n_in_phase - 1, 0) * pause[i]
    own = of_phase - 1
    return FrameTimes(begin[own] + rank * (length + pause)[own], length[own])


def _rank_in_phase(of_phase: NDArray[np.int64], counts: Counts, n_frames: int) -> NDArray[np.int64]:
    """Count frames within their phase from 0, whether or not time slices count on over phases."""
    slices = counts.get("time_slice")
    if slices is not None:
        first = {p: int(slices[of_phase == p].min()) for p in set(of_phase.tolist())}
        return np.asarray(slices - np.array([first[p] for p in of_phase.tolist()]))
    seen: Counter[tuple[int, ...]] = Counter()
    one = np.ones(n_frames, dtype=np.int64)
    keys = zip(
        of_phase.tolist(), counts.get("energy_window", one).tolist(),
        counts.get("detector", one).tolist(), strict=True,
    )  # fmt: skip
    rank = np.empty(n_frames, dtype=np.int64)
    for i, key in enumerate(keys):
        rank[i] = seen[key]
        seen[key] += 1
    return rank


def _of_gates(dataset: Dataset, counts: Counts, n_frames: int) -> FrameTimes:
    """Slots of the length that the data of each R-R interval give, Frame Time (0018,1063)."""
    gated = values.first_item(dataset, "GatedInformationSequence")
    lengths = [_ms(d, "FrameTime") for d in values.items(gated, "DataInformationSequence")]
    slot = counts.get("time_slot")
    one = np.ones(n_frames, dtype=np.int64)
    interval = counts.get("rr_interval", one)
    if slot is None or not lengths or not all(v and v > 0 for v in lengths):
        return FrameTimes()
    # some vendors describe one interval for all
    own = np.minimum(interval, len(lengths)) - 1
    length = np.array([v or 0.0 for v in lengths])[own] / 1000
    return FrameTimes((slot - 1) * length, length)


def _of_rotations(dataset: Dataset, counts: Counts, n_frames: int) -> FloatArray | None:
    rotations = values.items(dataset, "RotationInformationSequence")
    of_rotation = counts.get("rotation", np.ones(n_frames, dtype=np.int64))
    durations = [_ms(item, "ActualFrameDuration") for item in rotations]
    if not rotations or of_rotation.max() > len(rotations) or not all(d for d in durations):
        return None
    return np.array([d or 0.0 for d in durations])[of_rotation - 1] / 1000


def frame_angles(dataset: Dataset, counts: Counts, n_frames: int) -> FloatArray | None:
    """Angle of the detector in each projection, degrees, (frame,); None if it is not given.

    0 is at the patient's back; seen from the feet, angles grow counter-clockwise.

    References
    ----------
    DICOM PS3.3 C.8.4.11 (Detector: Start Angle), C.8.4.12 (Rotation: Angular Step, Direction).
    """
    view = counts.get("angular_view")
    if view is None:
        return None
    one = np.ones(n_frames, dtype=np.int64)
    rotations = values.items(dataset, "RotationInformationSequence")
    detectors = values.items(dataset, "DetectorInformationSequence")
    angles = np.empty(n_frames)
    columns = (view, counts.get("rotation", one), counts.get("detector", one))
    for i, (number, rotation, detector) in enumerate(
        zip(*(c.tolist() for c in columns), strict=True)
    ):
        around = rotations[rotation - 1] if rotation <= len(rotations) else Dataset()
        head = detectors[detector - 1] if detector <= len(detectors) else Dataset()
        start = values.number(head, "StartAngle")
        start = values.number(around, "StartAngle") if start is None else start
        step = values.number(around, "AngularStep")
        direction = {"CC": 1, "CW": -1}.get(values.text(around, "RotationDirection") or "")
        if start is None or step is None or direction is None:
            return None
        angles[i] = (start + direction * step * (number - 1)) % 360
    return angles


def _ms(item: Dataset, keyword: str) -> float | None:
    return values.number(item, keyword)
