"""Simulated objects with identifiers planted wherever a vendor or a person could have put one.

Every planted word holds `MARK`, so that it cannot occur anywhere by chance.
"""

from __future__ import annotations

import copy
import io
import warnings
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Final

import pydicom
from pydicom.config import IGNORE
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileDataset
from pydicom.sequence import Sequence
from pydicom.tag import Tag

#: Part of every planted word, in any character set.
MARK: Final = "qxzjq7"
#: In the patient's names and numbers, so that the identity filter can know it.
KNOWN: Final = f"Zwiebel{MARK}"
#: Nowhere in the elements that name people: only an allow-list can keep it out.
STRAY: Final = f"Kuckuck{MARK}"
BIRTH_DATE: Final = "19210307"

_NAMES: Final = {
    "ISO_IR 100": f"{KNOWN}^Zürafin{MARK}",
    "ISO_IR 144": f"{KNOWN}^Людмила{MARK}",
    "ISO_IR 192": f"{KNOWN}^Łucja{MARK}",
    "\\ISO 2022 IR 87": f"{KNOWN}^Tarou{MARK}=山田^太郎{MARK}=やまだ^たろう{MARK}",
}

_TEXTS: Final = {
    "OtherPatientNames": f"{KNOWN}^Geborene{MARK}", "PatientBirthName": f"{KNOWN}^Alt{MARK}",
    "PatientAddress": f"{KNOWN} 12", "PatientTelephoneNumbers": f"0815{MARK}",
    "PatientComments": f"said {STRAY} on 7.3.21", "ImageComments": STRAY,
    "AdditionalPatientHistory": f"history of {STRAY}", "Occupation": STRAY,
    "AccessionNumber": f"AC{MARK}4711", "StudyID": f"ST{MARK}", "AdmissionID": f"AD{MARK}",
    "ReferringPhysicianName": f"Hackebeil{MARK}^Hubert", "OperatorsName": f"Kurbel{MARK}",
    "PerformingPhysicianName": f"Pinsel{MARK}", "InstitutionAddress": f"Gasse{MARK} 3",
    "InstitutionalDepartmentName": f"Station{MARK}", "StationName": f"PETCT{MARK}",
    "DeviceSerialNumber": f"SN{MARK}0001", "IssuerOfPatientID": f"Klinik{MARK}",
    "StudyDescription": f"PET WB {STRAY}", "SeriesDescription": f"PET WB AC {STRAY} 3/21",
    "ProtocolName": f"PET {STRAY}", "RequestedProcedureDescription": f"for {STRAY}",
    "ReconstructionMethod": f"OSEM3D 2i21s {STRAY}", "ConvolutionKernel": f"Gauss 5 {STRAY}",
    "AttenuationCorrectionMethod": f"measured {STRAY}", "ScatterCorrectionMethod": STRAY,
    "FilterType": STRAY, "DerivationDescription": f"by {STRAY}", "TextComments": STRAY,
    "BodyPartExamined": STRAY.upper(), "PatientPosition": STRAY.upper(), "ScanOptions": STRAY,
    "ManufacturerModelName": f"Biograph {KNOWN}", "SoftwareVersions": f"VG70 {KNOWN}",
    "CollimatorGridName": STRAY, "RequestingService": KNOWN, "PatientSex": STRAY.upper(),
    "RandomsCorrectionMethod": STRAY.upper(), "CountsSource": STRAY.upper(),
    "SpecialNeeds": STRAY, "ContentCreatorName": f"{KNOWN}^C", "MedicalAlerts": STRAY,
    "Laterality": STRAY.upper(), "ContrastBolusAgent": f"Iod {STRAY}",
    "StructureSetLabel": STRAY, "StructureSetName": STRAY, "ContentLabel": STRAY.upper(),
    "ContentDescription": STRAY, "RescaleType": STRAY, "PresentationLUTShape": STRAY.upper(),
}  # fmt: skip
#: Texts deep inside: keyword of the text anywhere in the object.
_INNER: Final = {
    "CodeMeaning": f"Fluorine {STRAY}", "ROIName": f"GTV {STRAY}", "SegmentLabel": f"GTV {STRAY}",
    "ROIObservationLabel": STRAY, "SegmentDescription": STRAY, "ROIDescription": STRAY,
    "Radiopharmaceutical": f"FDG {STRAY}", "ROIInterpreter": f"{KNOWN}^R",
    "SegmentAlgorithmName": STRAY, "EnergyWindowName": STRAY,
}  # fmt: skip
#: Values that their representation does not allow, one for each spoilt copy of an object.
_SPOILT: Final = {
    "RescaleSlope": STRAY, "PixelSpacing": STRAY, "ImagePositionPatient": f"1\\2\\{STRAY}",
    "ImageOrientationPatient": STRAY, "SliceThickness": STRAY, "NumberOfFrames": STRAY,
    "PatientWeight": STRAY, "PatientAge": STRAY, "StudyDate": STRAY, "AcquisitionTime": STRAY,
    "Units": STRAY.upper(), "DecayCorrection": STRAY.upper(), "CorrectedImage": STRAY.upper(),
    "InstanceNumber": STRAY, "PhotometricInterpretation": STRAY.upper(), "SeriesType": STRAY,
    "SOPClassUID": "1.2.826.0.1.4711.77777", "Modality": STRAY.upper(), "ImageType": STRAY.upper(),
    "SamplesPerPixel": f"Kuckuck{MARK} ".encode(), "Rows": b"qx", "PixelRepresentation": b"qx",
    "DoseCalibrationFactor": STRAY, "ActualFrameDuration": STRAY, "TimezoneOffsetFromUTC": STRAY,
}  # fmt: skip


