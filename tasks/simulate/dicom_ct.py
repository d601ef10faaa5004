"""Simulated CT series (CT Image Storage) beside the emission image."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage

from schemas.geometry import Geometry
from tasks.simulate.dicom_modules import (
    NOTICE,
    add_equipment,
    add_patient,
    add_plane,
    add_study,
    fork,
    frame_of_reference_uid,
    new_object,
    place_slice,
)
from tasks.simulate.dicom_write import save_slices
from tasks.simulate.identifiers import uid
from tasks.simulate.imaging import Image
from tasks.simulate.patient import Patient
from tasks.simulate.scanner import CentreProfile, SpectProfile
from tasks.simulate.timing import dicom_date, dicom_time


@dataclass(frozen=True)
class CtScan:
    """Everything that one CT series is written from.

    Parameters
    ----------
    start : datetime
        Start of the CT.
    hu : ndarray, (z, y, x), float32
        CT numbers; z ascends.
    """

    seed: int
    profile: CentreProfile | SpectProfile
    patient: Patient
    start: datetime
    grid: Geometry
    hu: Image


def ct_datasets(scan: CtScan) -> list[Dataset]:
    """One data set per slice, in ascending z; instance 1 is at the head."""
    header = _header(scan)
    stored = np.clip(np.rint(scan.hu + 1024.0), 0, 4095).astype(np.uint16)
    return [_slice(scan, header, index, stored[index].tobytes()) for index in range(len(stored))]


def write_ct(datasets: list[Dataset], folder: Path) -> list[Path]:
    """Write slices as ``CT0001.dcm`` ... by instance number."""
    return save_slices(datasets, folder, "CT")


def _header(scan: CtScan) -> Dataset:
    profile, patient = scan.profile, scan.patient
    ds = new_object(CTImageStorage)
    add_patient(ds, patient)
    add_study(ds, scan.seed, patient, "Low-dose CT (simulated)")
    add_equipment(ds, profile.letter, profile.manufacturer, profile.model, profile.software)
    add_plane(ds, scan.grid)
    ds.Modality = "CT"
    ds.SeriesInstanceUID = uid(scan.seed, patient.patient_id, "CT")
    ds.SeriesNumber = 2
    ds.SeriesDescription = "CT low dose WB (simulated)"
    ds.BodyPartExamined = "WHOLEBODY"
    ds.SeriesDate, ds.SeriesTime = dicom_date(scan.start), dicom_time(scan.start)
    ds.AcquisitionDate, ds.AcquisitionTime = ds.SeriesDate, ds.SeriesTime
    ds.ContentDate, ds.ContentTime = ds.SeriesDate, ds.SeriesTime
    ds.AcquisitionNumber = 1
    ds.FrameOfReferenceUID = frame_of_reference_uid(scan.seed, patient)
    ds.ImageComments = NOTICE
    ds.BurnedInAnnotation = "NO"
    ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 12, 11, 0
    ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = "-1024", "1", "HU"
    ds.KVP = "120"
    ds.XRayTubeCurrent = 40
    ds.ExposureTime = 500
    ds.ConvolutionKernel = "B30f"
    ds.GantryDetectorTilt = "0"
    ds.LossyImageCompression = "00"
    return ds


def _slice(scan: CtScan, header: Dataset, index: int, pixels: bytes) -> Dataset:
    ds = fork(header)
    ds.SOPInstanceUID = uid(scan.seed, scan.patient.patient_id, "CT", index)
    ds.InstanceNumber = scan.grid.shape[0] - index
    place_slice(ds, scan.grid, index)
    ds.add_new("PixelData", "OW", pixels)
    return ds
