"""One simulated PET/CT study: images, headers, lesion drawings, files, truth."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from pydicom.dataset import Dataset

from tasks.simulate.dicom_ct import CtScan, ct_datasets, write_ct
from tasks.simulate.dicom_nm import SpectScan, nm_dataset, write_nm
from tasks.simulate.dicom_pet import PetScan, pet_datasets, write_pet
from tasks.simulate.dicom_rtstruct import Drawing, rtstruct_dataset, write_rtstruct
from tasks.simulate.patient import SPECT_UPTAKE_PER_SUV, Patient
from tasks.simulate.phantom import (
    ct_grid,
    ct_numbers,
    measured_counts,
    measured_suv,
    pet_grid,
    spect_bqml_per_unit,
    spect_grid,
)
from tasks.simulate.quantification import quantify
from tasks.simulate.scanner import CentreProfile, SpectProfile
from tasks.simulate.timing import schedule


@dataclass(frozen=True, slots=True)
class StudySettings:
    """What all studies of a cohort share.

    Parameters
    ----------
    dicom_root : Path
        Folder of the DICOM files.
    voxel_scale : float
        Factor on all voxel sizes.
    ideal : bool
        Without resolution and noise.
    """

    seed: int
    dicom_root: Path
    voxel_scale: float = 1.0
    ideal: bool = False


@dataclass(frozen=True, slots=True)
class StudyResult:
    """What was written for one patient.

    Parameters
    ----------
    files : tuple of str
        Paths relative to `StudySettings.dicom_root`, POSIX form.
    n_series : int
        Series written.
    n_bytes : int
        Size of all files.
    bqml_per_suv : float
        Activity concentration of SUV 1 at the decay reference.
    """

    patient: Patient
    files: tuple[str, ...]
    n_series: int
    n_bytes: int
    bqml_per_suv: float


def pet_scan(
    settings: StudySettings, patient: Patient, profile: CentreProfile, label: str = "PT"
) -> PetScan:
    """Simulate the PET of a patient."""
    grid = pet_grid(patient, profile, settings.voxel_scale)
    plan = schedule(profile, patient.injection, grid.axis_coordinates()[0])
    suv = measured_suv(settings.seed, patient, profile, grid, ideal=settings.ideal)
    return PetScan(
        settings.seed,
        profile,
        patient,
        plan,
        quantify(profile.dialect, patient, plan),
        grid,
        suv,
        label,
    )


def simulate_pet_study(
    settings: StudySettings, patient: Patient, profile: CentreProfile
) -> StudyResult:
    """Write PET, CT and lesion drawing of one patient."""
    folder = settings.dicom_root / profile.letter / patient.patient_id
    scan = pet_scan(settings, patient, profile)
    slices = pet_datasets(scan)
    paths = write_pet(slices, folder / "PT")
    paths += _write_ct(settings, patient, profile, folder / "CT", scan.schedule.scan_start)
    paths += _write_drawing(scan, folder, slices)
    return _result(
        settings, patient, paths, n_series=3, bqml_per_suv=scan.quantification.bqml_per_suv
    )


def simulate_spect_study(
    settings: StudySettings, patient: Patient, profile: SpectProfile
) -> StudyResult:
    """Write SPECT, CT and lesion contours of one patient."""
    folder = settings.dicom_root / profile.letter / patient.patient_id
    grid = spect_grid(patient, profile, settings.voxel_scale)
    counts = measured_counts(settings.seed, patient, profile, grid, ideal=settings.ideal)
    start = patient.injection + timedelta(hours=profile.delay_h)
    scan = SpectScan(settings.seed, profile, patient, start, grid, counts)
    image = nm_dataset(scan)
    paths = write_nm(image, folder / "NM")
    paths += _write_ct(settings, patient, profile, folder / "CT", start)
    drawing = Drawing(settings.seed, patient, grid, [image], scan.frame_numbers)
    paths += write_rtstruct(rtstruct_dataset(drawing), folder / "RTSTRUCT")
    per_suv = SPECT_UPTAKE_PER_SUV * spect_bqml_per_unit(patient)
    return _result(settings, patient, paths, n_series=3, bqml_per_suv=per_suv)


def _write_ct(
    settings: StudySettings,
    patient: Patient,
    profile: CentreProfile | SpectProfile,
    folder: Path,
    emission_start: datetime,
) -> list[Path]:
    """Write the CT beside an emission scan: a few minutes before it."""
    grid = ct_grid(
        patient, profile.ct_size, profile.ct_pixel_mm, profile.ct_slice_mm, settings.voxel_scale
    )
    hu = ct_numbers(settings.seed, patient, grid, ideal=settings.ideal)
    start = emission_start - timedelta(minutes=4)
    return write_ct(ct_datasets(CtScan(settings.seed, profile, patient, start, grid, hu)), folder)


def _result(
    settings: StudySettings,
    patient: Patient,
    paths: list[Path],
    *,
    n_series: int,
    bqml_per_suv: float,
) -> StudyResult:
    """Sum up what was written."""
    return StudyResult(
        patient,
        tuple(path.relative_to(settings.dicom_root).as_posix() for path in paths),
        n_series,
        sum(path.stat().st_size for path in paths),
        bqml_per_suv,
    )


def _write_drawing(scan: PetScan, folder: Path, slices: list[Dataset]) -> list[Path]:
    if scan.profile.segmentation == "SEG":
        # Loaded here: highdicom takes a second that RTSTRUCT centres need not wait for.
        from tasks.simulate.dicom_seg import seg_dataset, write_seg

        seg = seg_dataset(scan.seed, scan.patient, scan.grid, slices)
        return write_seg(seg, folder / "SEG")
    drawing = Drawing(scan.seed, scan.patient, scan.grid, slices)
    return write_rtstruct(rtstruct_dataset(drawing), folder / "RTSTRUCT")
