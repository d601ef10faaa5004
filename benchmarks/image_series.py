"""Series as DICOM files: a simulated patient on the PET and the CT of a whole-body scanner.

Smooth anatomy with the noise of a scanner, so that compression works as hard as on a patient;
headers as a vendor writes them, with several bed positions and a slope of its own in every slice.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from schemas.geometry import Geometry
from tasks.simulate.dicom_ct import CtScan, ct_datasets, write_ct
from tasks.simulate.dicom_pet import PetScan, pet_datasets, stored_values, write_pet
from tasks.simulate.identifiers import stream
from tasks.simulate.imaging import axial_grid, correlated_noise, render
from tasks.simulate.patient import Patient, draw_patient
from tasks.simulate.phantom import measured_suv, scan_grid, solids_in_scanner
from tasks.simulate.quantification import quantify
from tasks.simulate.scanner import CentreProfile, centre_profile
from tasks.simulate.timing import schedule

Stored = NDArray[np.uint16]

_SEED: Final = 20030619
_PET_FIELD_MM: Final = 800.0
_CT_FIELD_MM: Final = 500.0
#: Air in an iterative reconstruction is not quite empty: SUV of the noise there.
_AIR_SUV: Final = 0.02
#: Noise of a low-dose CT with a soft kernel: standard deviation and correlation.
_CT_NOISE_HU: Final = 18.0
_CT_NOISE_FWHM_MM: Final = 1.8
_AIR_HU: Final = -1000.0
#: Slices that are rendered at once, which bounds memory.
_SLAB: Final = 50


def write_pet_series(folder: Path, slices: int = 300, size: int = 200) -> Stored:
    """Write a static whole-body PET, one file a slice; returns what is stored, (z, y, x)."""
    profile, patient = _centre_and_patient()
    grid = _grid(patient, slices, size, _PET_FIELD_MM)
    plan = schedule(profile, patient.injection, grid.axis_coordinates()[0])
    air = correlated_noise(grid, profile.noise_fwhm_mm, stream(_SEED, "PET air"))
    suv = np.maximum(
        measured_suv(_SEED, patient, profile, grid, ideal=False), np.float32(_AIR_SUV) * abs(air)
    )
    scan = PetScan(
        _SEED, profile, patient, plan, quantify(profile.dialect, patient, plan), grid, suv
    )
    write_pet(pet_datasets(scan), folder)
    return stored_values(scan)[0]


def write_ct_series(folder: Path, slices: int = 500, size: int = 512) -> Stored:
    """Write a whole-body CT of 12 bits, one file a slice; returns what is stored, (z, y, x)."""
    profile, patient = _centre_and_patient()
    grid = _grid(patient, slices, size, _CT_FIELD_MM)
    parts = []
    for start in range(0, slices, _SLAB):
        slab = _slab(grid, start, min(_SLAB, slices - start))
        solids = tuple((solid, solid.hu, 2) for solid, _ in solids_in_scanner(patient))
        noise = correlated_noise(slab, _CT_NOISE_FWHM_MM, stream(_SEED, "CT noise", start))
        parts.append(render(solids, slab, _AIR_HU) + np.float32(_CT_NOISE_HU) * noise)
    hu = np.concatenate(parts)
    write_ct(ct_datasets(CtScan(_SEED, profile, patient, patient.study_start, grid, hu)), folder)
    return np.clip(np.rint(hu + 1024.0), 0, 4095).astype(np.uint16)


def _centre_and_patient() -> tuple[CentreProfile, Patient]:
    profile = replace(centre_profile(0), model="Biograph Vision 600")
    activity = profile.activity_mbq_per_kg
    patient = draw_patient(_SEED, profile.letter, 1, "II", activity_mbq_per_kg=activity)
    return profile, patient


def _grid(patient: Patient, slices: int, size: int, field_mm: float) -> Geometry:
    """As many slices over the patient as asked for, however thin they become."""
    whole = scan_grid(patient, size, field_mm / size, 1.0)
    z = whole.axis_coordinates()[0]
    step = round(float(z[-1] - z[0]) / max(slices - 1, 1), 4)
    return axial_grid((slices, size, size), (step, field_mm / size, field_mm / size), float(z[0]))


def _slab(grid: Geometry, start: int, count: int) -> Geometry:
    first = float(grid.affine[2, 3] + start * grid.affine[2, 2])
    return axial_grid((count, *grid.shape[1:]), grid.spacing, first)
