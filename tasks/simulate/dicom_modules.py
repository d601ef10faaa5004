"""Modules that all simulated DICOM objects share: patient, study, equipment, image plane.

Identifying attributes are filled with visibly invented values, so that de-identification has
something to remove.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from schemas.geometry import Geometry
from tasks.simulate.identifiers import uid
from tasks.simulate.patient import Patient
from tasks.simulate.timing import dicom_date, dicom_time

NOTICE: Final = "SIMULATED DATA, NOT A PATIENT"
_IMPLEMENTATION_UID: Final = uid("implementation")
_REFERRERS: Final = ("Fiction^Ada^^Dr", "Invented^Bruno^^Dr", "Madeup^Carla^^Dr")


def new_object(sop_class_uid: str, *, implicit_vr: bool = False) -> Dataset:
    """Empty data set with file meta information; `save` fills in the instance."""
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.FileMetaInformationVersion = b"\x00\x01"
    ds.file_meta.MediaStorageSOPClassUID = sop_class_uid  # type: ignore[assignment]
    ds.file_meta.TransferSyntaxUID = (
        ImplicitVRLittleEndian if implicit_vr else ExplicitVRLittleEndian
    )
    ds.file_meta.ImplementationClassUID = _IMPLEMENTATION_UID  # type: ignore[assignment]
    ds.file_meta.ImplementationVersionName = "TRACERLAKE_SIM"
    ds.SOPClassUID = sop_class_uid
    ds.SpecificCharacterSet = "ISO_IR 100"
    return ds


def save(ds: Dataset, path: Path) -> None:
    """Write `ds` as a DICOM file; the same data set always gives the same bytes."""
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    ds.save_as(path, enforce_file_format=True)


def fork(header: Dataset) -> Dataset:
    """Return a data set with the elements of `header`, to add those of one slice.

    The elements are shared: add new ones, but never change one that the header has.
    """
    ds = Dataset()
    ds.update(header)
    ds.file_meta = header.file_meta
    return ds


def code(value: str, scheme: str, meaning: str) -> Dataset:
    """Coded entry (PS3.3 section 8)."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def sequence(*items: Dataset) -> Sequence:
    """Sequence of items."""
    return Sequence(items)


def add_patient(ds: Dataset, patient: Patient) -> None:
    """Patient and Patient Study modules (PS3.3 C.7.1.1, C.7.2.2)."""
    ds.PatientName = f"SIM^{patient.centre}-{patient.number:03d}"
    ds.PatientID = patient.patient_id
    ds.PatientBirthDate = dicom_date(patient.birth_date)
    ds.PatientSex = patient.sex
    ds.OtherPatientIDs = f"SIMCASE{patient.centre}{patient.number:05d}"
    ds.PatientAddress = f"{patient.number} Invented Street, 00000 Nowhere"
    ds.PatientTelephoneNumbers = f"+00 000 {patient.number:07d}"
    ds.PatientComments = NOTICE
    ds.PatientAge = f"{patient.age_years:03d}Y"
    ds.PatientSize = f"{patient.height_m:.2f}"
    ds.PatientWeight = f"{patient.weight_kg:.1f}"


def study_uid(seed: int, patient: Patient) -> str:
    """Study that all objects of a patient belong to."""
    return uid(seed, patient.patient_id, "study")


def frame_of_reference_uid(seed: int, patient: Patient) -> str:
    """Frame of reference that emission image, CT and contours share."""
    return uid(seed, patient.patient_id, "frame-of-reference")


def add_study(ds: Dataset, seed: int, patient: Patient, description: str) -> None:
    """General Study module (PS3.3 C.7.2.1)."""
    start = patient.study_start
    ds.StudyInstanceUID = study_uid(seed, patient)
    ds.StudyDate, ds.StudyTime = dicom_date(start), dicom_time(start, 0)
    ds.StudyID = f"{patient.number:04d}"
    ds.AccessionNumber = f"SIM{patient.centre}{start:%y%m%d}{patient.number:03d}"
    ds.ReferringPhysicianName = _REFERRERS[patient.number % len(_REFERRERS)]
    ds.StudyDescription = description


def add_equipment(ds: Dataset, centre: str, manufacturer: str, model: str, software: str) -> None:
    """General Equipment module (PS3.3 C.7.5.1)."""
    ds.Manufacturer = manufacturer
    ds.ManufacturerModelName = model
    ds.SoftwareVersions = software
    ds.InstitutionName = f"Simulated Centre {centre}"
    ds.InstitutionAddress = f"1 Simulation Square, 00000 Nowhere {centre}"
    ds.InstitutionalDepartmentName = "Department of Simulated Medicine"
    ds.StationName = f"SIMSTATION{centre}"
    ds.DeviceSerialNumber = f"SIM{ord(centre):05d}"
    ds.OperatorsName = "Kurbelmann^Ottokar"
    ds.PerformingPhysicianName = "Zwirnemann^Ottokar^^Dr"


def add_plane(ds: Dataset, grid: Geometry) -> None:
    """Add what is the same in all axial slices of `grid` (PS3.3 C.7.6.2, C.7.6.3)."""
    z, y, x = grid.spacing
    ds.PatientPosition = "HFS"
    ds.ImageOrientationPatient = ["1", "0", "0", "0", "1", "0"]
    ds.PixelSpacing = [f"{y:.8g}", f"{x:.8g}"]
    ds.SliceThickness = f"{z:.8g}"
    ds.PositionReferenceIndicator = ""
    ds.SamplesPerPixel = 1
    ds.PhotometricInterpretation = "MONOCHROME2"
    ds.Rows, ds.Columns = grid.shape[1], grid.shape[2]
    ds.BitsAllocated = 16


def add_head_first_supine(ds: Dataset) -> None:
    """NM/PET Patient Orientation module (PS3.3 C.8.4.6)."""
    orientation = code("F-10450", "SRT", "recumbent")
    orientation.PatientOrientationModifierCodeSequence = sequence(code("F-10340", "SRT", "supine"))
    ds.PatientOrientationCodeSequence = sequence(orientation)
    ds.PatientGantryRelationshipCodeSequence = sequence(code("F-10470", "SRT", "headfirst"))


def place_slice(ds: Dataset, grid: Geometry, index: int) -> None:
    """Position of slice `index` (ascending z)."""
    x, y, z = (float(v) for v in grid.affine[:3, 3])
    z += index * float(grid.affine[2, 2])
    ds.ImagePositionPatient = [f"{x:.4f}", f"{y:.4f}", f"{z:.4f}"]
    ds.SliceLocation = f"{z:.4f}"


def reference(ds: Dataset) -> Dataset:
    """Make a reference item to an instance."""
    item = Dataset()
    item.ReferencedSOPClassUID = ds.SOPClassUID
    item.ReferencedSOPInstanceUID = ds.SOPInstanceUID
    return item
