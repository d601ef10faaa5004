"""Objects as they lie in real archives that must not become volumes, or not with an SUV."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import SecondaryCaptureImageStorage

from schemas.reasons import Outcome
from tasks.simulate.dicom_modules import (
    NOTICE,
    add_patient,
    add_study,
    new_object,
    save,
    sequence,
)
from tasks.simulate.dicom_pet import pet_datasets, write_pet
from tasks.simulate.identifiers import uid
from tasks.simulate.patient import Patient, draw_patient
from tasks.simulate.scanner import CentreProfile
from tasks.simulate.study import StudyResult, StudySettings, pet_scan
from tasks.simulate.truth import ExpectedOutcome

#: Sorts after the letters of the centres, so that the copy of a slice is met after its original.
FOLDER: Final = "dirt"
_CENTRE: Final = "X"
_SLICES: Final = 9
_MISSING: Final = 4


def write_dirt(
    settings: StudySettings, profile: CentreProfile, results: list[StudyResult]
) -> list[ExpectedOutcome]:
    """Write all unusable objects under ``dicom/dirt``.

    Parameters
    ----------
    profile : CentreProfile
        Centre whose scanner the small PET series come from.
    results : list of StudyResult
        Regular studies; a slice of the first one is copied.

    Returns
    -------
    list of ExpectedOutcome
        One per file written.
    """
    folder = settings.dicom_root / FOLDER
    folder.mkdir()
    expected = [
        _text_file(folder),
        _empty_file(folder),
        _duplicate(settings, folder, results[0]),
        _secondary_capture(settings, folder),
        _truncated(settings, profile, folder),
    ]
    expected += _missing_slice(settings, profile, folder)
    for number, (name, suv_reason, drop) in enumerate(_INCOMPLETE, start=903):
        slices = _small_series(settings, profile, number)
        for ds in slices:
            drop(ds)
        expected += [
            ExpectedOutcome(_relative(path, folder), Outcome.INGESTED, "", suv_reason)
            for path in write_pet(slices, folder / name)
        ]
    return expected


def _relative(path: Path, folder: Path) -> str:
    return path.relative_to(folder.parent).as_posix()


def _text_file(folder: Path) -> ExpectedOutcome:
    path = folder / "notes.txt"
    path.write_text("Simulated note that someone left among the images.\n", encoding="utf-8")
    return ExpectedOutcome(_relative(path, folder), Outcome.IGNORED, "not_dicom")


def _empty_file(folder: Path) -> ExpectedOutcome:
    path = folder / "empty.dcm"
    path.touch()
    return ExpectedOutcome(_relative(path, folder), Outcome.IGNORED, "empty_file")


def _duplicate(settings: StudySettings, folder: Path, result: StudyResult) -> ExpectedOutcome:
    slices = sorted(name for name in result.files if "/PT/" in name or "/NM/" in name)
    path = folder / "copy-of-a-slice" / "image.dcm"
    path.parent.mkdir()
    shutil.copyfile(settings.dicom_root / slices[len(slices) // 2], path)
    return ExpectedOutcome(_relative(path, folder), Outcome.DUPLICATE)


def _person(settings: StudySettings, number: int) -> Patient:
    return draw_patient(settings.seed, _CENTRE, number, "II", activity_mbq_per_kg=3.0)


def _secondary_capture(settings: StudySettings, folder: Path) -> ExpectedOutcome:
    """Screenshot: the kind of object that has names burned into its pixels."""
    patient = _person(settings, 901)
    ds = new_object(SecondaryCaptureImageStorage)
    add_patient(ds, patient)
    add_study(ds, settings.seed, patient, "Screenshot (simulated)")
    ds.Manufacturer = "SIMULATED"
    ds.Modality = "OT"
    ds.ConversionType = "WSD"
    ds.ImageType = ["DERIVED", "SECONDARY"]
    ds.ImageComments = NOTICE
    ds.SOPInstanceUID = uid(settings.seed, patient.patient_id, "SC", 0)
    ds.SeriesInstanceUID = uid(settings.seed, patient.patient_id, "SC")
    ds.SeriesNumber, ds.InstanceNumber = 99, 1
    ds.PatientOrientation = ""
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.Rows, ds.Columns = 32, 48
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 8, 8, 7, 0
    ds.PixelData = (np.indices((32, 48)).sum(axis=0) % 8 * 30).astype(np.uint8).tobytes()
    path = folder / "screenshot.dcm"
    save(ds, path)
    return ExpectedOutcome(_relative(path, folder), Outcome.IGNORED, "secondary_capture")


def _small_series(settings: StudySettings, profile: CentreProfile, number: int) -> list[Dataset]:
    """Nine neighbouring PET slices of a person of no centre's list."""
    scan = pet_scan(settings, _person(settings, number), profile)
    slices = pet_datasets(scan)
    start = len(slices) // 2
    chosen = slices[start : start + _SLICES]
    for ds in chosen:
        ds.add_new("NumberOfSlices", "US", _SLICES)  # a new element: the slices share the old one
    return chosen


def _truncated(settings: StudySettings, profile: CentreProfile, folder: Path) -> ExpectedOutcome:
    """Cut a file in the middle of its pixels."""
    (path,) = write_pet(_small_series(settings, profile, 902)[:1], folder / "truncated")
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 2 // 3])
    return ExpectedOutcome(_relative(path, folder), Outcome.QUARANTINED, "truncated")


def _missing_slice(
    settings: StudySettings, profile: CentreProfile, folder: Path
) -> list[ExpectedOutcome]:
    slices = _small_series(settings, profile, 905)
    del slices[_MISSING]
    paths = write_pet(slices, folder / "missing-slice")
    return [
        ExpectedOutcome(_relative(path, folder), Outcome.QUARANTINED, "missing_slices")
        for path in paths
    ]


def _drop_units(ds: Dataset) -> None:
    del ds.Units


def _drop_dose(ds: Dataset) -> None:
    # A new element: the slices share the old one.
    isotope = Dataset()
    isotope.update(ds.RadiopharmaceuticalInformationSequence[0])
    del isotope.RadionuclideTotalDose
    ds.add_new("RadiopharmaceuticalInformationSequence", "SQ", sequence(isotope))


#: Series that become volumes, but never SUV: folder, reason, what is taken away.
_INCOMPLETE: Final[tuple[tuple[str, str, Callable[[Dataset], None]], ...]] = (
    ("no-units", "suv_units_missing", _drop_units),
    ("no-dose", "suv_dose_missing", _drop_dose),
)
