"""Simulated SPECT reconstruction (Nuclear Medicine Image Storage): multi-frame counts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset
from pydicom.tag import Tag
from pydicom.uid import NuclearMedicineImageStorage

from schemas.geometry import Geometry
from tasks.simulate.dicom_modules import (
    NOTICE,
    add_equipment,
    add_head_first_supine,
    add_patient,
    add_plane,
    add_study,
    code,
    frame_of_reference_uid,
    new_object,
    save,
    sequence,
)
from tasks.simulate.identifiers import uid
from tasks.simulate.imaging import Image
from tasks.simulate.patient import Patient
from tasks.simulate.scanner import SpectProfile
from tasks.simulate.timing import dicom_date, dicom_datetime, dicom_time


@dataclass(frozen=True)
class SpectScan:
    """Everything that one reconstructed tomography is written from.

    Parameters
    ----------
    start : datetime
        Start of the acquisition.
    counts : ndarray, (z, y, x), float32
        Reconstructed counts; z ascends.
    """

    seed: int
    profile: SpectProfile
    patient: Patient
    start: datetime
    grid: Geometry
    counts: Image

    @property
    def head_first(self) -> bool:
        """True if frame 1 is at the head, with a negative spacing: every second patient."""
        return self.patient.number % 2 == 0

    @property
    def frame_numbers(self) -> tuple[int, ...]:
        """Frame number of each slice in ascending z."""
        n = self.grid.shape[0]
        return tuple(range(n, 0, -1)) if self.head_first else tuple(range(1, n + 1))


def nm_dataset(scan: SpectScan) -> Dataset:
    """Multi-frame image: geometry in the detector item, no rescale, no units.

    The sign of Spacing Between Slices says whether frames follow the normal (row x column
    direction) or go against it (PS3.3 C.8.4.15).
    """
    profile, patient = scan.profile, scan.patient
    ds = new_object(NuclearMedicineImageStorage)
    add_patient(ds, patient)
    add_study(ds, scan.seed, patient, "SPECT/CT after Lu-177 therapy (simulated)")
    add_equipment(ds, profile.letter, profile.manufacturer, profile.model, profile.software)
    add_plane(ds, scan.grid)
    del ds.ImageOrientationPatient  # belongs to the detector item
    ds.Modality = "NM"
    ds.SOPInstanceUID = uid(scan.seed, patient.patient_id, "NM", 0)
    ds.SeriesInstanceUID = uid(scan.seed, patient.patient_id, "NM")
    ds.SeriesNumber, ds.InstanceNumber = 4, 1
    ds.SeriesDescription = "SPECT Lu-177 OSEM AC SC (simulated)"
    ds.SeriesDate, ds.SeriesTime = dicom_date(scan.start), dicom_time(scan.start, 0)
    ds.AcquisitionDate, ds.AcquisitionTime = ds.SeriesDate, ds.SeriesTime
    ds.ContentDate, ds.ContentTime = ds.SeriesDate, ds.SeriesTime
    ds.BodyPartExamined = "WHOLEBODY"
    ds.FrameOfReferenceUID = frame_of_reference_uid(scan.seed, patient)
    ds.ImageType = ["ORIGINAL", "PRIMARY", "RECON TOMO", "EMISSION"]
    ds.ImageComments = NOTICE
    ds.BurnedInAnnotation = "NO"
    ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 15, 0
    ds.CorrectedImage = ["ATTN", "SCAT"]
    ds.LossyImageCompression = "00"
    ds.AcquisitionTerminationCondition = "TIME"
    add_head_first_supine(ds)
    _add_frames(ds, scan)
    _add_acquisition(ds, scan)
    return ds


def write_nm(ds: Dataset, folder: Path) -> list[Path]:
    """Write the multi-frame image."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "NM0001.dcm"
    save(ds, path)
    return [path]


def _add_frames(ds: Dataset, scan: SpectScan) -> None:
    """Multi-frame, reconstruction and pixel data (PS3.3 C.8.4.8, C.8.4.15)."""
    n = scan.grid.shape[0]
    order = slice(None, None, -1) if scan.head_first else slice(None)
    ds.NumberOfFrames = n
    ds.FrameIncrementPointer = Tag(0x0054, 0x0080)
    ds.SliceVector = list(range(1, n + 1))
    ds.NumberOfSlices = n
    ds.SpacingBetweenSlices = (
        f"{-scan.grid.spacing[0] if scan.head_first else scan.grid.spacing[0]:.8g}"
    )
    stored = np.clip(np.rint(scan.counts[order]), 0, 65535).astype(np.uint16)
    ds.CountsAccumulated = int(stored.sum(dtype=np.int64))
    ds.PixelData = stored.tobytes()


def _add_acquisition(ds: Dataset, scan: SpectScan) -> None:
    """Isotope, energy window, detector and rotation (PS3.3 C.8.4.9 to C.8.4.11)."""
    ds.NumberOfEnergyWindows = 1
    ds.EnergyWindowInformationSequence = sequence(_energy_window())
    ds.RadiopharmaceuticalInformationSequence = sequence(_isotope(scan))
    ds.NumberOfDetectors = 1
    ds.DetectorInformationSequence = sequence(_detector(scan))
    ds.NumberOfRotations = 1
    ds.RotationInformationSequence = sequence(_rotation(scan))


def _energy_window() -> Dataset:
    limits = Dataset()
    limits.EnergyWindowLowerLimit, limits.EnergyWindowUpperLimit = "187.2", "228.8"
    window = Dataset()
    window.EnergyWindowName = "Lu177 208keV 20%"
    window.EnergyWindowRangeSequence = sequence(limits)
    return window


def _isotope(scan: SpectScan) -> Dataset:
    """Radiopharmaceutical; in the NM IOD the activity is in MBq (PS3.3 C.8.4.10)."""
    item = Dataset()
    item.Radiopharmaceutical = "Lu-177 DOTATATE"
    item.RadiopharmaceuticalStartTime = dicom_time(scan.patient.injection, 0)
    item.RadiopharmaceuticalStartDateTime = dicom_datetime(scan.patient.injection, 0)
    item.RadionuclideTotalDose = f"{scan.patient.injected_activity_bq / 1e6:.10g}"
    item.RadionuclideHalfLife = f"{scan.profile.half_life_s:g}"
    item.EnergyWindowNumber = 1
    item.RadionuclideCodeSequence = sequence(code("447553000", "SCT", "^177^Lutetium"))
    return item


def _detector(scan: SpectScan) -> Dataset:
    first = scan.grid.affine[:3, 3].copy()
    if scan.head_first:
        first[2] += (scan.grid.shape[0] - 1) * scan.grid.affine[2, 2]
    item = Dataset()
    item.CollimatorType = "PARA"
    item.CollimatorGridName = "MELP"
    item.FocalDistance = 0
    item.ImageOrientationPatient = ["1", "0", "0", "0", "1", "0"]
    item.ImagePositionPatient = [f"{float(v):.4f}" for v in first]
    return item


def _rotation(scan: SpectScan) -> Dataset:
    item = Dataset()
    item.TableHeight = "180"
    item.StartAngle, item.ScanArc = "0", "360"
    item.AngularStep = f"{360 / scan.profile.projections:g}"
    item.RotationDirection = "CW"
    item.ActualFrameDuration = round(scan.profile.projection_s * 1000)
    item.NumberOfFramesInRotation = scan.profile.projections
    return item
