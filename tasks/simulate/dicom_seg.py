"""Simulated DICOM Segmentation with one binary segment per lesion on the PET grid."""

from __future__ import annotations

from pathlib import Path

import highdicom as hd
import numpy as np
from highdicom.sr.coding import CodedConcept
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes

from schemas.geometry import Geometry
from tasks.simulate.dicom_modules import NOTICE, add_equipment, add_patient, add_study, save
from tasks.simulate.identifiers import uid
from tasks.simulate.patient import Lesion, Patient

_ANATOMY = {
    "lung": CodedConcept("39607008", "SCT", "Lung"),
    "liver": CodedConcept("10200004", "SCT", "Liver"),
    "node": CodedConcept("59441001", "SCT", "Lymph node"),
}


def lesion_mask(lesion: Lesion, grid: Geometry) -> NDArray[np.bool_]:
    """Voxels of `grid` whose centre lies inside a lesion; (z, y, x) bool."""
    z, y, x = grid.axis_coordinates()
    cx, cy, cz = lesion.centre_mm
    squared = (
        (z - cz)[:, None, None] ** 2 + (y - cy)[None, :, None] ** 2 + (x - cx)[None, None, :] ** 2
    )
    return np.asarray(squared <= lesion.radius_mm**2)


def seg_dataset(seed: int, patient: Patient, grid: Geometry, slices: list[Dataset]) -> Dataset:
    """Segmentation of all lesions.

    Parameters
    ----------
    slices : list of Dataset
        PET slices in ascending z.
    """
    masks = np.stack([lesion_mask(le, grid) for le in patient.lesions], axis=-1)
    seg = hd.seg.Segmentation(
        source_images=slices,
        pixel_array=masks.astype(np.uint8),
        segmentation_type=hd.seg.SegmentationTypeValues.BINARY,
        segment_descriptions=[_description(le) for le in patient.lesions],
        series_instance_uid=uid(seed, patient.patient_id, "SEG"),
        series_number=21,
        sop_instance_uid=uid(seed, patient.patient_id, "SEG", 0),
        instance_number=1,
        manufacturer="SIMULATED",
        manufacturer_model_name="Segmentation workstation",
        software_versions="1.0",
        device_serial_number="SIM00001",
        content_label="LESIONS",
        content_description=NOTICE,
        series_description="Lesion segmentation (simulated)",
    )
    _make_reproducible(seg, seed, patient, slices[0])
    # The library takes over only the attributes that it knows.
    add_patient(seg, patient)
    add_study(seg, seed, patient, str(slices[0].StudyDescription))
    add_equipment(seg, patient.centre, "SIMULATED", "Segmentation workstation", "1.0")
    result: Dataset = seg
    return result


def write_seg(ds: Dataset, folder: Path) -> list[Path]:
    """Write the segmentation."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "SEG0001.dcm"
    save(ds, path)
    return [path]


def _description(lesion: Lesion) -> hd.seg.SegmentDescription:
    return hd.seg.SegmentDescription(
        segment_number=lesion.number,
        segment_label=lesion.roi_name,
        segmented_property_category=codes.SCT.MorphologicallyAbnormalStructure,
        segmented_property_type=codes.SCT.Neoplasm,
        algorithm_type=hd.seg.SegmentAlgorithmTypeValues.MANUAL,
        anatomic_regions=[_ANATOMY[lesion.nature]],
    )


def _make_reproducible(seg: Dataset, seed: int, patient: Patient, image: Dataset) -> None:
    """Replace what the library takes from the clock and from random UIDs."""
    for date, time in (
        ("ContentDate", "ContentTime"),
        ("InstanceCreationDate", "InstanceCreationTime"),
        ("SeriesDate", "SeriesTime"),
    ):
        setattr(seg, date, image.SeriesDate)
        setattr(seg, time, image.SeriesTime)
    dimension = uid(seed, patient.patient_id, "SEG", "dimension")
    for item in (*seg.DimensionOrganizationSequence, *seg.DimensionIndexSequence):
        item.DimensionOrganizationUID = dimension
    if "ContributingEquipmentSequence" in seg:
        del seg.ContributingEquipmentSequence
    seg.file_meta.ImplementationClassUID = image.file_meta.ImplementationClassUID
    seg.file_meta.ImplementationVersionName = image.file_meta.ImplementationVersionName