def set_raw(ds: Dataset, keyword: str, value: object) -> None:
    """Set a value whatever its representation allows."""
    tag = tag_for_keyword(keyword)
    assert tag is not None
    vr = dictionary_VR(tag).split(" or ")[0]
    if isinstance(value, bytes):
        vr = "OB"
    elif vr in {"US", "DS", "IS"} and isinstance(value, str):
        vr = "LO"
    ds[tag] = DataElement(tag, vr, value, validation_mode=IGNORE)


def plant(ds: FileDataset, character_set: str) -> None:
    """Plant identifiers in an object: texts, private elements, sequences, overlays, curves."""
    ds.SpecificCharacterSet = character_set.split("\\")
    set_raw(ds, "PatientName", _NAMES[character_set])
    ds.PatientBirthDate = BIRTH_DATE
    ds.PatientID = f"{KNOWN}-{ds.PatientID}"
    for keyword, text in _TEXTS.items():
        if keyword in ds or dictionary_VR(keyword) != "CS":
            set_raw(ds, keyword, text)
    for _ in _inside(ds):
        pass
    _plant_private(ds)
    _plant_deep(ds)
    _plant_groups(ds)
    ds.preamble = f"{STRAY} in the preamble".encode().ljust(128, b"\0")


def _inside(ds: Dataset) -> Iterator[Dataset]:
    """Plant texts in all items at any depth."""
    for element in ds:
        if element.VR == "SQ":
            for item in element.value:
                for keyword, text in _INNER.items():
                    if keyword in item:
                        set_raw(item, keyword, text)
                yield item
                yield from _inside(item)


def _plant_private(ds: Dataset) -> None:
    csa = ds.private_block(0x0029, "SIEMENS CSA HEADER", create=True)
    csa.add_new(0x10, "OB", f"SV10 {STRAY} {KNOWN}".encode())
    ge = ds.private_block(0x0009, "GEMS_PETD_01", create=True)
    ge.add_new(0x02, "LO", f"{KNOWN} {STRAY}")
    ge.add_new(0x36, "LO", f"FDG {STRAY}")
    ge.add_new(0x3E, "SH", STRAY)
    inner = Dataset()
    inner.PatientName = KNOWN
    other = ds.private_block(0x0011, f"MAKER {STRAY}", create=True)
    other.add_new(0x01, "SQ", Sequence([inner]))
    other.add_new(0x02, "UN", f"{KNOWN} {STRAY}".encode())
    other.add_new(0x03, "UT", f"{STRAY} " * 50)


