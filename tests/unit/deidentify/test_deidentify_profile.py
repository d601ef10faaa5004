"""The profile on objects made by hand: what stays, what goes, what changes."""

from __future__ import annotations

import io
import struct
import warnings
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pydicom
import pytest
from pydicom._dicom_dict import DicomDictionary
from pydicom.datadict import tag_for_keyword
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.tag import BaseTag, Tag
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from schemas.errors import RejectedObjectError
from schemas.records import SuvDerivation
from tasks.deidentify import (
    IdentityPseudonymiser,
    Pseudonymiser,
    assert_derivation_preserved,
    assert_suv_preserved,
    deidentify,
    patient_identity,
)
from tasks.deidentify.actions import RULES, Action
from tasks.deidentify.dates import shift_da

PSEUDONYMS = Pseudonymiser(b"0123456789abcdef", {"Klinik Zwiebelstadt": "centre-z"})
PATIENT = "ZWIEBEL-4711"
KEY = PSEUDONYMS.patient_key(PATIENT)
#: The study's day after the shift.
PSEUDONYMS_DAY = shift_da("20240301", PSEUDONYMS.shift_days(KEY))
#: Whatever of these is found in the result has leaked.
PLANTED = ("zwiebel", "4711", "19650312", "1.2.3.4.5", "hackebeil")
BULK = {tag for tag, rule in RULES.items() if rule.action is Action.BULK}


def _header() -> Dataset:
    ds = Dataset()
    ds.PatientID = PATIENT
    ds.PatientName = "Zwiebel^Zora"
    ds.ReferringPhysicianName = "Hackebeil^Hubert"
    ds.PatientBirthDate = "19650312"
    ds.InstitutionName = "Klinik  Zwiebelstadt"
    ds.StudyDate, ds.StudyTime = "20240301", "101500"
    ds.StudyInstanceUID = "1.2.3.4.5"
    ds.SOPClassUID = pydicom.uid.PositronEmissionTomographyImageStorage
    return ds


def _encoded(ds: Dataset, *, implicit: bool = True) -> bytes:
    buffer = io.BytesIO()
    ds.save_as(buffer, implicit_vr=implicit, little_endian=True, enforce_file_format=False)
    return buffer.getvalue()


def _leaks(ds: Dataset) -> list[str]:
    data = _encoded(ds).lower()
    return [p for p in PLANTED if p.encode() in data or p.encode("utf-16-le") in data]


def _reread(ds: Dataset, *, implicit: bool) -> Dataset:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # planted values do not fit their VR
        data = _encoded(ds, implicit=implicit)
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian
    return pydicom.dcmread(io.BytesIO(data), force=True) if implicit else _explicit(data)


def _explicit(data: bytes) -> Dataset:
    return pydicom.filereader.read_dataset(io.BytesIO(data), False, True)


def _plant(vr: str) -> bytes | str:
    if vr in {"DA", "DT"}:
        return "19650312"
    if vr == "UI":
        return "1.2.3.4.5"
    if vr == "PN":
        return "Hackebeil^Hubert"
    return "ZWIEBEL 4711 19650312"


def _raw(tag: int, vr: str) -> RawDataElement:
    """Make an element whose bytes hold an identifier, whatever its representation."""
    value = _plant(vr)
    data = value.encode() if isinstance(value, str) else value
    data += b" " * (-len(data) % 8)
    return RawDataElement(Tag(tag), vr, len(data), data, 0, False, True)


def _every_tag() -> Iterator[tuple[int, str]]:
    for tag, (vr, *_rest) in DicomDictionary.items():
        if tag >> 16 > 7 and vr != "SQ" and tag not in BULK and "or" not in vr and vr != "NONE":
            yield tag, vr


def _everything() -> Dataset:
    ds = Dataset()
    for tag, vr in _every_tag():
        ds[tag] = _raw(tag, vr)
    ds[0x00100020] = DataElement(0x00100020, "LO", PATIENT)
    ds[0x00100010] = DataElement(0x00100010, "PN", "Zwiebel^Zora")
    return ds


def test_every_attribute_of_the_standard_with_an_identifier_in_it() -> None:
    original = _everything()
    assert len(original) > 3500
    safe = deidentify(original, PSEUDONYMS)
    assert _leaks(safe) == []
    assert set(safe.keys()) <= set(RULES) | {
        Tag(0x0008, 0x0005), Tag(0x0012, 0x0062), Tag(0x0012, 0x0063), Tag(0x0012, 0x0064),
        Tag(0x0028, 0x0303),
    }  # fmt: skip


