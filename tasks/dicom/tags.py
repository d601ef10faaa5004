"""Tags that are read one by one, by their keyword in the standard (PS3.6)."""

from __future__ import annotations

import re
from typing import Final

from pydicom.datadict import tag_for_keyword

IMAGE_TYPE: Final = 0x00080008
SOP_CLASS_UID: Final = 0x00080016
SOP_INSTANCE_UID: Final = 0x00080018
STUDY_DATE: Final = 0x00080020
SERIES_DATE: Final = 0x00080021
ACQUISITION_DATE: Final = 0x00080022
ACQUISITION_DATETIME: Final = 0x0008002A
STUDY_TIME: Final = 0x00080030
SERIES_TIME: Final = 0x00080031
ACQUISITION_TIME: Final = 0x00080032
MODALITY: Final = 0x00080060
SERIES_DESCRIPTION: Final = 0x0008103E
MANUFACTURER: Final = 0x00080070
TIMEZONE_OFFSET: Final = 0x00080201
PATIENT_ID: Final = 0x00100020
ISSUER_OF_PATIENT_ID: Final = 0x00100021
PATIENT_SEX: Final = 0x00100040
PATIENT_SIZE: Final = 0x00101020
PATIENT_WEIGHT: Final = 0x00101030
ECHO_TIME: Final = 0x00180081
TRIGGER_TIME: Final = 0x00181060
REAL_WORLD_MAPPING: Final = 0x00409096
UNITS: Final = 0x00541001
FRAME_REFERENCE_TIME: Final = 0x00541300
SPACING_BETWEEN_SLICES: Final = 0x00180088
DIFFUSION_B_VALUE: Final = 0x00189087
FRAME_REFERENCE_DATETIME: Final = 0x00189151
ACTUAL_FRAME_DURATION: Final = 0x00181242
STUDY_UID: Final = 0x0020000D
SERIES_UID: Final = 0x0020000E
ACQUISITION_NUMBER: Final = 0x00200012
INSTANCE_NUMBER: Final = 0x00200013
IMAGE_POSITION: Final = 0x00200032
IMAGE_ORIENTATION: Final = 0x00200037
FRAME_OF_REFERENCE_UID: Final = 0x00200052
TEMPORAL_POSITION: Final = 0x00200100
STACK_ID: Final = 0x00209056
SAMPLES_PER_PIXEL: Final = 0x00280002
PHOTOMETRIC_INTERPRETATION: Final = 0x00280004
NUMBER_OF_FRAMES: Final = 0x00280008
ROWS: Final = 0x00280010
COLUMNS: Final = 0x00280011
PIXEL_SPACING: Final = 0x00280030
CORRECTED_IMAGE: Final = 0x00280051
BITS_ALLOCATED: Final = 0x00280100
BITS_STORED: Final = 0x00280101
HIGH_BIT: Final = 0x00280102
PIXEL_REPRESENTATION: Final = 0x00280103
RESCALE_INTERCEPT: Final = 0x00281052
RESCALE_SLOPE: Final = 0x00281053
RESCALE_TYPE: Final = 0x00281054
PIXEL_DATA: Final = 0x7FE00010

#: Everything that tells what an object is stands before it (the frame count is the last).
PAST_IDENTIFICATION: Final = 0x00280009

#: Keywords are words run together; single words count only if nobody uses them in a sentence.
_KEYWORD: Final = re.compile(
    r"\b(?:[A-Z][a-z]+(?:[A-Z0-9][A-Za-z0-9]*)+|[A-Z]{3}[A-Za-z]+|Rows|Columns)\b"
)


def keywords_in(sentence: str) -> tuple[str, ...]:
    """Attributes that a sentence names by their keyword, in its order, each once.

    Examples
    --------
    >>> keywords_in("PixelSpacing: expected 2 finite numbers, as in SOPInstanceUID")
    ('PixelSpacing', 'SOPInstanceUID')
    """
    words = dict.fromkeys(_KEYWORD.findall(sentence))
    return tuple(word for word in words if tag_for_keyword(word) is not None)


def tag_name(keyword: str) -> str:
    """Tag and keyword of an attribute as people look it up.

    Parameters
    ----------
    keyword : str
        DICOM keyword (PS3.6); anything else is returned as it is.

    Examples
    --------
    >>> tag_name("PixelSpacing")
    '(0028,0030) PixelSpacing'
    """
    tag = tag_for_keyword(keyword)
    return keyword if tag is None else f"({tag >> 16:04X},{tag & 0xFFFF:04X}) {keyword}"