def _plant_deep(ds: Dataset) -> None:
    item = Dataset()
    item.RequestedProcedureID = f"RP{MARK}"
    set_raw(item, "ReasonForTheRequestedProcedure", f"{STRAY}?")
    ds.RequestAttributesSequence = [item]
    person = Dataset()
    person.PersonName, person.TextValue = f"{KNOWN}^P", STRAY
    person.InstitutionName = f"Klinik{MARK}"
    ds.ContributingEquipmentSequence = [copy.deepcopy(person)]
    reference = Dataset()
    reference.ReferencedSOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    reference.ReferencedSOPInstanceUID = "1.2.826.0.1.4711.88888"
    reference.PatientName = KNOWN
    reference.PurposeOfReferenceCodeSequence = [copy.deepcopy(person)]
    ds.ReferencedImageSequence = [reference]
    original = Dataset()
    original.ModifiedAttributesSequence = [copy.deepcopy(person)]
    ds.OriginalAttributesSequence = [original]


def _plant_groups(ds: Dataset) -> None:
    for tag, vr, value in (
        (Tag(0x5000, 0x2500), "LO", STRAY),
        (Tag(0x5000, 0x3000), "OW", STRAY.encode()),
        (Tag(0x6000, 0x0010), "US", 1),
        (Tag(0x6000, 0x0011), "US", 80),
        (Tag(0x6000, 0x1500), "LO", STRAY),
        (Tag(0x6000, 0x3000), "OW", STRAY.encode()),
        (Tag(0x6000, 0x4000), "LT", STRAY),
        (Tag(0x4321, 0x0001), "UN", STRAY.encode()),
        (Tag(0xFFFC, 0xFFFC), "OB", STRAY.encode()),
    ):
        ds[tag] = DataElement(tag, vr, value, validation_mode=IGNORE)


def write_hostile(files: list[Path], out: Path) -> None:
    """Write copies of simulated objects with planted identifiers, and spoilt ones beside them.

    Parameters
    ----------
    files : list of Path
        DICOM files of whole series.
    out : Path
        New folder; names of folders and files in it identify too.
    """
    folder = out / f"{KNOWN}, Zora geb. 07.03.1921"
    folder.mkdir(parents=True)
    for number, path in enumerate(files):
        _copy(path, folder / f"{KNOWN}_{number:04d}.dcm", _character_set(path))
    (folder / f"letter to {KNOWN}.txt").write_text(f"Dear {KNOWN}, {STRAY}", encoding="utf-8")
    cut = (folder / f"{KNOWN}_0000.dcm").read_bytes()
    (folder / f"{KNOWN}_cut.dcm").write_bytes(cut[: len(cut) // 2])
    _spoil(files[:3], folder)
    _zip(folder, out)


def _character_set(path: Path) -> str:
    names = list(_NAMES)
    return names[sum(path.parent.name.encode()) % len(names)]


def _copy(
    path: Path, target: Path, character_set: str, spoil: Callable[[Dataset], object] = id
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that is what they are for
        ds = pydicom.dcmread(path)
        plant(ds, character_set)
        spoil(ds)
        if "PixelData" in ds and not ds.file_meta.TransferSyntaxUID.is_compressed:
            ds.PixelData += f"{STRAY} {KNOWN} ".encode() * 2
        ds.save_as(target, enforce_file_format=False)


def _spoil(slices: list[Path], folder: Path) -> None:
    """One copy of a few slices for each spoilt attribute, each a series of its own."""
    for number, (keyword, value) in enumerate(_SPOILT.items()):
        for index, path in enumerate(slices):
            name = f"{KNOWN}_spoilt_{keyword}_{index}.dcm"
            spoil = partial(_spoilt, keyword, value, f"{number}", f"{number}.{index}")
            _copy(path, folder / name, "ISO_IR 192", spoil)


def _spoilt(keyword: str, value: object, series: str, instance: str, ds: Dataset) -> None:
    ds.SeriesInstanceUID = f"1.2.826.0.1.4711.55.{series}"
    ds.SOPInstanceUID = f"1.2.826.0.1.4711.56.{instance}"
    set_raw(ds, keyword, value)


def _zip(folder: Path, out: Path) -> None:
    """Move a few objects into an archive whose member names identify."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path in sorted(folder.glob("*_spoilt_[A-P]*.dcm")):
            archive.writestr(f"{KNOWN}/{STRAY}/{path.name}", path.read_bytes())
            path.unlink()
    (out / f"export {KNOWN}.zip").write_bytes(buffer.getvalue())
