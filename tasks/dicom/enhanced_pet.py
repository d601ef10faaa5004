"""What Enhanced PET says of corrections, in the words of classic PET."""

from __future__ import annotations

from typing import Final

from pydicom.dataset import Dataset

from tasks.dicom import values

#: Attributes of the Enhanced PET Corrections Module (YES or NO) to the terms of Corrected Image.
_CORRECTIONS: Final = {
    "DecayCorrected": "DECY", "AttenuationCorrected": "ATTN", "ScatterCorrected": "SCAT",
    "DeadTimeCorrected": "DTIM", "GantryMotionCorrected": "MOTN", "PatientMotionCorrected": "PMOT",
    "CountLossNormalizationCorrected": "CLN", "RandomsCorrected": "RAN",
    "NonUniformRadialSamplingCorrected": "RADL", "SensitivityCalibrated": "DCAL",
    "DetectorNormalizationCorrection": "NORM",
}  # fmt: skip


def add_classic_corrections(header: Dataset) -> None:
    """Add Corrected Image (0028,0051) and Decay Correction (0054,1102) where they are absent.

    Parameters
    ----------
    header : Dataset
        Changed in place. ``START`` stands for every correction to one moment: which one it is says
        Decay Correction DateTime (0018,9701).

    Examples
    --------
    >>> ds = Dataset()
    >>> ds.DecayCorrected, ds.AttenuationCorrected, ds.ScatterCorrected = "YES", "YES", "NO"
    >>> add_classic_corrections(ds)
    >>> list(ds.CorrectedImage), ds.DecayCorrection
    (['DECY', 'ATTN'], 'START')

    References
    ----------
    DICOM PS3.3 C.8.22.4 (Enhanced PET Corrections Module), C.8.9.1.
    """
    said = {name: (values.text(header, name) or "").upper() for name in _CORRECTIONS}
    made = [term for name, term in _CORRECTIONS.items() if said[name] == "YES"]
    if made and "CorrectedImage" not in header:
        header.CorrectedImage = made
    if "DecayCorrection" not in header and said["DecayCorrected"] in {"YES", "NO"}:
        header.DecayCorrection = "START" if said["DecayCorrected"] == "YES" else "NONE"
