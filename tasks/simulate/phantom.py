"""Grids and images of one patient: uptake and CT numbers as the scanner of a centre sees them."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Final

import numpy as np

from schemas.geometry import Geometry
from tasks.simulate.anatomy import Solid, organs, scan_extent
from tasks.simulate.identifiers import stream
from tasks.simulate.imaging import Image, acquire, axial_grid, render
from tasks.simulate.patient import Patient
from tasks.simulate.scanner import (
    LIVER_BQML_PER_BQ,
    NOISE_REFERENCE_SUV,
    CentreProfile,
    SpectProfile,
    scaled_size,
)

_AIR_HU: Final = -1000.0
_CT_NOISE_HU: Final = 14.0
#: The CT starts a little lower than the emission image, so that the grids never coincide.
_CT_SHIFT_MM: Final = 1.3
_ORGAN_SAMPLES: Final = 3
_LESION_SAMPLES: Final = 8


def scan_grid(
    patient: Patient, size: int, pixel_mm: float, slice_mm: float, shift_mm: float = 0.0
) -> Geometry:
    """Grid that covers the patient from the thighs to the head."""
    low, high = (z + patient.offset_mm[2] for z in scan_extent(patient.body))
    count = math.ceil((high - low) / slice_mm) + 1
    return axial_grid((count, size, size), (slice_mm, pixel_mm, pixel_mm), low - shift_mm)


def pet_grid(patient: Patient, profile: CentreProfile, voxel_scale: float) -> Geometry:
    """Grid of the PET of a centre."""
    size = scaled_size(profile.pet_size, voxel_scale)
    pixel = round(profile.pet_pixel_mm * profile.pet_size / size, 5)
    return scan_grid(patient, size, pixel, round(profile.pet_slice_mm * voxel_scale, 4))


def ct_grid(
    patient: Patient, size: int, pixel_mm: float, slice_mm: float, voxel_scale: float
) -> Geometry:
    """Grid of the CT of a centre."""
    scaled = scaled_size(size, voxel_scale)
    pixel = round(pixel_mm * size / scaled, 5)
    return scan_grid(patient, scaled, pixel, round(slice_mm * voxel_scale, 4), _CT_SHIFT_MM)


def solids_in_scanner(patient: Patient) -> tuple[tuple[Solid, int], ...]:
    """Organs and lesions in scanner coordinates with their sub-samples per axis, as painted."""
    dx, dy, dz = patient.offset_mm
    body = [
        replace(solid, centre=(solid.centre[0] + dx, solid.centre[1] + dy, solid.centre[2] + dz))
        for solid in organs(patient.body)
    ]
    lesions = [lesion.solid() for lesion in patient.lesions]
    return (
        *((solid, _ORGAN_SAMPLES) for solid in body),
        *((solid, _LESION_SAMPLES) for solid in lesions),
    )


def measured_suv(
    seed: int, patient: Patient, profile: CentreProfile, grid: Geometry, *, ideal: bool
) -> Image:
    """SUV image of a centre: true uptake, resolution, noise, calibration error.

    Parameters
    ----------
    ideal : bool
        True leaves out resolution and noise, but not the calibration error.

    Returns
    -------
    ndarray, (z, y, x), float32, SUVbw
    """
    painted = tuple((solid, solid.suv, samples) for solid, samples in solids_in_scanner(patient))
    image = render(painted, grid, 0.0)
    if not ideal:
        image = acquire(
            image,
            grid,
            psf_fwhm_mm=profile.psf_fwhm_mm,
            noise_cov=profile.noise_cov,
            noise_fwhm_mm=profile.noise_fwhm_mm,
            reference=NOISE_REFERENCE_SUV,
            rng=stream(seed, patient.patient_id, "emission noise"),
        )
    return image * np.float32(profile.calibration_factor)


def spect_grid(patient: Patient, profile: SpectProfile, voxel_scale: float) -> Geometry:
    """Grid of the SPECT: in-plane and slice spacing are about equal."""
    size = scaled_size(profile.size, voxel_scale)
    pixel = round(profile.voxel_mm * profile.size / size, 5)
    return scan_grid(patient, size, pixel, round(profile.voxel_mm * voxel_scale, 4))


def spect_bqml_per_unit(patient: Patient) -> float:
    """Activity concentration (Bq/ml) at the scan of tissue with `Solid.spect_uptake` 1."""
    return LIVER_BQML_PER_BQ * patient.injected_activity_bq


def measured_counts(
    seed: int, patient: Patient, profile: SpectProfile, grid: Geometry, *, ideal: bool
) -> Image:
    """Reconstructed SPECT counts; (z, y, x) float32.

    Counts = activity concentration x voxel volume x acquisition time x sensitivity; the decay
    during the half hour of the scan (0.2 % of Lu-177) is left out.
    """
    painted = tuple(
        (solid, solid.spect_uptake, samples) for solid, samples in solids_in_scanner(patient)
    )
    image = render(painted, grid, 0.0)
    if not ideal:
        image = acquire(
            image,
            grid,
            psf_fwhm_mm=profile.psf_fwhm_mm,
            noise_cov=profile.noise_cov,
            noise_fwhm_mm=profile.noise_fwhm_mm,
            reference=1.0,
            rng=stream(seed, patient.patient_id, "emission noise"),
        )
    return image * np.float32(
        spect_bqml_per_unit(patient) * counts_per_bqml(profile, grid.voxel_volume_ml)
    )


def counts_per_bqml(profile: SpectProfile, voxel_volume_ml: float) -> float:
    """Return the counts in a voxel per Bq/ml."""
    seconds = profile.projections * profile.projection_s
    return voxel_volume_ml * seconds * profile.sensitivity_cps_per_mbq / 1e6


def ct_numbers(seed: int, patient: Patient, grid: Geometry, *, ideal: bool) -> Image:
    """CT image in HU; (z, y, x) float32."""
    painted = tuple(
        (solid, solid.hu, 2 if samples == _ORGAN_SAMPLES else 4)
        for solid, samples in solids_in_scanner(patient)
    )
    image = render(painted, grid, _AIR_HU)
    if not ideal:
        rng = stream(seed, patient.patient_id, "CT noise")
        image += np.float32(_CT_NOISE_HU) * rng.standard_normal(grid.shape, dtype=np.float32)
    return image
