"""Simulated RT Structure Set with one ROI per lesion, drawn on the emission image."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import RTStructureSetStorage

from schemas.geometry import Geometry
from tasks.simulate.dicom_modules import (
    NOTICE,
    add_equipment,
    add_patient,
    add_study,
    frame_of_reference_uid,
    new_object,
    reference,
    save,
    sequence,
)
from tasks.simulate.identifiers import uid
from tasks.simulate.patient import Patient

_POINTS = 48
_COLOURS = ((255, 0, 0), (0, 160, 255), (255, 200, 0), (0, 200, 80), (200, 0, 255))


@dataclass(frozen=True, slots=True)
class Region:
    """A sphere to draw, or a cylinder along z.

    Parameters
    ----------
    half_length_mm : float or None
        Of a cylinder; None for a sphere.
    """

    number: int
    roi_name: str
    centre_mm: tuple[float, float, float]
    radius_mm: float
    half_length_mm: float | None = None


@dataclass(frozen=True)
class Drawing:
    """What the contours are drawn on.

    Parameters
    ----------
    grid : Geometry
        Grid of the image.
    slices : list of Dataset
        Slice images in ascending z, or the one multi-frame image.
    frame_numbers : tuple of int
        Frame of each slice of `grid` in a multi-frame image; empty for single slices.
    regions : tuple of Region
        What is drawn; empty: the patient's lesions.
    """

    seed: int
    patient: Patient
    grid: Geometry
    slices: list[Dataset]
    frame_numbers: tuple[int, ...] = ()
    regions: tuple[Region, ...] = ()

    @property
    def drawn(self) -> tuple[Region, ...]:
        """What is drawn."""
        return self.regions or tuple(
            Region(le.number, le.roi_name, le.centre_mm, le.radius_mm)
            for le in self.patient.lesions
        )


def circles(region: Region, grid: Geometry) -> list[tuple[int, float]]:
    """Slices that cut a region: index and radius (mm) of the cut.

    Examples
    --------
    >>> import numpy as np
    >>> grid = Geometry((3, 4, 4), np.diag([1.0, 1.0, 6.0, 1.0]))
    >>> circles(Region(1, "node", (0.0, 0.0, 6.0), 10.0), grid)
    [(0, 8.0), (1, 10.0), (2, 8.0)]
    """
    above = grid.axis_coordinates()[0] - region.centre_mm[2]
    if region.half_length_mm is not None:
        inside = np.nonzero(np.abs(above) <= region.half_length_mm)[0]
        return [(int(i), region.radius_mm) for i in inside]
    squared = region.radius_mm**2 - above**2
    return [(int(i), math.sqrt(squared[i])) for i in np.nonzero(squared > 0.25)[0]]


def rtstruct_dataset(drawing: Drawing) -> Dataset:
    """Structure set that refers to the emission image of `drawing`."""
    patient, image = drawing.patient, drawing.slices[0]
    ds = new_object(RTStructureSetStorage)
    add_patient(ds, patient)
    add_study(ds, drawing.seed, patient, str(image.StudyDescription))
    add_equipment(ds, patient.centre, "SIMULATED", "Contouring workstation", "1.0")
    ds.Modality = "RTSTRUCT"
    ds.SOPInstanceUID = uid(drawing.seed, patient.patient_id, "RTSTRUCT", 0)
    ds.SeriesInstanceUID = uid(drawing.seed, patient.patient_id, "RTSTRUCT")
    ds.SeriesNumber = 20
    ds.SeriesDescription = "Lesion contours (simulated)"
    ds.SeriesDate, ds.SeriesTime = image.SeriesDate, image.SeriesTime
    ds.InstanceNumber = 1
    ds.StructureSetLabel = "LESIONS"
    ds.StructureSetDescription = NOTICE
    ds.StructureSetDate, ds.StructureSetTime = image.SeriesDate, image.SeriesTime
    ds.ApprovalStatus = "UNAPPROVED"
    ds.FrameOfReferenceUID = frame_of_reference_uid(drawing.seed, patient)
    ds.PositionReferenceIndicator = ""
    ds.ReferencedFrameOfReferenceSequence = sequence(_referenced_frame(drawing))
    ds.StructureSetROISequence = sequence(*(_roi(drawing, r) for r in drawing.drawn))
    ds.ROIContourSequence = sequence(*(_contours(drawing, r) for r in drawing.drawn))
    ds.RTROIObservationsSequence = sequence(*(_observation(r) for r in drawing.drawn))
    return ds


def write_rtstruct(ds: Dataset, folder: Path) -> list[Path]:
    """Write the structure set."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "RS0001.dcm"
    save(ds, path)
    return [path]


def _referenced_frame(drawing: Drawing) -> Dataset:
    series = Dataset()
    series.SeriesInstanceUID = drawing.slices[0].SeriesInstanceUID
    series.ContourImageSequence = sequence(*(reference(ds) for ds in drawing.slices))
    study = Dataset()
    study.ReferencedSOPClassUID = "1.2.840.10008.3.1.2.3.1"  # Detached Study Management, as usual
    study.ReferencedSOPInstanceUID = drawing.slices[0].StudyInstanceUID
    study.RTReferencedSeriesSequence = sequence(series)
    frame = Dataset()
    frame.FrameOfReferenceUID = drawing.slices[0].FrameOfReferenceUID
    frame.RTReferencedStudySequence = sequence(study)
    return frame


def _roi(drawing: Drawing, region: Region) -> Dataset:
    item = Dataset()
    item.ROINumber = region.number
    item.ReferencedFrameOfReferenceUID = drawing.slices[0].FrameOfReferenceUID
    item.ROIName = region.roi_name
    item.ROIGenerationAlgorithm = "MANUAL"
    return item


def _contours(drawing: Drawing, region: Region) -> Dataset:
    item = Dataset()
    item.ReferencedROINumber = region.number
    item.ROIDisplayColor = list(_COLOURS[(region.number - 1) % len(_COLOURS)])
    item.ContourSequence = sequence(
        *(
            _contour(drawing, region, index, radius)
            for index, radius in circles(region, drawing.grid)
        )
    )
    return item


def _contour(drawing: Drawing, region: Region, index: int, radius: float) -> Dataset:
    angle = np.arange(_POINTS) * (2 * math.pi / _POINTS)
    # The polygon has the area of the circle, not that of its inner polygon.
    reach = radius * math.sqrt((2 * math.pi / _POINTS) / math.sin(2 * math.pi / _POINTS))
    x, y, _ = region.centre_mm
    z = float(drawing.grid.axis_coordinates()[0][index])
    item = Dataset()
    image = reference(drawing.slices[0 if drawing.frame_numbers else index])
    if drawing.frame_numbers:
        image.ReferencedFrameNumber = drawing.frame_numbers[index]
    item.ContourImageSequence = sequence(image)
    item.ContourGeometricType = "CLOSED_PLANAR"
    item.NumberOfContourPoints = _POINTS
    item.ContourData = [
        text
        for a in angle
        for text in (
            f"{x + reach * math.cos(a):.3f}",
            f"{y + reach * math.sin(a):.3f}",
            f"{z:.4f}",
        )
    ]
    return item


def _observation(region: Region) -> Dataset:
    item = Dataset()
    item.ObservationNumber = region.number
    item.ReferencedROINumber = region.number
    item.RTROIInterpretedType = "GTV"
    item.ROIInterpreter = ""
    return item
