"""Small DICOM objects made by hand, and a reader that holds them in memory."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence as DicomSequence
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from schemas.records import ConvertedSeries, ObjectRef, ScannedObject
from tasks.deidentify.pseudonyms import Pseudonymiser, Pseudonyms
from tasks.dicom.grouping import group_series
from tasks.dicom.kinds import NM_IMAGE, PET_IMAGE, RT_STRUCTURE_SET, SEGMENTATION
from tasks.dicom.scan import HeaderScanner
from tasks.ingest.convert import Limits, convert_series

SECRET = b"only for tests, never for patients"
AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
SERIES = "1.2.826.0.1.3680043.8.498.1"


class MemoryReader:
    """Objects by URI."""

    def __init__(self, objects: Mapping[str, bytes]) -> None:
        self.objects = objects

    def read(self, uri: str, max_bytes: int) -> bytes:
        return self.objects[uri][:max_bytes]

    def read_head(self, uri: str, n_bytes: int) -> bytes:
        return self.objects[uri][:n_bytes]


def to_bytes(ds: Dataset, syntax: str = ExplicitVRLittleEndian) -> bytes:
    """Write a data set as a file; its own transfer syntax wins if it has one."""
    ds = Dataset(ds) if not hasattr(ds, "file_meta") else ds
    meta = getattr(ds, "file_meta", None) or FileMetaDataset()
    if "TransferSyntaxUID" not in meta:
        meta.TransferSyntaxUID = syntax
    meta.MediaStorageSOPClassUID = ds.get("SOPClassUID", "1.2")
    meta.MediaStorageSOPInstanceUID = ds.get("SOPInstanceUID", "1.2")
    ds.file_meta = meta
    buffer = io.BytesIO()
    ds.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def implicit_bytes(ds: Dataset) -> bytes:
    """Write a data set in implicit VR."""
    return to_bytes(ds, ImplicitVRLittleEndian)


def common(sop_class: str, modality: str, number: int, series: str = SERIES) -> Dataset:
    """Attributes that every object has."""
    ds = Dataset()
    ds.SOPClassUID = sop_class
    ds.SOPInstanceUID = f"{series}.{number}"
    ds.StudyInstanceUID = "1.2.826.0.1.3680043.8.498.9"
    ds.SeriesInstanceUID = series
    ds.FrameOfReferenceUID = "1.2.826.0.1.3680043.8.498.7"
    ds.Modality = modality
    ds.PatientName = "Mustermann^Erika"
    ds.PatientID = "4711"
    ds.PatientSex = "F"
    ds.PatientAge = "052Y"
    ds.PatientWeight = "70"
    ds.PatientSize = "1.7"
    ds.InstitutionName = "Klinikum Nord"
    ds.StudyDate = ds.SeriesDate = ds.AcquisitionDate = "20240105"
    ds.StudyTime, ds.SeriesTime, ds.AcquisitionTime = "095500", "101000", "101000"
    ds.Manufacturer, ds.ManufacturerModelName = "SIEMENS", "Biograph"
    ds.SeriesDescription = "PET WB AC Mustermann"
    return ds


def set_pixels(ds: Dataset, stored: NDArray[Any]) -> Dataset:
    """Give a data set pixels (y, x) or (frame, y, x)."""
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.Rows, ds.Columns = stored.shape[-2:]
    ds.BitsAllocated = ds.BitsStored = stored.dtype.itemsize * 8
    ds.HighBit = ds.BitsStored - 1
    ds.PixelRepresentation = int(stored.dtype.kind == "i")
    data = stored.tobytes()
    ds.PixelData = data + b"\0" * (len(data) % 2)
    ds["PixelData"].VR = "OW" if stored.dtype.itemsize > 1 else "OB"
    return ds


def pet_slice(
    number: int,
    stored: NDArray[Any],
    position: Sequence[float],
    *,
    orientation: Sequence[float] = AXIAL,
    pixel_spacing: Sequence[float] = (4.0, 4.0),
    slope: float = 2.0,
    series: str = SERIES,
) -> Dataset:
    """One slice of a quantitative FDG PET: 100 MBq, injected 1 h before the scan, START."""
    ds = common(PET_IMAGE, "PT", number, series)
    ds.ImageType = ["ORIGINAL", "PRIMARY"]
    ds.ImagePositionPatient = [f"{v:.9g}" for v in position]
    ds.ImageOrientationPatient = [f"{v:.9g}" for v in orientation]
    ds.PixelSpacing = [f"{v:.9g}" for v in pixel_spacing]
    ds.SliceThickness = "3"
    ds.InstanceNumber = str(number)
    ds.RescaleSlope, ds.RescaleIntercept = f"{slope:.9g}", "0"
    ds.Units, ds.DecayCorrection = "BQML", "START"
    ds.CorrectedImage = ["DECY", "ATTN", "SCAT"]
    ds.SeriesType = ["WHOLE BODY", "IMAGE"]
    ds.ActualFrameDuration, ds.FrameReferenceTime = "120000", "0"
    item = Dataset()
    item.Radiopharmaceutical = "Fluorodeoxyglucose"
    item.RadiopharmaceuticalStartTime = "091000"
    item.RadionuclideTotalDose, item.RadionuclideHalfLife = "100000000", "6586.2"
    ds.RadiopharmaceuticalInformationSequence = DicomSequence([item])
    return set_pixels(ds, stored)


def pet_series(
    n_slices: int = 5, rows: int = 6, columns: int = 4, spacing: float = 3.0, **options: Any
) -> list[Dataset]:
    """Axial slices with distinct stored values, slope 2 + slice number / 8."""
    first = np.arange(rows * columns, dtype=np.int16).reshape(rows, columns)
    return [
        pet_slice(
            i + 1, first + np.int16(100 * i), (-10.0, -20.0, -300.0 + spacing * i),
            slope=2 + i / 8, **options,
        )
        for i in range(n_slices)
    ]  # fmt: skip


def nm_tomogram(stored: NDArray[Any], distance: float = 4.0) -> Dataset:
    """Reconstructed SPECT in one object; first frame at z = 100 mm."""
    ds = common(NM_IMAGE, "NM", 1)
    ds.ImageType = ["ORIGINAL", "PRIMARY", "RECON TOMO", "EMISSION"]
    ds.NumberOfFrames = len(stored)
    ds.NumberOfSlices = len(stored)
    ds.FrameIncrementPointer = 0x00540080
    ds.SliceVector = [i + 1 for i in range(len(stored))]
    ds.PixelSpacing = ["5", "4.5"]
    ds.SpacingBetweenSlices = str(distance)
    detector = Dataset()
    detector.ImagePositionPatient = ["-50", "-60", "100"]
    detector.ImageOrientationPatient = [str(v) for v in AXIAL]
    ds.DetectorInformationSequence = DicomSequence([detector])
    item = Dataset()
    item.Radiopharmaceutical = "Lu-177 DOTATATE"
    ds.RadiopharmaceuticalInformationSequence = DicomSequence([item])
    return set_pixels(ds, stored)


def structure_set(contours: Mapping[str, Sequence[Sequence[float]]]) -> Dataset:
    """RTSTRUCT on the series of `pet_series`, one region per name."""
    ds = common(RT_STRUCTURE_SET, "RTSTRUCT", 1, SERIES + ".77")
    series, study, frame = Dataset(), Dataset(), Dataset()
    series.SeriesInstanceUID = SERIES
    study.RTReferencedSeriesSequence = DicomSequence([series])
    frame.FrameOfReferenceUID = ds.FrameOfReferenceUID
    del ds.FrameOfReferenceUID
    frame.RTReferencedStudySequence = DicomSequence([study])
    ds.ReferencedFrameOfReferenceSequence = DicomSequence([frame])
    described, drawn = [], []
    for number, (name, region) in enumerate(contours.items(), start=1):
        roi, lines = Dataset(), Dataset()
        roi.ROINumber, roi.ROIName = number, name
        roi.ReferencedFrameOfReferenceUID = frame.FrameOfReferenceUID
        lines.ReferencedROINumber = number
        lines.ContourSequence = DicomSequence([_contour(points) for points in region])
        described.append(roi)
        drawn.append(lines)
    ds.StructureSetROISequence = DicomSequence(described)
    ds.ROIContourSequence = DicomSequence(drawn)
    return ds


def _contour(points: Sequence[float]) -> Dataset:
    item = Dataset()
    item.ContourGeometricType = "CLOSED_PLANAR"
    item.NumberOfContourPoints = len(points) // 3
    item.ContourData = [f"{v:g}" for v in points]
    return item


def segmentation(
    frames: Sequence[tuple[int, float, NDArray[np.bool_]]],
    labels: Sequence[str],
    *,
    kind: str = "BINARY",
    distance: float | None = 3.0,
) -> Dataset:
    """SEG with frames (segment number, z, mask) on axial planes of 4 mm pixels."""
    ds = common(SEGMENTATION, "SEG", 1, SERIES + ".88")
    ds.ImageType = ["DERIVED", "PRIMARY"]
    reference = Dataset()
    reference.SeriesInstanceUID = SERIES
    ds.ReferencedSeriesSequence = DicomSequence([reference])
    ds.SegmentationType = kind
    ds.SegmentSequence = DicomSequence(
        [_segment(number, label) for number, label in enumerate(labels, start=1)]
    )
    ds.NumberOfFrames = len(frames)
    measures, orientation, shared = Dataset(), Dataset(), Dataset()
    measures.PixelSpacing = ["4", "4"]
    if distance is not None:
        measures.SpacingBetweenSlices = str(distance)
    orientation.ImageOrientationPatient = [str(v) for v in AXIAL]
    shared.PixelMeasuresSequence = DicomSequence([measures])
    shared.PlaneOrientationSequence = DicomSequence([orientation])
    ds.SharedFunctionalGroupsSequence = DicomSequence([shared])
    ds.PerFrameFunctionalGroupsSequence = DicomSequence([_frame(n, z) for n, z, _ in frames])
    stack = np.stack([mask for _, _, mask in frames])
    if kind == "FRACTIONAL":
        ds.MaximumFractionalValue, ds.SegmentationFractionalType = 200, "PROBABILITY"
        return set_pixels(ds, stack.astype(np.uint8))
    set_pixels(ds, stack.astype(np.uint8))
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = 1, 1, 0
    packed = np.packbits(stack.ravel(), bitorder="little").tobytes()
    ds.PixelData = packed + b"\0" * (len(packed) % 2)
    return ds


def _segment(number: int, label: str) -> Dataset:
    segment, code = Dataset(), Dataset()
    segment.SegmentNumber, segment.SegmentLabel = number, label
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "108369006", "SCT", "Neoplasm"
    segment.SegmentedPropertyTypeCodeSequence = DicomSequence([code])
    return segment


def _frame(number: int, z: float) -> Dataset:
    position, segment, frame = Dataset(), Dataset(), Dataset()
    position.ImagePositionPatient = ["-10", "-20", f"{z:g}"]
    segment.ReferencedSegmentNumber = number
    frame.PlanePositionSequence = DicomSequence([position])
    frame.SegmentIdentificationSequence = DicomSequence([segment])
    return frame


def scan_all(contents: Sequence[bytes]) -> tuple[list[ScannedObject], MemoryReader]:
    """Scan objects; they are named 000, 001 ... in the order given."""
    reader = MemoryReader({f"file:///in/{i:03d}": data for i, data in enumerate(contents)})
    refs = [ObjectRef(uri, len(data), 1) for uri, data in reader.objects.items()]
    scanner = HeaderScanner(reader)
    return [scanner.scan(ref) for ref in refs], reader


def convert_all(
    objects: Iterable[Dataset | bytes],
    *,
    pseudonymiser: Pseudonyms | None = None,
    limits: Limits | None = None,
    deidentify: bool = True,
    default_issuer: str = "",
) -> list[ConvertedSeries]:
    """Scan, group and convert objects."""
    contents = [o if isinstance(o, bytes) else to_bytes(o) for o in objects]
    scanned, reader = scan_all(contents)
    return [
        convert_series(
            replace(group, default_issuer=default_issuer),
            reader=reader,
            pseudonymiser=pseudonymiser or Pseudonymiser(SECRET),
            limits=limits or Limits(),
            deidentify=deidentify,
        )
        for group in group_series(scanned)
    ]


def outcomes(converted: ConvertedSeries) -> dict[str, str]:
    """Outcome, or reason, of each object by its place."""
    return {
        str(row["file_key"]): str(row["reason_code"] or row["outcome"])
        for row in converted.rows["files"]
    }


def reasons(converted: ConvertedSeries) -> list[str]:
    """Outcome, or reason, of each object, sorted."""
    return sorted(outcomes(converted).values())
