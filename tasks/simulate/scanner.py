"""The simulated centres: scanner, reconstruction, protocol and header dialect, as data."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final


class Dialect(StrEnum):
    """How the headers of a centre say what is needed for SUV."""

    SIEMENS = "siemens_start"
    GE = "ge_start"
    PHILIPS = "philips_cnts"
    ADMIN = "siemens_admin"
    NONE = "philips_none"
    GML = "siemens_gml"


@dataclass(frozen=True, slots=True)
class CentreProfile:
    """One PET/CT centre.

    Parameters
    ----------
    letter : str
        Name of the centre: ``A``, ``B`` ...
    dialect : Dialect
        Header conventions.
    manufacturer, model, software : str
        Equipment, as in the header.
    pet_size, pet_pixel_mm, pet_slice_mm
        Matrix (rows = columns), pixel and slice spacing of the PET.
    ct_size, ct_pixel_mm, ct_slice_mm
        The same of the CT.
    psf_fwhm_mm : float
        Spatial resolution of the reconstructed image, isotropic.
    noise_cov : float
        Coefficient of variation in an organ of SUV `scanner.NOISE_REFERENCE_SUV`.
    noise_fwhm_mm : float
        Correlation of the noise (width of the reconstruction filter).
    calibration_factor : float
        Measured over true activity concentration.
    uptake_min, bed_duration_s, bed_gap_s, bed_length_mm : float
        Time from injection to scan; duration of a bed position, pause, new length per bed.
    activity_mbq_per_kg, half_life_s : float
        Injection; half-life as this centre's console writes it.
    reconstruction, kernel : str
        As in the header.
    segmentation : str
        ``RTSTRUCT`` or ``SEG``.
    clinical : str
        ``redcap`` or ``fhir``.
    """

    letter: str
    dialect: Dialect
    manufacturer: str
    model: str
    software: str
    pet_size: int
    pet_pixel_mm: float
    pet_slice_mm: float
    ct_size: int
    ct_pixel_mm: float
    ct_slice_mm: float
    psf_fwhm_mm: float
    noise_cov: float
    noise_fwhm_mm: float
    calibration_factor: float
    uptake_min: float
    bed_duration_s: float
    bed_gap_s: float
    bed_length_mm: float
    activity_mbq_per_kg: float
    half_life_s: float
    reconstruction: str
    kernel: str
    segmentation: str
    clinical: str

    @property
    def name(self) -> str:
        """Institution name in the headers."""
        return f"Simulated Centre {self.letter}"


@dataclass(frozen=True, slots=True)
class SpectProfile:
    """The SPECT/CT centre (uncalibrated counts after Lu-177 therapy).

    Parameters
    ----------
    size, voxel_mm
        Cubic matrix in-plane and isotropic voxel size.
    sensitivity_cps_per_mbq : float
        Counts per second and MBq; not written to any header, so the images stay counts.
    projections, projection_s : int, float
        Angles of the tomography and time per angle.
    delay_h : float
        Time from injection to scan.
    """

    letter: str = "S"
    manufacturer: str = "SIEMENS NM"
    model: str = "Symbia Intevo"
    software: str = "VB22A"
    size: int = 110
    voxel_mm: float = 4.8
    ct_size: int = 144
    ct_pixel_mm: float = 3.6
    ct_slice_mm: float = 6.0
    psf_fwhm_mm: float = 11.0
    noise_cov: float = 0.12
    noise_fwhm_mm: float = 9.0
    sensitivity_cps_per_mbq: float = 9.2
    projections: int = 120
    projection_s: float = 15.0
    delay_h: float = 24.0
    activity_mbq: float = 7400.0
    half_life_s: float = 574_300.0
    segmentation: str = "RTSTRUCT"
    clinical: str = "fhir"

    @property
    def name(self) -> str:
        """Institution name in the headers."""
        return f"Simulated Centre {self.letter}"


#: SUV of the organ (liver) that `CentreProfile.noise_cov` refers to.
NOISE_REFERENCE_SUV: Final = 2.2

#: Activity concentration in the liver a day after Lu-177 therapy, per injected activity (1/ml).
LIVER_BQML_PER_BQ: Final = 3.5e-5

_A = CentreProfile(
    letter="A", dialect=Dialect.SIEMENS, manufacturer="SIEMENS", model="Biograph 64 mCT",
    software="VG60A", pet_size=128, pet_pixel_mm=4.07283, pet_slice_mm=5.0,
    ct_size=144, ct_pixel_mm=3.6, ct_slice_mm=6.0,
    psf_fwhm_mm=5.0, noise_cov=0.09, noise_fwhm_mm=5.0, calibration_factor=1.0,
    uptake_min=60.0, bed_duration_s=120.0, bed_gap_s=4.0, bed_length_mm=170.0,
    activity_mbq_per_kg=3.0, half_life_s=6586.2, reconstruction="PSF+TOF 2i21s",
    kernel="XYZ GAUSS5.00",    segmentation="RTSTRUCT", clinical="redcap",
)  # fmt: skip

_B = replace(
    _A, letter="B", dialect=Dialect.GE, manufacturer="GE MEDICAL SYSTEMS", model="Discovery STE",
    software="38.04", pet_size=112, pet_pixel_mm=5.46875, pet_slice_mm=4.25,
    ct_pixel_mm=3.90625, ct_slice_mm=5.0,
    psf_fwhm_mm=8.0, noise_cov=0.13, noise_fwhm_mm=7.0, calibration_factor=0.88,
    uptake_min=75.0, bed_duration_s=180.0, bed_gap_s=6.0, bed_length_mm=119.0,
    activity_mbq_per_kg=4.5, half_life_s=6588.0, reconstruction="3D IR", kernel="",
    segmentation="SEG", clinical="fhir",
)  # fmt: skip

_C = replace(
    _A, letter="C", dialect=Dialect.PHILIPS, manufacturer="Philips Medical Systems",
    model="Ingenuity TF PET/CT", software="4.0.2", pet_size=144, pet_pixel_mm=4.0, pet_slice_mm=5.0,
    ct_pixel_mm=3.7, ct_slice_mm=6.0,
    psf_fwhm_mm=6.3, noise_cov=0.11, noise_fwhm_mm=6.0, calibration_factor=1.14,
    uptake_min=90.0, bed_duration_s=90.0, bed_gap_s=3.0, bed_length_mm=135.0,
    activity_mbq_per_kg=3.7, half_life_s=6586.2, reconstruction="BLOB-OS-TF", kernel="",
)  # fmt: skip

_D = replace(
    _A, letter="D", dialect=Dialect.ADMIN, model="Biograph Vision 600", software="VG76A",
    pet_size=144, pet_pixel_mm=3.88, pet_slice_mm=5.0,
    psf_fwhm_mm=4.2, noise_cov=0.08, noise_fwhm_mm=4.0, calibration_factor=1.05,
    uptake_min=65.0, bed_duration_s=90.0, activity_mbq_per_kg=2.5, clinical="fhir",
)  # fmt: skip

_E = replace(
    _C, letter="E", dialect=Dialect.NONE, model="GEMINI TF TOF 16", software="3.5",
    psf_fwhm_mm=7.2, noise_cov=0.14, noise_fwhm_mm=6.5, calibration_factor=0.94,
    uptake_min=80.0, bed_duration_s=120.0, activity_mbq_per_kg=4.0, clinical="redcap",
)  # fmt: skip

_F = replace(
    _A, letter="F", dialect=Dialect.GML, model="Biograph 40 TruePoint", software="VE40B",
    psf_fwhm_mm=6.8, noise_cov=0.12, noise_fwhm_mm=6.0, calibration_factor=1.09, uptake_min=70.0,
)  # fmt: skip

_BASE: Final = (_A, _B, _C, _D, _E, _F)
_LETTERS: Final = (
    "ABCDEFGHIJKLMNOPQRTUVWYZ"  # S is the SPECT centre, X the centre of unusable objects
)

#: Most PET centres that a cohort can have.
MAX_CENTRES: Final = len(_LETTERS)


def centre_profile(index: int) -> CentreProfile:
    """Profile of PET centre `index` (from 0).

    Centres after the sixth cycle through the last three dialects with other physical parameters.
    """
    if index < len(_BASE):
        return _BASE[index]
    base = _BASE[3 + (index - len(_BASE)) % 3]
    turn = 1 + (index - len(_BASE)) // 3
    return replace(
        base,
        letter=_LETTERS[index],
        psf_fwhm_mm=base.psf_fwhm_mm + 0.6 * turn,
        noise_cov=base.noise_cov + 0.01 * turn,
        calibration_factor=round(base.calibration_factor - 0.05 * turn, 3),
        uptake_min=base.uptake_min + 4.0 * turn,
    )


def scaled_size(size: int, voxel_scale: float) -> int:
    """Matrix size that keeps the field of view when voxels grow by `voxel_scale`; even, >= 8."""
    return max(8, 2 * round(size / voxel_scale / 2))