def test_every_attribute_inside_every_sequence_that_stays() -> None:
    item = _everything()
    original = _header()
    for tag, rule in RULES.items():
        if rule.action is Action.SEQUENCE:
            original[tag] = DataElement(tag, "SQ", pydicom.Sequence([item]))
    safe = deidentify(original, PSEUDONYMS)
    assert _leaks(safe) == []
    assert len(safe.SegmentSequence) == 1


def test_identifiers_ten_levels_deep() -> None:
    inner = _header()
    inner.SegmentLabel = "GTV Zwiebel"
    for _ in range(10):
        outer = Dataset()
        outer.ReferencedSeriesSequence = [inner]
        outer.SeriesDate = "19650312"
        inner = outer
    for keyword in ("PatientID", "PatientName"):
        setattr(inner, keyword, PATIENT)
    safe = deidentify(inner, PSEUDONYMS)
    assert _leaks(safe) == []
    for _ in range(10):
        safe = safe.ReferencedSeriesSequence[0]
    assert safe.SegmentLabel == "gtv"
    assert safe.PatientID == KEY


def test_endless_nesting_is_refused() -> None:
    inner = Dataset()
    for _ in range(20):
        outer = Dataset()
        outer.ReferencedSeriesSequence = [inner]
        inner = outer
    with pytest.raises(RejectedObjectError, match="deidentification_failed"):
        deidentify(inner, PSEUDONYMS, patient_key=KEY)


@pytest.mark.parametrize("implicit", [True, False])
def test_private_elements_go_but_for_the_safe_ones(implicit: bool) -> None:
    ds = _header()
    ds.Manufacturer = "GE MEDICAL SYSTEMS"
    ge = ds.private_block(0x0009, "GEMS_PETD_01", create=True)
    ge.add_new(0x02, "LO", PATIENT)  # PET patient_id
    ge.add_new(0x0D, "DT", "20240301113000.00")
    ge.add_new(0x36, "LO", "FDG Zwiebel")
    ge.add_new(0x38, "FL", 411.5)
    ge.add_new(0x5F, "LO", PATIENT)
    philips = ds.private_block(0x7053, "Philips PET Private Group", create=True)
    philips.add_new(0x00, "DS", "0.000551")
    philips.add_new(0x03, "ST", "/data/Zwiebel/4711.img")
    philips.add_new(0x09, "DS", "1.25")
    siemens = ds.private_block(0x0071, "SIEMENS MED PT", create=True)
    siemens.add_new(0x21, "LO", PATIENT)
    siemens.add_new(0x22, "UN", b"20240301113000.000000 ")
    other = ds.private_block(0x0009, "SOMEBODY ELSE", create=True)
    other.add_new(0x0D, "LO", PATIENT)
    safe = deidentify(_reread(ds, implicit=implicit), PSEUDONYMS)
    assert _leaks(safe) == []
    day = PSEUDONYMS_DAY
    assert safe.private_block(0x0009, "GEMS_PETD_01")[0x0D].value == f"{day}113000.00"
    assert safe.private_block(0x0009, "GEMS_PETD_01")[0x36].value == "fdg"
    assert safe.private_block(0x0009, "GEMS_PETD_01")[0x38].value == 411.5
    assert float(safe.private_block(0x7053, "Philips PET Private Group")[0x00].value) == 0.000551
    assert float(safe.private_block(0x7053, "Philips PET Private Group")[0x09].value) == 1.25
    element = safe.private_block(0x0071, "SIEMENS MED PT")[0x22]
    assert (element.VR, element.value) == ("DT", f"{day}113000.000000")
    private = [t for t in safe.keys() if t.is_private and t.element > 0xFF]  # noqa: SIM118
    assert len(private) == 6


def test_private_values_must_be_what_their_element_is() -> None:
    ds = _header()
    block = ds.private_block(0x7053, "Philips PET Private Group", create=True)
    block.add_new(0x00, "LO", PATIENT)
    block.add_new(0x09, "UN", b"ZWIEBEL ")
    ge = ds.private_block(0x0009, "GEMS_PETD_01", create=True)
    ge.add_new(0x0D, "LO", "Zwiebel")
    ge.add_new(0x38, "UN", b"ZWIEBEL ")
    safe = deidentify(ds, PSEUDONYMS)
    assert not any(t.is_private for t in safe.keys())  # noqa: SIM118
    assert _leaks(safe) == []


