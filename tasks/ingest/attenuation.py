"""Whether an image is corrected for attenuation, and how that is known."""

from __future__ import annotations

import re
from typing import Final

from pydicom.dataset import Dataset

from tasks.dicom import values

#: ``NAC``, ``no AC``, ``uncorrected``, ``ohne AC``, as words of a description.
_NOT_CORRECTED: Final = re.compile(
    r"(?<![A-Z])(?:NAC|NO[ _-]?A(?:TTEN\w*)?C\w*|NON[ _-]?AC|UNCORR\w*|OHNE[ _-]?AC"
    r"|WITHOUT[ _-]?AC|NO[ _-]?ATTEN\w*)(?![A-Z])"
)
_CORRECTED: Final = re.compile(
    r"(?<![A-Z])(?:AC|CTAC|MRAC|ACCT|ATTEN\w*[ _-]?CORR\w*|CORRECTED)(?![A-Z])"
)
#: What stands in Attenuation Correction Method (0054,1101) where there was no correction.
_NO_METHOD: Final = re.compile(r"\s*(?:NONE|NO|OFF|N/?A|UNCORRECTED|NOT APPLIED)\s*", re.IGNORECASE)
_EMISSION: Final = frozenset({"PT", "NM"})


def attenuation_correction(original: Dataset) -> tuple[bool | None, str | None]:
    """Tell whether an emission image is corrected for attenuation.

    Parameters
    ----------
    original : Dataset
        A header as it came; the description is needed, which de-identification shortens.

    Returns
    -------
    is_corrected : bool or None
        None if nothing tells, and for other kinds of images.
    source : str or None
        ``CorrectedImage``, ``AttenuationCorrected``, ``AttenuationCorrectionMethod`` or
        ``SeriesDescription``, the first that tells.

    References
    ----------
    DICOM PS3.3 C.8.9.1 (Corrected Image, Attenuation Correction Method), C.8.22 (Attenuation
    Corrected).

    Examples
    --------
    >>> ds = Dataset()
    >>> ds.Modality, ds.SeriesDescription = "PT", "PET WB NAC"
    >>> attenuation_correction(ds)
    (False, 'SeriesDescription')
    """
    if values.text(original, "Modality") not in _EMISSION:
        return None, None
    if corrections := values.texts(original, "CorrectedImage"):
        return "ATTN" in corrections, "CorrectedImage"
    flag = (values.text(original, "AttenuationCorrected") or "").upper()
    if flag in {"YES", "NO"}:
        return flag == "YES", "AttenuationCorrected"
    if method := values.joined(original, "AttenuationCorrectionMethod"):
        return _NO_METHOD.fullmatch(method) is None, "AttenuationCorrectionMethod"
    told = _described((values.text(original, "SeriesDescription") or "").upper())
    return told, None if told is None else "SeriesDescription"


def _described(description: str) -> bool | None:
    if _NOT_CORRECTED.search(description):
        return False
    return True if _CORRECTED.search(description) else None
