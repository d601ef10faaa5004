"""Simulated dynamic PET study with known kinetics: images and a structure set."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from schemas.reasons import Outcome
from tasks.simulate.dicom_frames import framed_datasets, framed_scan
from tasks.simulate.dicom_rtstruct import Drawing, rtstruct_dataset, write_rtstruct
from tasks.simulate.dicom_write import save_slices
from tasks.simulate.kinetic_phantom import TRUTH_COLUMNS, kinetic_image, regions, truth_rows
from tasks.simulate.scanner import CentreProfile
from tasks.simulate.study import StudySettings
from tasks.simulate.truth import ExpectedOutcome, write_table

#: Patient of the study; far from those of a cohort.
_NUMBER: Final = 911


def write_kinetic_pet(
    folder: Path, profile: CentreProfile, *, seed: int = 0, noise: float = 0.0
) -> list[Path]:
    """Write a dynamic PET of `tasks.simulate.kinetic_phantom` and a structure set with its ROIs.

    Parameters
    ----------
    folder : Path
        Made if it does not exist; gets ``PT`` and ``RTSTRUCT``.
    profile : CentreProfile
        Vendor dialect of the headers.
    seed : int
        Chooses patient, UIDs and noise.
    noise : float
        See `tasks.simulate.kinetic_phantom.kinetic_image`.
    """
    image = kinetic_image(seed, noise)
    scan = framed_scan(seed, profile, image, "DYNAMIC", _NUMBER)
    datasets = framed_datasets(scan, image)
    paths = save_slices(datasets, folder / "PT", "PT")
    first_frame = datasets[: image.grid.shape[0]]
    drawing = Drawing(seed, scan.patient, image.grid, first_frame, regions=regions())
    return paths + write_rtstruct(rtstruct_dataset(drawing), folder / "RTSTRUCT")


def write_kinetic_study(
    settings: StudySettings, profile: CentreProfile, truth: Path
) -> list[ExpectedOutcome]:
    """Write the study beside a cohort, and its rate constants as ``kinetics.csv``."""
    noise = 0.0 if settings.ideal else 0.1
    folder = settings.dicom_root / "kinetics"
    paths = write_kinetic_pet(folder, profile, seed=settings.seed, noise=noise)
    write_table(truth / "kinetics.csv", TRUTH_COLUMNS, truth_rows())
    return [
        ExpectedOutcome(path.relative_to(settings.dicom_root).as_posix(), Outcome.INGESTED)
        for path in paths
    ]