def test_un_floats_are_little_endian() -> None:
    ds = _header()
    ge = ds.private_block(0x0009, "GEMS_PETD_01", create=True)
    ge.add_new(0x3F, "UN", struct.pack("<f", 6588.0))
    assert deidentify(ds, PSEUDONYMS)[0x0009, 0x103F].value == 6588.0


@pytest.mark.parametrize(("maker", "stays"), [("GE MEDICAL SYSTEMS", True), ("SIEMENS", False)])
def test_lost_creators_are_restored_where_the_maker_fits(maker: str, stays: bool) -> None:
    ds = _header()
    ds.Manufacturer = maker
    ds[0x0009, 0x100D] = DataElement(0x0009100D, "UN", b"20240301113000.00 ")
    safe = deidentify(ds, PSEUDONYMS)
    assert ((0x0009, 0x100D) in safe) is stays
    if stays:
        assert safe[0x0009, 0x0010].value == "GEMS_PETD_01"
        assert safe[0x0009, 0x100D].value == f"{PSEUDONYMS_DAY}113000.00"


def test_dates_move_alike_and_times_stay() -> None:
    ds = _header()
    ds.SeriesDate, ds.SeriesTime = "20240301", "103000.5"
    ds.AcquisitionDateTime = "20240301103100.25+0100"
    item = Dataset()
    item.RadiopharmaceuticalStartDateTime = "20240229235900"
    item.RadiopharmaceuticalStartTime = "235900"
    ds.RadiopharmaceuticalInformationSequence = [item]
    safe = deidentify(ds, PSEUDONYMS)
    assert safe.SeriesDate == safe.StudyDate == PSEUDONYMS_DAY
    assert (safe.StudyTime, safe.SeriesTime) == ("101500", "103000.5")
    assert safe.AcquisitionDateTime == f"{PSEUDONYMS_DAY}103100.25+0100"
    inner = safe.RadiopharmaceuticalInformationSequence[0]
    assert inner.RadiopharmaceuticalStartTime == "235900"
    before = pydicom.valuerep.DT(str(inner.RadiopharmaceuticalStartDateTime))
    after = pydicom.valuerep.DT(str(safe.AcquisitionDateTime)[:14])
    assert (after - before).total_seconds() == 10 * 3600 + 32 * 60


def test_uids_map_consistently_and_classes_stay() -> None:
    ds = _header()
    ds.SOPInstanceUID = "1.2.3.4.5.1"
    reference = Dataset()
    reference.ReferencedSOPInstanceUID = "1.2.3.4.5.1"
    reference.ReferencedSOPClassUID = ds.SOPClassUID
    ds.ReferencedImageSequence = [reference]
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = pydicom.uid.UID("1.2.840.113619.5.2")  # a vendor's own
    ds.file_meta.MediaStorageSOPInstanceUID = pydicom.uid.UID("1.2.3.4.5.1")
    ds.file_meta.SourceApplicationEntityTitle = "ZWIEBEL"
    safe = deidentify(ds, PSEUDONYMS)
    mapped = PSEUDONYMS.uid("1.2.3.4.5.1")
    assert safe.SOPInstanceUID == mapped == safe.file_meta.MediaStorageSOPInstanceUID
    assert safe.ReferencedImageSequence[0].ReferencedSOPInstanceUID == mapped
    assert safe.ReferencedImageSequence[0].ReferencedSOPClassUID == ds.SOPClassUID
    assert safe.file_meta.TransferSyntaxUID == "1.2.840.113619.5.2"
    assert "SourceApplicationEntityTitle" not in safe.file_meta


def test_patient_characteristics_and_centre() -> None:
    ds = _header()
    ds.PatientSex, ds.PatientAge, ds.PatientWeight, ds.PatientSize = "F", "093Y", "71.0", "1.63"
    safe = deidentify(ds, PSEUDONYMS)
    assert (safe.PatientSex, safe.PatientAge) == ("F", "090Y")
    assert (safe.PatientWeight, safe.PatientSize) == (71.0, 1.63)
    assert safe.InstitutionName == "centre-z"
    assert safe.PatientBirthDate == ""
    assert str(safe.PatientName) == safe.PatientID == KEY


def test_age_survives_the_birth_date() -> None:
    assert deidentify(_header(), PSEUDONYMS).PatientAge == "058Y"  # 1965-03-12 to 2024-03-01


