"""Simulated PET series (Positron Emission Tomography Image Storage) in vendor dialects."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import PositronEmissionTomographyImageStorage

from schemas.geometry import Geometry
from tasks.simulate.dicom_modules import (
    NOTICE,
    add_equipment,
    add_head_first_supine,
    add_patient,
    add_plane,
    add_study,
    code,
    fork,
    frame_of_reference_uid,
    new_object,
    place_slice,
    sequence,
)
from tasks.simulate.dicom_write import save_slices
from tasks.simulate.identifiers import uid
from tasks.simulate.imaging import Image
from tasks.simulate.patient import Patient
from tasks.simulate.quantification import Quantification
from tasks.simulate.scanner import CentreProfile, Dialect
from tasks.simulate.timing import (
    Schedule,
    average_activity_time_s,
    dicom_date,
    dicom_datetime,
    dicom_time,
)

_PHILIPS = frozenset({Dialect.PHILIPS, Dialect.NONE})
#: Dialects that write implicit VR: their private elements arrive without a type.
_IMPLICIT = frozenset({Dialect.GE, Dialect.ADMIN})


@dataclass(frozen=True)
class PetScan:
    """Everything that one PET series is written from.

    Parameters
    ----------
    suv : ndarray, (z, y, x), float32
        Image in SUV as the scanner measures it, calibration error included; z ascends.
    label : str
        Distinguishes several series of a patient; part of the UIDs.
    """

    seed: int
    profile: CentreProfile
    patient: Patient
    schedule: Schedule
    quantification: Quantification
    grid: Geometry
    suv: Image
    label: str = "PT"

    @property
    def series_uid(self) -> str:
        """Series Instance UID."""
        return uid(self.seed, self.patient.patient_id, self.label)

    def instance_uid(self, index: int) -> str:
        """SOP Instance UID of slice `index` (ascending z)."""
        return uid(self.seed, self.patient.patient_id, self.label, index)

    def instance_number(self, index: int) -> int:
        """Count slice `index` from the head down, with Philips from the feet up."""
        n = self.grid.shape[0]
        return index + 1 if self.profile.dialect in _PHILIPS else n - index


def pet_datasets(scan: PetScan) -> list[Dataset]:
    """One data set per slice, in ascending z, without sharing mutable parts that differ."""
    header = pet_header(scan)
    stored, slopes = stored_values(scan)
    return [
        _slice(scan, header, index, stored[index], slopes[index]) for index in range(len(stored))
    ]


def write_pet(datasets: list[Dataset], folder: Path) -> list[Path]:
    """Write slices as ``PT0001.dcm`` ... by instance number."""
    return save_slices(datasets, folder, "PT")


def stored_values(
    scan: PetScan,
) -> tuple[np.ndarray[tuple[int, ...], np.dtype[np.uint16]], list[str]]:
    """Scale to integers (z, y, x), 0 to 32767; with them the slope of each slice as written.

    Siemens scales every slice to its own maximum, the others the series.
    """
    per_suv = scan.quantification.per_suv
    peak = scan.suv.max(axis=(1, 2)).astype(np.float64) * per_suv
    if scan.profile.dialect not in {Dialect.SIEMENS, Dialect.ADMIN, Dialect.GML}:
        peak = np.full(len(peak), peak.max())
    # Slices above the head are empty; 32760 leaves room for the rounding of the slope.
    floor = 1e-4 * float(peak.max()) or 1e-4  # a frame before the injection is empty, too
    slopes = [f"{max(p, floor) / 32760.0:.8g}" for p in peak]
    scale = (per_suv / np.array([float(s) for s in slopes])).astype(np.float32)
    stored = np.rint(scan.suv * scale[:, None, None])
    return np.clip(stored, 0, 32767).astype(np.uint16), slopes


def pet_header(scan: PetScan) -> Dataset:
    """Attributes that all slices of a series share."""
    profile, patient = scan.profile, scan.patient
    ds = new_object(
        PositronEmissionTomographyImageStorage, implicit_vr=profile.dialect in _IMPLICIT
    )
    add_patient(ds, patient)
    add_study(ds, scan.seed, patient, "PET/CT whole body (simulated)")
    add_equipment(ds, profile.letter, profile.manufacturer, profile.model, profile.software)
    add_plane(ds, scan.grid)
    ds.Modality = "PT"
    ds.SeriesInstanceUID = scan.series_uid
    ds.SeriesNumber = 4
    ds.SeriesDescription = f"PET WB AC {profile.reconstruction} (simulated)"
    ds.ProtocolName = "FDG whole body"
    ds.BodyPartExamined = "WHOLEBODY"
    ds.FrameOfReferenceUID = frame_of_reference_uid(scan.seed, patient)
    ds.ImageComments = NOTICE
    ds.BurnedInAnnotation = "NO"
    ds.BitsStored, ds.HighBit = 16, 15
    ds.PixelRepresentation = 1 if profile.dialect is Dialect.GE else 0
    ds.RescaleIntercept = "0"
    _add_pet_series(ds, scan)
    ds.RadiopharmaceuticalInformationSequence = sequence(_isotope(scan))
    add_head_first_supine(ds)
    _add_private(ds, scan)
    return ds


def _add_pet_series(ds: Dataset, scan: PetScan) -> None:
    profile, schedule = scan.profile, scan.schedule
    start = series_start(profile.dialect, schedule)
    ds.SeriesDate, ds.SeriesTime = dicom_date(start), dicom_time(start, _digits(profile.dialect))
    ds.Units = scan.quantification.units
    if ds.Units == "GML":
        ds.SUVType = "BW"
    ds.CountsSource = "EMISSION"
    ds.SeriesType = ["WHOLE BODY", "IMAGE"]
    ds.NumberOfSlices = scan.grid.shape[0]
    corrections = ["NORM", "DTIM", "ATTN", "SCAT", "RAN"]
    if scan.quantification.decay_correction != "NONE":
        corrections.append("DECY")
    ds.CorrectedImage = corrections
    ds.DecayCorrection = scan.quantification.decay_correction
    ds.RandomsCorrectionMethod = "DLYD"
    ds.AttenuationCorrectionMethod = "measured,CT"
    ds.ScatterCorrectionMethod = "Model-based"
    ds.ReconstructionMethod = profile.reconstruction
    if profile.kernel:
        ds.ConvolutionKernel = profile.kernel
    ds.CollimatorType = "NONE"
    ds.ActualFrameDuration = round(profile.bed_duration_s * 1000)


def series_start(dialect: Dialect, schedule: Schedule) -> datetime:
    """Series date-time: the scan start, but with GE the later end of the post-processing."""
    late = timedelta(minutes=42) if dialect is Dialect.GE else timedelta(0)
    return schedule.scan_start + late


def _digits(dialect: Dialect) -> int:
    return {Dialect.GE: 2}.get(dialect, 0 if dialect in _PHILIPS else 6)


def _isotope(scan: PetScan) -> Dataset:
    """Radiopharmaceutical Information item (PS3.3 C.8.9.2)."""
    dialect, digits = scan.profile.dialect, _digits(scan.profile.dialect)
    item = Dataset()
    item.Radiopharmaceutical = {
        Dialect.GE: "FDG -- fluorodeoxyglucose",
        Dialect.PHILIPS: "Fluorodeoxyglucose",
        Dialect.NONE: "Fluorodeoxyglucose",
    }.get(dialect, "FDG")
    item.RadiopharmaceuticalStartTime = dicom_time(scan.patient.injection, digits)
    if dialect is not Dialect.GE:
        item.RadiopharmaceuticalStartDateTime = dicom_datetime(scan.patient.injection, digits)
    # Some consoles write MBq into an attribute that is defined in Bq.
    unit = 1e6 if dialect is Dialect.NONE else 1.0
    item.RadionuclideTotalDose = f"{scan.patient.injected_activity_bq / unit:.10g}"
    item.RadionuclideHalfLife = f"{scan.profile.half_life_s:g}"
    item.RadionuclidePositronFraction = "0.967"
    item.RadionuclideCodeSequence = sequence(
        code("C-111A1", "SRT", "^18^Fluorine")
        if dialect is not Dialect.ADMIN
        else code("77004003", "SCT", "^18^Fluorine")
    )
    item.RadiopharmaceuticalCodeSequence = sequence(
        code("C-B1031", "SRT", "Fluorodeoxyglucose F^18^")
    )
    return item


def _add_private(ds: Dataset, scan: PetScan) -> None:
    """Private elements that the vendor's SUV depends on."""
    dialect, schedule = scan.profile.dialect, scan.schedule
    if dialect in {Dialect.SIEMENS, Dialect.ADMIN, Dialect.GML}:
        at = scan.patient.injection if dialect is Dialect.ADMIN else schedule.scan_start
        block = ds.private_block(0x0071, "SIEMENS MED PT", create=True)
        block.add_new(0x22, "DT", dicom_datetime(at, 6))
    elif dialect is Dialect.GE:
        block = ds.private_block(0x0009, "GEMS_PETD_01", create=True)
        mbq = scan.patient.injected_activity_bq / 1e6
        injection = dicom_datetime(scan.patient.injection, 2)
        block.add_new(0x0D, "DT", dicom_datetime(schedule.scan_start, 2))
        block.add_new(0x36, "LO", "FDG -- fluorodeoxyglucose")
        block.add_new(0x38, "FL", mbq)
        block.add_new(0x39, "DT", injection)
        block.add_new(0x3B, "DT", injection)
        block.add_new(0x3C, "FL", 0.0)
        block.add_new(0x3D, "DT", injection)
        block.add_new(0x3E, "SH", "18F")
        block.add_new(0x3F, "FL", scan.profile.half_life_s)
    elif scan.quantification.philips_suv_factor is not None:
        block = ds.private_block(0x7053, "Philips PET Private Group", create=True)
        block.add_new(0x00, "DS", scan.quantification.philips_suv_factor)
        block.add_new(0x09, "DS", scan.quantification.philips_activity_factor)


