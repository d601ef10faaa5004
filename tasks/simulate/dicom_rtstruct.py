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
from tasks.simulate.patient import Lesion, Patient

_POINTS = 48
_COLOURS = ((255, 0, 0), (0, 160, 255), (255, 200, 0), (0, 200, 80), (200, 0, 255))


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
    """

    seed: int
    patient: Patient
    grid: Geometry
    slices: list[Dataset]
    frame_numbers: tuple[int, ...] = ()


def lesion_circles(lesion: Lesion, grid: Geometry) -> list[tuple[int, float]]:
    """Slices that cut a lesion: index and radius (mm) of the cut.

    Examples
    --------
    >>> import numpy as np
    >>> grid = Geometry((3, 4, 4), np.diag([1.0, 1.0, 6.0, 1.0]))
    >>> lesion = Lesion(1, "node", (0.0, 0.0, 6.0), 10.0, 5.0, 40.0)
    >>> lesion_circles(lesion, grid)
    [(0, 8.0), (1, 10.0), (2, 8.0)]
    """
    z = grid.axis_coordinates()[0]
    squared = lesion.radius_mm**2 - (z - lesion.centre_mm[2]) ** 2
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
    ds.StructureSetROISequence = sequence(*(_roi(drawing, le) for le in patient.lesions))
    ds.ROIContourSequence = sequence(*(_contours(drawing, le) for le in patient.lesions))
    ds.RTROIObservationsSequence = sequence(*(_observation(le) for le in patient.lesions))
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


def _roi(drawing: Drawing, lesion: Lesion) -> Dataset:
    item = Dataset()
    item.ROINumber = lesion.number
    item.ReferencedFrameOfReferenceUID = drawing.slices[0].FrameOfReferenceUID
    item.ROIName = lesion.roi_name
    item.ROIGenerationAlgorithm = "MANUAL"
    return item


def _contours(drawing: Drawing, lesion: Lesion) -> Dataset:
    item = Dataset()
    item.ReferencedROINumber = lesion.number
    item.ROIDisplayColor = list(_COLOURS[(lesion.number - 1) % len(_COLOURS)])
    item.ContourSequence = sequence(
        *(
            _contour(drawing, lesion, index, radius)
            for index, radius in lesion_circles(lesion, drawing.grid)
        )
    )
    return item


def _contour(drawing: Drawing, lesion: Lesion, index: int, radius: float) -> Dataset:
    angle = np.arange(_POINTS) * (2 * math.pi / _POINTS)
    # The polygon has the area of the circle, not that of its inner polygon.
    reach = radius * math.sqrt((2 * math.pi / _POINTS) / math.sin(2 * math.pi / _POINTS))
    x, y, _ = lesion.centre_mm
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


def _observation(lesion: Lesion) -> Dataset:
    item = Dataset()
    item.ObservationNumber = lesion.number
    item.ReferencedROINumber = lesion.number
    item.RTROIInterpretedType = "GTV"
    item.ROIInterpreter = ""
    return item