def test_descriptors_and_codes() -> None:
    ds = _header()
    ds.SeriesDescription = "PET WB AC Zwiebel 12.03.65"
    ds.StudyDescription = "Zwiebel"
    ds.ImageComments = "PET"
    ds.Manufacturer = "SIEMENS"
    ds.ManufacturerModelName = "Biograph Zwiebel"
    ds.SoftwareVersions = ["VG70A", "Hackebeil 3"]
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator = "C-111A1", "SRT"
    code.CodeMeaning = "^18^Fluorine"
    local = Dataset()
    local.CodeValue, local.CodingSchemeDesignator, local.CodeMeaning = "123456", "L", "Frau Zwiebel"
    ds.AnatomicRegionSequence = [code, local]
    safe = deidentify(ds, PSEUDONYMS)
    assert safe.SeriesDescription == "pet wb ac"
    assert "StudyDescription" not in safe
    assert "ImageComments" not in safe
    assert "ManufacturerModelName" not in safe
    assert (safe.Manufacturer, list(safe.SoftwareVersions)) == ("SIEMENS", ["VG70A", ""])
    kept, rest = safe.AnatomicRegionSequence
    assert (kept.CodeValue, kept.CodingSchemeDesignator) == ("C-111A1", "SRT")
    assert kept.CodeMeaning == "fluorine"
    assert [e.keyword for e in rest] == ["CodingSchemeDesignator"]


def test_a_patient_called_like_a_maker_costs_nothing() -> None:
    ds = _header()
    ds.PatientName = "Siemens^Vision"
    ds.Manufacturer, ds.ManufacturerModelName = "SIEMENS", "Biograph Vision"
    safe = deidentify(ds, PSEUDONYMS)
    assert (safe.Manufacturer, safe.ManufacturerModelName) == ("SIEMENS", "Biograph Vision")


def test_numbers_are_kept_bit_by_bit() -> None:
    ds = _header()
    ds.Rows, ds.RescaleSlope, ds.PixelSpacing = 128, "1.7141000000001", [4.6875, 4.6875]
    ds.PixelData = bytes(range(256))
    ds["PixelData"].VR, ds.BitsAllocated = "OW", 16
    for implicit in (True, False):
        safe = deidentify(_reread(ds, implicit=implicit), PSEUDONYMS)
        assert str(safe.RescaleSlope) == "1.7141000000001"
        assert safe.PixelData == ds.PixelData
        assert safe.PixelSpacing == [4.6875, 4.6875]
        assert safe.Rows == 128


def test_it_declares_what_was_done() -> None:
    safe = deidentify(_header(), PSEUDONYMS)
    assert safe.PatientIdentityRemoved == "YES"
    assert safe.LongitudinalTemporalInformationModified == "MODIFIED"
    codes = [item.CodeValue for item in safe.DeidentificationMethodCodeSequence]
    assert codes == ["113100", "113105", "113107", "113108", "113111"]


def test_the_original_is_not_changed_and_the_result_is_deterministic() -> None:
    original = _header()
    before = _encoded(original)
    first = deidentify(original, PSEUDONYMS)
    again = deidentify(original, Pseudonymiser(PSEUDONYMS.secret, PSEUDONYMS.centres))
    assert _encoded(original) == before
    assert _encoded(first) == _encoded(again)
    assert _encoded(first) != _encoded(deidentify(original, Pseudonymiser(bytes(16))))


def test_a_part_of_an_object_needs_the_key() -> None:
    part = Dataset()
    part.AcquisitionDate, part.SOPInstanceUID = "20240301", "1.2.3.4.5.9"
    with pytest.raises(RejectedObjectError, match="missing_attribute"):
        deidentify(part, PSEUDONYMS)
    assert deidentify(part, PSEUDONYMS, patient_key=KEY).AcquisitionDate == PSEUDONYMS_DAY


def test_identity_changes_nothing() -> None:
    ds = _header()
    copy = deidentify(ds, IdentityPseudonymiser())
    assert copy is not ds
    assert _encoded(copy) == _encoded(ds)