def _slice(
    scan: PetScan,
    header: Dataset,
    index: int,
    stored: np.ndarray[tuple[int, ...], np.dtype[np.uint16]],
    slope: str,
) -> Dataset:
    """Header plus what belongs to one slice. Sequences are shared: they are never changed."""
    dialect, digits = scan.profile.dialect, _digits(scan.profile.dialect)
    ds = fork(header)
    start = scan.schedule.bed_start[index]
    ds.SOPInstanceUID = scan.instance_uid(index)
    ds.InstanceNumber = scan.instance_number(index)
    ds.ImageIndex = ds.InstanceNumber
    ds.ImageType = ["ORIGINAL", "PRIMARY"]
    ds.AcquisitionDate, ds.AcquisitionTime = dicom_date(start), dicom_time(start, digits)
    ds.ContentDate, ds.ContentTime = ds.AcquisitionDate, ds.AcquisitionTime
    ds.AcquisitionNumber = 1
    ds.FrameReferenceTime = f"{_frame_reference_ms(scan, start):.3f}"
    ds.RescaleSlope = slope
    if dialect in {Dialect.SIEMENS, Dialect.GML}:
        ds.DecayFactor = f"{_decay_factor(scan, start):.6g}"
    ds.LossyImageCompression = "00"
    place_slice(ds, scan.grid, index)
    ds.add_new("PixelData", "OW", stored.tobytes())
    return ds


def _frame_reference_ms(scan: PetScan, start: datetime) -> float:
    """Time of mean activity after the scan start; GE gives the start of the frame instead."""
    after = (start - scan.schedule.scan_start).total_seconds()
    if scan.profile.dialect is not Dialect.GE:
        after += average_activity_time_s(scan.schedule.bed_duration_s, scan.schedule.half_life_s)
    return after * 1000.0


def _decay_factor(scan: PetScan, start: datetime) -> float:
    """Correction that the scanner applied to a frame: start of the scan over mean of the frame."""
    index = scan.schedule.bed_start.index(start)
    return scan.schedule.remaining / float(scan.schedule.frame_mean()[index])
