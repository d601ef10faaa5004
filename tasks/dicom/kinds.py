"""What an object is, by its SOP class, image type and modality, and whether it is of interest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from schemas.reasons import Outcome

CT_IMAGE: Final = "1.2.840.10008.5.1.4.1.1.2"
MR_IMAGE: Final = "1.2.840.10008.5.1.4.1.1.4"
NM_IMAGE: Final = "1.2.840.10008.5.1.4.1.1.20"
RETIRED_NM_IMAGE: Final = "1.2.840.10008.5.1.4.1.1.5"
PET_IMAGE: Final = "1.2.840.10008.5.1.4.1.1.128"
RT_STRUCTURE_SET: Final = "1.2.840.10008.5.1.4.1.1.481.3"
SEGMENTATION: Final = "1.2.840.10008.5.1.4.1.1.66.4"
LABEL_MAP_SEGMENTATION: Final = "1.2.840.10008.5.1.4.1.1.66.7"
MEDIA_DIRECTORY: Final = "1.2.840.10008.1.3.10"
REAL_WORLD_VALUE_MAPPING: Final = "1.2.840.10008.5.1.4.1.1.67"
_REPORT_PREFIX: Final = "1.2.840.10008.5.1.4.1.1.88."
#: Reports whose templates may hold measurements: Enhanced, Comprehensive, Comprehensive 3D and
#: Extensible SR.
REPORT_CLASSES: Final = frozenset(_REPORT_PREFIX + end for end in ("22", "33", "34", "35"))
#: X-Ray, Radiopharmaceutical, Patient and Enhanced X-Ray Radiation Dose SR.
DOSE_REPORT_CLASSES: Final = frozenset(_REPORT_PREFIX + end for end in ("67", "68", "73", "76"))

PARAMETRIC_MAP: Final = "1.2.840.10008.5.1.4.1.1.30"
ENHANCED_CT: Final = "1.2.840.10008.5.1.4.1.1.2.1"
LEGACY_ENHANCED_CT: Final = "1.2.840.10008.5.1.4.1.1.2.2"
ENHANCED_MR: Final = "1.2.840.10008.5.1.4.1.1.4.1"
LEGACY_ENHANCED_MR: Final = "1.2.840.10008.5.1.4.1.1.4.4"
ENHANCED_PET: Final = "1.2.840.10008.5.1.4.1.1.130"
LEGACY_ENHANCED_PET: Final = "1.2.840.10008.5.1.4.1.1.128.1"

#: Classic single-frame image classes: one slice an object.
SLICE_CLASSES: Final = frozenset({CT_IMAGE, MR_IMAGE, PET_IMAGE})
#: Multi-frame images that say where each frame lies in functional groups.
ENHANCED_CLASSES: Final = frozenset(
    {
        ENHANCED_CT, ENHANCED_MR, ENHANCED_PET,
        LEGACY_ENHANCED_CT, LEGACY_ENHANCED_MR, LEGACY_ENHANCED_PET,
    }
)  # fmt: skip
SEGMENTATION_CLASSES: Final = frozenset({SEGMENTATION, LABEL_MAP_SEGMENTATION})

NM_CLASSES: Final = frozenset({NM_IMAGE, RETIRED_NM_IMAGE})

_SECONDARY_CAPTURE: Final = "1.2.840.10008.5.1.4.1.1.7"
#: Secondary Capture that may hold grey values: of any kind, 8-bit, 16-bit.
_GREY_CAPTURES: Final = frozenset(_SECONDARY_CAPTURE + end for end in ("", ".2", ".3"))
#: Classes with pixels or surfaces that a later version may read.
_UNSUPPORTED: Final = frozenset(
    {
        "1.2.840.10008.5.1.4.1.1.4.2",  # MR Spectroscopy
        "1.2.840.10008.5.1.4.1.1.4.3",  # Enhanced MR Colour
        "1.2.840.10008.5.1.4.1.1.66.5",  # Surface Segmentation
        "1.2.840.10008.5.1.4.1.1.481.2",  # RT Dose
    }
)
#: Values of Image Type of what is no slice.
PROJECTIONS: Final = frozenset({"LOCALIZER", "PROJECTION IMAGE", "MIP", "MINIP"})
_TOMOGRAPHIC_NM: Final = frozenset({"RECON TOMO", "RECON GATED TOMO"})
#: Every frame a projection: what the camera saw from one side (PS3.3 C.8.4.9.1.1).
_PLANAR_NM: Final = frozenset({"STATIC", "WHOLE BODY", "DYNAMIC", "GATED", "TOMO", "GATED TOMO"})


@dataclass(frozen=True, slots=True)
class Classification:
    """Either a kind to convert, or an outcome with its reason."""

    kind: str | None = None
    outcome: Outcome | None = None
    reason_code: str | None = None
    detail: str = ""
    attributes: tuple[str, ...] = ()


def _ignored(kind: str) -> Classification:
    return Classification(None, Outcome.IGNORED, kind)


_BY_CLASS: Final = {
    RT_STRUCTURE_SET: Classification("contours"),
    PARAMETRIC_MAP: Classification("parametric"),
    **dict.fromkeys(SEGMENTATION_CLASSES, Classification("segmentation")),
    MEDIA_DIRECTORY: _ignored("dicomdir"),
    REAL_WORLD_VALUE_MAPPING: Classification("value_map"),
    **dict.fromkeys(REPORT_CLASSES, Classification("report")),
    **dict.fromkeys(DOSE_REPORT_CLASSES, _ignored("dose_report")),
}


def is_secondary_capture(sop_class_uid: str) -> bool:
    """Tell the Secondary Capture classes from all others."""
    return sop_class_uid == _SECONDARY_CAPTURE or sop_class_uid.startswith(f"{_SECONDARY_CAPTURE}.")


def classify(
    sop_class_uid: str,
    image_type: tuple[str, ...],
    n_frames: int,
    secondary_capture: str = "refuse",
) -> Classification:
    """Say what becomes of an object.

    Parameters
    ----------
    sop_class_uid : str
        SOP Class UID (0008,0016).
    image_type : tuple of str
        Values of Image Type (0008,0008), upper case.
    n_frames : int
        Number of Frames (0028,0008), 1 if absent.
    secondary_capture : str
        ``refuse``, or ``monochrome`` to take grey Secondary Capture for planar images.

    Returns
    -------
    Classification
        Kind ``image``, ``planar``, ``parametric``, ``contours``, ``segmentation``, ``report`` or
        ``value_map``; or IGNORED / QUARANTINED.

    Examples
    --------
    >>> classify(PET_IMAGE, ("ORIGINAL", "PRIMARY"), 1).kind
    'image'
    >>> classify(CT_IMAGE, ("ORIGINAL", "PRIMARY", "LOCALIZER"), 1).reason_code
    'localizer'
    """
    if sop_class_uid in SLICE_CLASSES:
        return _classify_slice(image_type, n_frames)
    if sop_class_uid in ENHANCED_CLASSES:
        return _classify_enhanced(image_type)
    if sop_class_uid in NM_CLASSES:
        return _classify_nm(image_type)
    if sop_class_uid in _UNSUPPORTED:
        return _unsupported(f"SOP class {sop_class_uid}")
    if is_secondary_capture(sop_class_uid):
        return _classify_capture(sop_class_uid, secondary_capture)
    is_report = sop_class_uid.startswith(_REPORT_PREFIX)
    other = "report_without_measurements" if is_report else "no_pixels"
    return _BY_CLASS.get(sop_class_uid, _ignored(other))


def _classify_slice(image_type: tuple[str, ...], n_frames: int) -> Classification:
    if PROJECTIONS & set(image_type):
        return _ignored("localizer")
    if n_frames != 1:
        return _unsupported(f"single-frame SOP class with {n_frames} frames", "NumberOfFrames")
    return Classification("image")


def _classify_enhanced(image_type: tuple[str, ...]) -> Classification:
    """Frames may differ in type; what all of them are stands in the Image Type of the object."""
    return _ignored("localizer") if PROJECTIONS & set(image_type) else Classification("image")


def _classify_nm(image_type: tuple[str, ...]) -> Classification:
    """NM objects hold projections, dynamics and tomograms alike; only tomograms are volumes.

    Objects of the retired class seldom say what they hold; those that do are read the same way.

    References
    ----------
    DICOM PS3.3 C.8.4.9.1.1 (Image Type value 3).
    """
    form = image_type[2] if len(image_type) > 2 else "absent"
    if form in _TOMOGRAPHIC_NM:
        return Classification("image")
    if form in _PLANAR_NM:
        return Classification("planar")
    return _unsupported(f"NM image of type {form if form.isascii() else 'unknown'}", "ImageType")


def _classify_capture(sop_class_uid: str, secondary_capture: str) -> Classification:
    """Refuse by default; whether an object is grey and unmarked is seen when it is read."""
    if secondary_capture != "monochrome":
        return _ignored("secondary_capture")
    if sop_class_uid in _GREY_CAPTURES:
        return Classification("planar")
    return Classification(
        None, Outcome.IGNORED, "secondary_capture", "colour or single bits", ("SOPClassUID",)
    )


def _unsupported(detail: str, *attributes: str) -> Classification:
    return Classification(None, Outcome.QUARANTINED, "unsupported_object", detail, attributes)
