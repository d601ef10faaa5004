"""Scanning: every kind of object, and everything that is none."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian

from schemas.errors import RejectedObjectError
from schemas.reasons import Outcome
from schemas.records import ObjectRef, ScannedObject
from schemas.sources import Selection
from tasks.dicom.scan import HEAD_BYTES, HeaderScanner, scan_object
from tests.support.dicom_objects import (
    MemoryReader,
    common,
    implicit_bytes,
    nm_tomogram,
    pet_series,
    scan_all,
    structure_set,
    to_bytes,
)


def scan(content: bytes) -> ScannedObject:
    return scan_all([content])[0][0]


def test_image_in_explicit_and_implicit_vr() -> None:
    ds = pet_series(1)[0]
    for content in (to_bytes(ds.copy()), implicit_bytes(ds.copy())):
        found = scan(content)
        assert (found.kind, found.outcome) == ("image", None)
        assert found.sop_instance_uid == ds.SOPInstanceUID
        assert found.series_instance_uid == ds.SeriesInstanceUID


@pytest.mark.parametrize("syntax", [ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian])
def test_syntaxes_that_only_pydicom_reads(syntax: str) -> None:
    ds = pet_series(1)[0]
    if syntax == ExplicitVRBigEndian:
        ds.PixelData = np.frombuffer(ds.PixelData, "<i2").astype(">i2").tobytes()
    assert scan(to_bytes(ds, syntax)).kind == "image"


def mixed_objects() -> list[bytes]:
    """Objects of several series and kinds in which each header differs in something that counts."""
    contents = []
    for number, ds in enumerate(pet_series(10)):
        ds.AcquisitionTime = "101000" if number < 6 else "101230.5"
        if number == 3:
            ds.ImageType = ["DERIVED", "SECONDARY", "MIP"]
        if number == 4:
            ds.SeriesInstanceUID = "1.2.3.999"
        if number == 7:
            ds.InstanceNumber = None
        contents += [to_bytes(ds.copy()), implicit_bytes(ds.copy())]
    uid = str(pet_series(10)[5].SOPInstanceUID).encode()
    contents[10] = contents[10].replace(uid, b" " * len(uid))
    contents.insert(2, to_bytes(structure_set({"Lesion 1": [[0.0] * 9]})))
    contents.insert(9, to_bytes(nm_tomogram(np.zeros((3, 4, 4), np.uint16))))
    contents.insert(11, b"not DICOM at all" * 20)
    contents.insert(13, contents[0][:700])
    return contents


def test_looking_at_many_finds_what_looking_at_each_finds() -> None:
    contents = mixed_objects()
    reader = MemoryReader({f"file:///in/{i:03d}": data for i, data in enumerate(contents)})
    refs = [ObjectRef(uri, len(data), 1) for uri, data in reader.objects.items()]
    scanner = HeaderScanner(reader)
    assert [scanner.scan(ref) for ref in refs * 2] == [scan_object(ref, reader) for ref in refs * 2]


def test_a_selection_holds_for_objects_like_the_one_before_too() -> None:
    """Same series but for one header value each: the comparison must not carry it over."""
    wanted = Selection(modalities=("PT",), descriptions=("*ac*",), since=date(2024, 1, 1))
    contents, expected = [], []
    for number, ds in enumerate(pet_series(12)):
        ds.StudyDate = "20231231" if number == 3 else "20240102"
        ds.SeriesDescription = "WB NAC" if number == 5 else "WB AC"
        ds.Modality = "CT" if number == 7 else "PT"
        if number == 8:
            del ds.StudyDate
        contents.append(to_bytes(ds))
        expected.append("outside_selection" if number in {3, 7, 8} else None)
    reader = MemoryReader({f"file:///in/{i:03d}": data for i, data in enumerate(contents)})
    refs = [ObjectRef(uri, len(data), 1) for uri, data in reader.objects.items()]
    scanner = HeaderScanner(reader, selection=wanted)
    assert [scanner.scan(ref).reason_code for ref in refs] == expected  # NAC matches *ac* as well
    exact = HeaderScanner(reader, selection=Selection(descriptions=("wb ac",)))
    assert [exact.scan(ref).reason_code for ref in refs].index("outside_selection") == 5


def test_contours_and_tomogram() -> None:
    assert scan(to_bytes(structure_set({"Lesion 1": [[0.0] * 9]}))).kind == "contours"
    assert scan(to_bytes(nm_tomogram(np.zeros((3, 4, 4), np.uint16)))).kind == "image"


def test_without_preamble_and_without_meta_information() -> None:
    explicit, implicit = to_bytes(pet_series(1)[0]), implicit_bytes(pet_series(1)[0])
    for content in (explicit, implicit):
        assert scan(content[132:]).kind == "image"  # group 0002 without preamble
        start = content.index(b"\x08\x00\x05\x00") if b"\x08\x00\x05\x00" in content else None
        data_set = content[content.index(b"\x08\x00\x08\x00", 132) if start is None else start :]
        assert scan(data_set).kind == "image"


@pytest.mark.parametrize(
    "content",
    [b"\x93NUMPY" + bytes(200), b"plain text " * 30, bytes(500), b"\x08\x00", b"\x08\x00" * 40],
)
def test_anything_else_is_not_dicom(content: bytes) -> None:
    found = scan(content)
    assert (found.outcome, found.reason_code) == (Outcome.IGNORED, "not_dicom")


def test_empty_file() -> None:
    assert scan(b"").reason_code == "empty_file"


def test_dicomdir() -> None:
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.SOPClassUID = "1.2.840.10008.1.3.10"
    ds.SOPInstanceUID = "1.2.3"
    assert scan(to_bytes(ds)).reason_code == "dicomdir"


@pytest.mark.parametrize(
    ("sop_class", "image_type", "outcome", "reason"),
    [
        ("1.2.840.10008.5.1.4.1.1.7", ["DERIVED"], Outcome.IGNORED, "secondary_capture"),
        ("1.2.840.10008.5.1.4.1.1.88.11", ["DERIVED"], Outcome.IGNORED,
         "report_without_measurements"),
        ("1.2.840.10008.5.1.4.1.1.88.59", [], Outcome.IGNORED, "report_without_measurements"),
        ("1.2.840.10008.5.1.4.1.1.88.67", [], Outcome.IGNORED, "dose_report"),
        ("1.2.840.10008.5.1.4.1.1.11.1", [], Outcome.IGNORED, "no_pixels"),
        ("1.2.840.10008.5.1.4.1.1.2", ["ORIGINAL", "PRIMARY", "LOCALIZER"], Outcome.IGNORED,
         "localizer"),
        ("1.2.840.10008.5.1.4.1.1.128", ["DERIVED", "PRIMARY", "MIP"], Outcome.IGNORED,
         "localizer"),
        ("1.2.840.10008.5.1.4.1.1.481.2", ["DERIVED"], Outcome.QUARANTINED, "unsupported_object"),
        ("1.2.840.10008.5.1.4.1.1.20", ["DERIVED", "PRIMARY", "CURVE"], Outcome.QUARANTINED,
         "unsupported_object"),
    ],
)  # fmt: skip
def test_other_objects(
    sop_class: str, image_type: list[str], outcome: Outcome, reason: str
) -> None:
    ds = common(sop_class, "OT", 1)
    ds.ImageType = image_type
    found = scan(to_bytes(ds))
    assert (found.outcome, found.reason_code) == (outcome, reason)


@pytest.mark.parametrize("keyword", ["SOPInstanceUID", "SeriesInstanceUID"])
def test_missing_identifiers(keyword: str) -> None:
    ds = pet_series(1)[0]
    content = to_bytes(ds)
    delattr(ds, keyword)
    content = to_bytes(ds)
    found = scan(content)
    assert (found.outcome, found.reason_code) == (Outcome.QUARANTINED, "missing_attribute")
    assert keyword in found.detail
    assert found.kind is None


def test_header_longer_than_the_first_read() -> None:
    ds = pet_series(1)[0]
    ds.add_new(0x00090010, "LO", "SOME VENDOR")
    ds.add_new(0x00091001, "OB", bytes(5 * HEAD_BYTES))
    found = scan(to_bytes(ds))
    assert found.kind == "image"
    assert found.series_instance_uid == ds.SeriesInstanceUID


def test_sequences_of_undefined_length_are_walked_over() -> None:
    ds = pet_series(1)[0]
    inner, outer = Dataset(), Dataset()
    inner.CodeValue = "X"
    outer.PurposeOfReferenceCodeSequence = Sequence([inner])
    ds.SourceImageSequence = Sequence([outer])
    for element in (ds["SourceImageSequence"], outer["PurposeOfReferenceCodeSequence"]):
        element.is_undefined_length = True
        for item in element.value:
            item.is_undefined_length_sequence_item = True
    for content in (to_bytes(ds.copy()), implicit_bytes(ds.copy())):
        assert scan(content).series_instance_uid == ds.SeriesInstanceUID


def test_reader_faults_become_outcomes() -> None:
    class Broken(MemoryReader):
        def read_head(self, uri: str, n_bytes: int) -> bytes:
            raise RejectedObjectError("archive_damaged", "the archive fails with BadZipFile")

    class Foreign(MemoryReader):
        def read_head(self, uri: str, n_bytes: int) -> bytes:
            raise RejectedObjectError("link_outside_source", "the link leaves its source folder")

    ref = ObjectRef("zip:///a.zip!b", 10, 0)
    assert scan_object(ref, Broken({})).outcome is Outcome.QUARANTINED
    assert scan_object(ref, Foreign({})).outcome is Outcome.IGNORED
