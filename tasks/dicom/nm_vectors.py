"""Which energy window, detector, phase, gate or view each frame of an NM object is of."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydicom.datadict import keyword_for_tag
from pydicom.dataset import Dataset

from schemas.errors import RejectedObjectError
from tasks.dicom import values

#: What the frames of an NM object are counted by, in the order of PS3.3 C.8.4.8: the keyword of
#: the vector, and our name for it.
VECTORS: Final = {
    "EnergyWindowVector": "energy_window",
    "DetectorVector": "detector",
    "PhaseVector": "phase",
    "RotationVector": "rotation",
    "RRIntervalVector": "rr_interval",
    "TimeSlotVector": "time_slot",
    "SliceVector": "slice",
    "AngularViewVector": "angular_view",
    "TimeSliceVector": "time_slice",
}

Counts = dict[str, NDArray[np.int64]]


def frame_counts(dataset: Dataset, n_frames: int) -> Counts:
    """Give what each frame is of, by the vectors that Frame Increment Pointer (0028,0009) names.

    Parameters
    ----------
    dataset : Dataset
        NM object.
    n_frames : int
        Number of its frames.

    Returns
    -------
    dict
        (frame,) int64, from 1, by name in `VECTORS`. A vector that the pointer names and that is
        absent is left out; one that it does not name counts if it fits.

    Raises
    ------
    RejectedObjectError
        ``invalid_attribute`` if a vector that is named does not count the frames.

    References
    ----------
    DICOM PS3.3 C.8.4.8.1.1 (Frame Increment Pointer).
    """
    named = _named_vectors(dataset)
    found: Counts = {}
    for keyword, name in VECTORS.items():
        try:
            vector = frame_vector(dataset, keyword, n_frames)
        except RejectedObjectError:
            if keyword in named:
                raise
            continue
        if vector is not None:
            found[name] = vector
    return found


def _named_vectors(dataset: Dataset) -> frozenset[str]:
    pointers = values.values_of(dataset, "FrameIncrementPointer")
    return frozenset(keyword_for_tag(tag) for tag in pointers if isinstance(tag, int))


def frame_vector(dataset: Dataset, keyword: str, n_frames: int) -> NDArray[np.int64] | None:
    """Read one vector, (frame,), from 1; None if it is absent.

    Raises
    ------
    RejectedObjectError
        ``invalid_attribute`` unless it has a count from 1 for every frame.
    """
    texts = [str(v) for v in values.values_of(dataset, keyword)]
    if not texts:
        return None
    if len(texts) != n_frames or not all(t.isdecimal() and int(t) > 0 for t in texts):
        raise RejectedObjectError(
            "invalid_attribute", f"{keyword}: expected {n_frames} counts from 1, got {len(texts)}"
        )
    return np.array([int(t) for t in texts], dtype=np.int64)