def test_who_it_is_about() -> None:
    ds = _header()
    who = patient_identity(ds, PSEUDONYMS)
    assert (who.key, who.patient_id, who.issuer, who.is_from_study) == (KEY, PATIENT, "", False)
    assert patient_identity(ds, PSEUDONYMS, "A").key == PSEUDONYMS.patient_key(PATIENT, "A") != KEY
    ds.IssuerOfPatientID = "B"
    assert patient_identity(ds, PSEUDONYMS, "A").issuer == "B"
    del ds.PatientID
    lone = patient_identity(ds, PSEUDONYMS)
    assert lone.is_from_study
    assert lone.key == PSEUDONYMS.study_patient_key("1.2.3.4.5")


@pytest.mark.parametrize(
    ("before", "after", "passes"),
    [
        ((1.0, 2.0), (1.0, 2.0), True),
        ((1.0,), (1.0 + 9e-13,), True),
        ((1.0,), (1.0 + 2e-12,), False),
        ((1.0,), (), False),
        ((), (1.0,), False),
        (None, None, True),
        ((), None, True),
        ((0.0,), (0.0,), True),
        ((1.0,), (float("nan"),), False),
    ],
)
def test_gate(
    before: tuple[float, ...] | None, after: tuple[float, ...] | None, passes: bool
) -> None:
    if passes:
        assert_suv_preserved(before, after)
        return
    with pytest.raises(RejectedObjectError) as caught:
        assert_suv_preserved(before, after)
    assert caught.value.reason_code == "suv_changed_by_deidentification"


REFUSED = SuvDerivation("refused", "Bq/ml", reason_code="suv_dose_missing", weight_kg=70.0)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({}, None),
        ({"steps": ("another text",)}, None),
        ({"weight_kg": 70.0 * (1 + 1e-14)}, None),
        ({"reason_code": "suv_weight_missing"}, "reason_code"),
        ({"status": "not_applicable"}, "status"),
        ({"value_unit": "CNTS"}, "value_unit"),
        ({"weight_kg": 71.0}, "weight_kg"),
        ({"weight_kg": None}, "weight_kg"),
        ({"factors": (1.0,)}, "1, largest"),
    ],
)
def test_the_gate_covers_refusals_and_what_is_behind_them(
    change: dict[str, Any], named: str | None
) -> None:
    after = replace(REFUSED, **change)
    if named is None:
        assert_derivation_preserved(REFUSED, after)
        return
    with pytest.raises(RejectedObjectError, match="suv_changed_by_deidentification") as caught:
        assert_derivation_preserved(REFUSED, after)
    assert named in caught.value.detail or named == "1, largest"


#: What Table E.1-1 removes or replaces even under the options taken.
MUST_NOT_STAY = """
AdmissionID AdmittingDiagnosesDescription Allergies AdditionalPatientHistory ClinicalTrialSubjectID
ContentCreatorName CountryOfResidence CurrentPatientLocation DetectorID DeviceSerialNumber
DistributionAddress EthnicGroup FillerOrderNumberImagingServiceRequest GantryID ImageComments
ImageID InstitutionAddress InstitutionalDepartmentName InstitutionCodeSequence MedicalAlerts
MedicalRecordLocator MilitaryRank NameOfPhysiciansReadingStudy Occupation OtherPatientIDs
OtherPatientIDsSequence OtherPatientNames PatientAddress PatientBirthName PatientBirthTime
PatientComments PatientInsurancePlanCodeSequence PatientMotherBirthName PatientReligiousPreference
PatientTelephoneNumbers PerformedProcedureStepDescription PerformedProcedureStepID
PerformedStationName PerformingPhysicianName PersonAddress PersonName PersonTelephoneNumbers
PhysiciansOfRecord PlacerOrderNumberImagingServiceRequest PlateID RegionOfResidence
RequestAttributesSequence RequestedProcedureDescription RequestedProcedureID RequestingPhysician
RequestingService ResponsiblePerson ReviewerName ScheduledPerformingPhysicianName ServiceEpisodeID
SpecialNeeds StationName StudyComments TextComments TextString VerifyingObserverName VisitComments
OriginalAttributesSequence ContributingEquipmentSequence IconImageSequence OverlayData
AcquisitionComments FrameComments CurveData DigitalSignaturesSequence EncryptedAttributesSequence
""".split()  # noqa: SIM905


@pytest.mark.parametrize("keyword", MUST_NOT_STAY)
def test_removed_by_the_standard(keyword: str) -> None:
    tag = tag_for_keyword(keyword)
    assert tag is None or tag not in RULES


def test_tags_are_of_the_dictionary() -> None:
    assert all(isinstance(Tag(t), BaseTag) and t in DicomDictionary for t in RULES)
