"""What a planar object says about its energy windows, detectors, phases, gates and rotations.

Numbers as they stand; names and code meanings only as far as their words are on the allow-list.
"""

from __future__ import annotations

from typing import Final

from pydicom.dataset import Dataset

from schemas.errors import RejectedObjectError
from schemas.volume import Attributes
from tasks.deidentify.descriptors import clean_words
from tasks.dicom import tags, values
from tasks.dicom.elements import DatasetElements
from tasks.dicom.slices import numbers
from tasks.dicom.stack import plane_directions

#: Our names of numbers, and their keywords.
_DETECTOR: Final = {
    "radial_position_mm": "RadialPosition", "start_angle_deg": "StartAngle",
    "focal_distance_mm": "FocalDistance", "table_height_mm": "TableHeight",
}  # fmt: skip
_PHASE: Final = {
    "delay_ms": "PhaseDelay", "frame_duration_ms": "ActualFrameDuration",
    "pause_between_frames_ms": "PauseBetweenFrames", "n_frames": "NumberOfFramesInPhase",
}  # fmt: skip
_GATE: Final = {
    "frame_duration_ms": "FrameTime", "nominal_interval_ms": "NominalInterval",
    "low_rr_ms": "LowRRValue", "high_rr_ms": "HighRRValue",
    "n_accepted": "IntervalsAcquired", "n_rejected": "IntervalsRejected",
}  # fmt: skip
_ROTATION: Final = {
    "start_angle_deg": "StartAngle", "angular_step_deg": "AngularStep", "scan_arc_deg": "ScanArc",
    "frame_duration_ms": "ActualFrameDuration", "n_frames": "NumberOfFramesInRotation",
}  # fmt: skip
_DIRECTIONS: Final = frozenset({"CW", "CC"})
#: Types of collimator (PS3.3 C.8.4.11).
_COLLIMATORS: Final = frozenset({"PARA", "PINH", "FANB", "CONE", "SLNT", "ASTG", "DIVG", "NONE"})


def planar_facts(dataset: Dataset) -> Attributes:
    """Describe how a planar object was measured; what it does not say is left out.

    Parameters
    ----------
    dataset : Dataset
        Its header as it came.

    Returns
    -------
    dict
        Lists of dictionaries, one for each window, detector, phase, R-R interval and rotation, in
        the order in which frames count them.

    References
    ----------
    DICOM PS3.3 C.8.4.10 to C.8.4.14.
    """
    gated = values.first_item(dataset, "GatedInformationSequence")
    found: Attributes = {
        "energy_windows": [
            _window(item) for item in values.items(dataset, "EnergyWindowInformationSequence")
        ],
        "detectors": [
            _detector(item) for item in values.items(dataset, "DetectorInformationSequence")
        ],
        "phases": [
            _numbers(item, _PHASE) for item in values.items(dataset, "PhaseInformationSequence")
        ],
        "rr_intervals": [
            _numbers(item, _GATE) for item in values.items(gated, "DataInformationSequence")
        ],
        "rotations": [
            _rotation(item) for item in values.items(dataset, "RotationInformationSequence")
        ],
    }
    return {name: listed for name, listed in found.items() if listed}


def detector_plane(detector: Dataset) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
    """Position (mm, LPS) and direction cosines of a detector's image; None if not given in full."""
    place = DatasetElements(detector)
    try:
        position = numbers(place, tags.IMAGE_POSITION, 3, "ImagePositionPatient")
        orientation = numbers(place, tags.IMAGE_ORIENTATION, 6, "ImageOrientationPatient")
        plane_directions(orientation)
    except RejectedObjectError:
        return None
    return position, orientation


def _numbers(item: Dataset, keywords: dict[str, str]) -> dict[str, object]:
    found = {name: values.number(item, keyword) for name, keyword in keywords.items()}
    return {name: value for name, value in found.items() if value is not None}


def _window(item: Dataset) -> dict[str, object]:
    limits = [
        [values.number(r, "EnergyWindowLowerLimit"), values.number(r, "EnergyWindowUpperLimit")]
        for r in values.items(item, "EnergyWindowRangeSequence")
    ]
    return _with_words({"limits_kev": limits}, "name_words", values.text(item, "EnergyWindowName"))


def _detector(item: Dataset) -> dict[str, object]:
    found = _numbers(item, _DETECTOR)
    collimator = values.text(item, "CollimatorType")
    if collimator in _COLLIMATORS:
        found["collimator_type"] = collimator
    plane = detector_plane(item)
    if plane is not None:
        found["image_position_mm"], found["image_orientation"] = map(list, plane)
    view = values.text(values.first_item(item, "ViewCodeSequence"), "CodeMeaning")
    return _with_words(found, "view_words", view)


def _rotation(item: Dataset) -> dict[str, object]:
    found = _numbers(item, _ROTATION)
    direction = values.text(item, "RotationDirection")
    if direction in _DIRECTIONS:
        found["direction"] = direction
    return found


def _with_words(found: dict[str, object], name: str, text: str | None) -> dict[str, object]:
    words = clean_words(text or "")
    return {**found, name: list(words)} if words else found
