"""Simulated dynamic and gated PET series: an object per slice and frame, as scanners send them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Final

import numpy as np
from pydicom.dataset import Dataset

from schemas.geometry import FloatArray
from schemas.reasons import Outcome
from tasks.simulate.dicom_modules import fork, place_slice
from tasks.simulate.dicom_pet import PetScan, pet_header, stored_values
from tasks.simulate.dicom_write import save_slices
from tasks.simulate.identifiers import uid
from tasks.simulate.kinetics import CYCLE_S, GATES, LEAD_S, FramedImage, dynamic_image, gated_image
from tasks.simulate.patient import Patient, draw_patient
from tasks.simulate.quantification import Quantification, quantify
from tasks.simulate.scanner import CentreProfile, Dialect
from tasks.simulate.study import StudySettings
from tasks.simulate.timing import (
    Schedule,
    average_activity_time_s,
    decay_constant,
    dicom_date,
    dicom_time,
)
from tasks.simulate.truth import ExpectedOutcome, write_table

#: Patients of the framed studies; far from those of a cohort.
_FIRST_NUMBER: Final = 901
CURVE_COLUMNS: Final = (
    "patient_id", "series_type", "frame", "start_s", "duration_s", "blood_suv", "lesion_suv",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class FramedSeries:
    """A series that was written, with its truth.

    Parameters
    ----------
    scan : PetScan
        Patient, schedule and conventions; its image is that of the first frame.
    image : FramedImage
        What was painted.
    paths : tuple of tuple of Path
        Files of each frame, slices in ascending z.
    """

    scan: PetScan
    image: FramedImage
    paths: tuple[tuple[Path, ...], ...]


def write_dynamic_pet(folder: Path, profile: CentreProfile, *, seed: int = 0) -> FramedSeries:
    """Write a dynamic FDG PET that begins shortly before the injection.

    Parameters
    ----------
    folder : Path
        Made if it does not exist.
    profile : CentreProfile
        Vendor dialect of the headers.
    seed : int
        Chooses the patient and all UIDs.

    References
    ----------
    DICOM PS3.3 C.8.9.1 (PET Series), C.8.9.4 (PET Image).
    """
    image = dynamic_image()
    return write_frames(folder, framed_scan(seed, profile, image, "DYNAMIC"), image)


def write_gated_pet(folder: Path, profile: CentreProfile, *, seed: int = 0) -> FramedSeries:
    """Write a PET gated by the heart, an hour after the injection; parameters as above.

    References
    ----------
    DICOM PS3.3 C.8.9.3 (PET Multi-gated Acquisition).
    """
    image = gated_image()
    return write_frames(folder, framed_scan(seed, profile, image, "GATED"), image)


def write_framed_studies(
    settings: StudySettings, profile: CentreProfile, truth: Path
) -> list[ExpectedOutcome]:
    """Write a dynamic and a gated study beside a cohort, and their curves as ``curves.csv``."""
    root = settings.dicom_root / "frames"
    made = {
        "DYNAMIC": write_dynamic_pet(root / "dynamic", profile, seed=settings.seed),
        "GATED": write_gated_pet(root / "gated", profile, seed=settings.seed),
    }
    rows = [row for kind, series in made.items() for row in curve_rows(series, kind)]
    write_table(truth / "curves.csv", CURVE_COLUMNS, rows)
    return [
        ExpectedOutcome(path.relative_to(settings.dicom_root).as_posix(), Outcome.INGESTED)
        for series in made.values()
        for frame in series.paths
        for path in frame
    ]


def curve_rows(series: FramedSeries, kind: str) -> list[dict[str, object]]:
    """One row per frame: its times and the uptake that was painted."""
    image = series.image
    return [
        {
            "patient_id": series.scan.patient.patient_id, "series_type": kind, "frame": i + 1,
            "start_s": round(float(image.start_s[i]), 6),
            "duration_s": round(float(image.duration_s[i]), 6),
            "blood_suv": round(float(image.blood_suv[i]), 6),
            "lesion_suv": round(float(image.lesion_suv[i]), 6),
        }
        for i in range(len(image.start_s))
    ]  # fmt: skip


def framed_scan(
    seed: int,
    profile: CentreProfile,
    image: FramedImage,
    kind: str,
    number: int | None = None,
) -> PetScan:
    """Draw patient and schedule of a framed study.

    Parameters
    ----------
    kind : str
        ``DYNAMIC`` or ``GATED``.
    number : int or None
        Of the patient in the centre; None: 901 or 902.
    """
    number = number or _FIRST_NUMBER + (kind == "GATED")
    per_kg = profile.activity_mbq_per_kg
    patient = draw_patient(seed, profile.letter, number, "II", activity_mbq_per_kg=per_kg)
    plan = _schedule(profile, patient, image, kind)
    conventions = quantify(profile.dialect, patient, plan)
    return PetScan(
        seed, profile, patient, plan, conventions, image.grid, image.suv[0], f"PT {kind}"
    )


def _schedule(profile: CentreProfile, patient: Patient, image: FramedImage, kind: str) -> Schedule:
    wait = timedelta(seconds=-LEAD_S) if kind == "DYNAMIC" else timedelta(minutes=60)
    start = patient.injection + wait
    n = image.grid.shape[0]
    duration = float(image.duration_s[0])
    return Schedule(patient.injection, start, (start,) * n, duration, profile.half_life_s)


def write_frames(folder: Path, scan: PetScan, image: FramedImage) -> FramedSeries:
    """Write the slices of all frames."""
    datasets = framed_datasets(scan, image)
    paths = save_slices(datasets, folder, "PT")
    n = image.grid.shape[0]
    by_frame = tuple(tuple(paths[i : i + n]) for i in range(0, len(paths), n))
    return FramedSeries(scan, image, by_frame)


def framed_datasets(scan: PetScan, image: FramedImage) -> list[Dataset]:
    """Slices of all frames: frame by frame, in ascending z."""
    is_gated = scan.label.endswith("GATED")
    header = pet_header(scan)
    _add_series(header, image, is_gated=is_gated)
    datasets: list[Dataset] = []
    for frame in range(len(image.start_s)):
        datasets += _frame(scan, header, image, frame, is_gated=is_gated)
    return datasets


def _add_series(header: Dataset, image: FramedImage, *, is_gated: bool) -> None:
    header.SeriesType = ["GATED" if is_gated else "DYNAMIC", "IMAGE"]
    header.SeriesDescription = f"PET {'gated' if is_gated else 'dynamic'} AC (simulated)"
    header.ProtocolName = "FDG heart"
    header.BodyPartExamined = "HEART"
    del header.ActualFrameDuration
    if not is_gated:
        header.NumberOfTimeSlices = len(image.start_s)
        return
    header.NumberOfRRIntervals, header.NumberOfTimeSlots = 1, GATES
    header.TriggerSourceOrType, header.CardiacFramingType = "EKG", "FORW"
    header.BeatRejectionFlag = "Y"
    header.LowRRValue, header.HighRRValue = round(900 * CYCLE_S), round(1100 * CYCLE_S)
    header.NominalInterval = round(1000 * CYCLE_S)
    header.IntervalsAcquired, header.IntervalsRejected = 570, 30
    header.HeartRate = round(60 / CYCLE_S)
    header.FrameTime = f"{1000 * CYCLE_S / GATES:g}"


def _frame(
    scan: PetScan, header: Dataset, image: FramedImage, frame: int, *, is_gated: bool
) -> list[Dataset]:
    """Slices of one frame, in ascending z."""
    own = replace(scan, suv=image.suv[frame], quantification=_conventions(scan, image, frame))
    stored, slopes = stored_values(own)
    n = len(stored)
    made = []
    for index in range(n):
        ds = fork(header)
        number = frame * n + scan.instance_number(index)
        ds.SOPInstanceUID = uid(scan.seed, scan.patient.patient_id, scan.label, frame, index)
        ds.InstanceNumber = ds.ImageIndex = number
        ds.ImageType = ["ORIGINAL", "PRIMARY"]
        ds.AcquisitionNumber = 1
        ds.RescaleSlope = slopes[index]
        ds.LossyImageCompression = "00"
        place_slice(ds, image.grid, index)
        _add_times(ds, scan, image, frame, is_gated=is_gated)
        ds.add_new("PixelData", "OW", np.ascontiguousarray(stored[index]).tobytes())
        made.append(ds)
    return made


def _conventions(scan: PetScan, image: FramedImage, frame: int) -> Quantification:
    """Return what is stored in a frame: where nothing is decay corrected, that differs by frame."""
    is_gated = scan.label.endswith("GATED")
    start_s = 0.0 if is_gated else float(image.start_s[frame])
    start = scan.schedule.scan_start + timedelta(seconds=start_s)
    n = image.grid.shape[0]
    duration = float(image.duration_s.sum() if is_gated else image.duration_s[frame])
    plan = replace(scan.schedule, bed_start=(start,) * n, bed_duration_s=duration)
    return quantify(scan.profile.dialect, scan.patient, plan)


def _add_times(
    ds: Dataset, scan: PetScan, image: FramedImage, frame: int, *, is_gated: bool
) -> None:
    """Start, mean and length of a frame; gates share the whole scan and differ in the trigger."""
    start_s = 0.0 if is_gated else float(image.start_s[frame])
    duration_s = float(image.duration_s[frame])
    start = scan.schedule.scan_start + timedelta(seconds=start_s)
    digits = 2 if scan.profile.dialect is Dialect.GE else 6
    ds.AcquisitionDate, ds.AcquisitionTime = dicom_date(start), dicom_time(start, digits)
    ds.ContentDate, ds.ContentTime = ds.AcquisitionDate, ds.AcquisitionTime
    ds.ActualFrameDuration = round(duration_s * 1000)
    whole_s = float(image.duration_s.sum()) if is_gated else duration_s
    mean_s = average_activity_time_s(whole_s, scan.schedule.half_life_s)
    reference_s = start_s + (0.0 if scan.profile.dialect is Dialect.GE else mean_s)
    ds.FrameReferenceTime = f"{reference_s * 1000:.3f}"
    if is_gated:
        ds.TriggerTime = f"{float(image.start_s[frame]) * 1000:g}"
    if scan.profile.dialect in {Dialect.SIEMENS, Dialect.GML}:
        factor = decay_factor(start_s, whole_s, scan.schedule.half_life_s)
        ds.DecayFactor = f"{factor:.6g}"


def decay_factor(start_s: float, duration_s: float, half_life_s: float) -> float:
    """Correction of a frame to the start of the scan.

    Examples
    --------
    >>> round(decay_factor(6586.2, 1.0, 6586.2), 3)
    2.0
    """
    lt = decay_constant(half_life_s) * duration_s
    before: FloatArray = np.exp(np.float64(decay_constant(half_life_s) * start_s))
    return float(before * lt / -np.expm1(-lt))
