"""Small DICOM images for tests of sources."""

from __future__ import annotations

import io

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

_CT = "1.2.840.10008.5.1.4.1.1.2"


def ct_instance(
    study: int,
    series: int,
    number: int,
    *,
    modality: str = "CT",
    description: str = "CT low dose",
    date: str = "20240115",
    edge: int = 4,
) -> bytes:
    """One slice as a file; the same numbers give the same UIDs."""
    data = Dataset()
    data.SOPClassUID = _CT
    data.StudyInstanceUID = f"2.25.9{study}"
    data.SeriesInstanceUID = f"2.25.9{study}.{series}"
    data.SOPInstanceUID = f"2.25.9{study}.{series}.{number}"
    data.PatientID, data.PatientName = f"P{study}", "Doe^Jane"
    data.PatientBirthDate, data.PatientSex = "19600101", "F"
    data.StudyDate = data.SeriesDate = data.AcquisitionDate = date
    data.StudyTime = data.SeriesTime = data.AcquisitionTime = "101500"
    data.StudyID, data.AccessionNumber = str(study), f"A{study}"
    data.Modality, data.SeriesDescription = modality, description
    data.Manufacturer = "Test"
    data.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    data.SeriesNumber, data.InstanceNumber = series, number
    data.FrameOfReferenceUID = f"2.25.9{study}.99"
    data.PositionReferenceIndicator = ""
    data.ImagePositionPatient = [0.0, 0.0, 3.0 * number]
    data.ImageOrientationPatient = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0]
    data.PixelSpacing, data.SliceThickness = [2.0, 2.0], 3.0
    data.Rows = data.Columns = edge
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.BitsAllocated = data.BitsStored = 16
    data.HighBit, data.PixelRepresentation = 15, 1
    data.RescaleIntercept, data.RescaleSlope, data.RescaleType = -1024, 1, "HU"
    data.PixelData = np.full((edge, edge), number, "<i2").tobytes()
    return as_file(data)


def as_file(data: Dataset) -> bytes:
    """Encode a data set as a DICOM file."""
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    stream = io.BytesIO()
    data.save_as(stream, enforce_file_format=True)
    return stream.getvalue()
