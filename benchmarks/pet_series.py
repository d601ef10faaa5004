"""One static PET series as DICOM files: a noisy body phantom with a slope of its own per slice."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import UID, ExplicitVRLittleEndian, PositronEmissionTomographyImageStorage

_ROOT = "2.25.20030619"
_SPACING_MM = 4.0


def phantom_bqml(slices: int, size: int, seed: int = 0) -> NDArray[np.float32]:
    """Return a warm ellipse with hot spheres and noise, ``(slices, size, size)`` float32, Bq/ml."""
    rng = np.random.default_rng(seed)
    z, y, x = np.ogrid[:slices, :size, :size]
    middle = (size - 1) / 2
    body = ((y - middle) / (0.3 * size)) ** 2 + ((x - middle) / (0.42 * size)) ** 2 < 1
    mean = np.where(body, 5e3 * (1 + 0.3 * np.sin(z / 15)), 20.0).astype(np.float32)
    for _ in range(12):
        centre = rng.uniform([0, 0.35 * size, 0.25 * size], [slices, 0.65 * size, 0.75 * size])
        distance2 = (z - centre[0]) ** 2 + (y - centre[1]) ** 2 + (x - centre[2]) ** 2
        mean[distance2 < rng.uniform(4, 30)] = 4e4
    noise = rng.standard_normal(mean.shape, dtype=np.float32)
    return np.clip(mean + 0.15 * mean * noise, 0, None)


def write_series(folder: Path, slices: int = 300, size: int = 200) -> NDArray[np.int16]:
    """Write the series, one file a slice; returns the stored values, ``(z, y, x)`` int16."""
    folder.mkdir(parents=True, exist_ok=True)
    values = phantom_bqml(slices, size)
    # decimal strings have 16 characters: the slope that counts is the one that is written
    slopes = [f"{max(float(v.max()), 1.0) / 32767:.10g}" for v in values]
    stored = np.empty(values.shape, dtype=np.int16)
    for index, slope in enumerate(slopes):
        stored[index] = np.clip(np.rint(values[index] / float(slope)), 0, 32767)
        dataset = _header(slices, size)
        _place(dataset, index, slices)
        dataset.RescaleSlope = slope
        dataset.LargestImagePixelValue = int(stored[index].max())
        dataset["LargestImagePixelValue"].VR = "SS"
        dataset.PixelData = stored[index].tobytes()
        dataset.save_as(folder / f"{index + 1:04d}.dcm", enforce_file_format=True)
    return stored


def _header(slices: int, size: int) -> Dataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = PositronEmissionTomographyImageStorage
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds = Dataset()
    ds.file_meta = meta
    ds.SpecificCharacterSet = "ISO_IR 100"
    ds.SOPClassUID = PositronEmissionTomographyImageStorage
    ds.ImageType = ["ORIGINAL", "PRIMARY"]
    ds.PatientName, ds.PatientID, ds.PatientSex = "Phantom^Benchmark", "BENCH-1", "M"
    ds.PatientBirthDate, ds.PatientWeight, ds.PatientSize = "19600101", "75", "1.78"
    ds.StudyInstanceUID, ds.SeriesInstanceUID = UID(f"{_ROOT}.1"), UID(f"{_ROOT}.1.1")
    ds.FrameOfReferenceUID, ds.PositionReferenceIndicator = UID(f"{_ROOT}.2"), ""
    for kind in ("Study", "Series", "Acquisition", "Content"):
        setattr(ds, f"{kind}Date", "20240311")
        setattr(ds, f"{kind}Time", "101500")
    ds.Modality, ds.Manufacturer, ds.ManufacturerModelName = "PT", "SIEMENS", "Biograph64"
    ds.InstitutionName, ds.StudyDescription, ds.SeriesDescription = "A", "PET", "PET WB AC"
    ds.AccessionNumber, ds.ReferringPhysicianName, ds.StudyID = "", "", "1"
    ds.SeriesNumber, ds.PatientPosition, ds.NumberOfSlices = 1, "HFS", slices
    _add_pet(ds)
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.Rows, ds.Columns = size, size
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 16, 15, 1
    ds.PixelSpacing = [_SPACING_MM, _SPACING_MM]
    ds.SliceThickness, ds.ImageOrientationPatient = _SPACING_MM, [1, 0, 0, 0, 1, 0]
    ds.RescaleIntercept = "0"
    return ds


def _add_pet(ds: Dataset) -> None:
    ds.Units, ds.CountsSource, ds.SeriesType = "BQML", "EMISSION", ["WHOLE BODY", "IMAGE"]
    ds.CorrectedImage = ["NORM", "DTIM", "ATTN", "SCAT", "DECY", "RAN"]
    ds.DecayCorrection, ds.AttenuationCorrectionMethod = "START", "measured,AC CT"
    ds.CollimatorType, ds.ReconstructionMethod = "NONE", "PSF+TOF 2i21s"
    ds.ActualFrameDuration, ds.FrameReferenceTime, ds.DecayFactor = 120000, 59241.2, "1.00626"
    nuclide = Dataset()
    nuclide.CodeValue, nuclide.CodingSchemeDesignator = "C-111A1", "SRT"
    nuclide.CodeMeaning = "^18^Fluorine"
    tracer = Dataset()
    tracer.Radiopharmaceutical = "FDG"
    tracer.RadiopharmaceuticalStartTime = "091500"
    tracer.RadiopharmaceuticalStartDateTime = "20240311091500"
    tracer.RadionuclideTotalDose, tracer.RadionuclideHalfLife = "3.1E8", "6586.2"
    tracer.RadionuclidePositronFraction = "0.967"
    tracer.RadionuclideCodeSequence = Sequence([nuclide])
    ds.RadiopharmaceuticalInformationSequence = Sequence([tracer])


def _place(ds: Dataset, index: int, slices: int) -> None:
    ds.SOPInstanceUID = UID(f"{_ROOT}.1.1.{index + 1}")
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    ds.InstanceNumber, ds.ImageIndex = index + 1, index + 1
    z = (index - slices / 2) * _SPACING_MM
    corner = -_SPACING_MM * (ds.Rows - 1) / 2
    ds.ImagePositionPatient, ds.SliceLocation = [corner, corner, z], z
