"""A DICOMDIR: what it references, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, MediaStorageDirectoryStorage

from schemas.errors import InvalidInputError, RejectedObjectError
from tasks.sources import ObjectReader, is_link, open_source


def _medium(folder: Path, *file_ids: str | list[str], in_use: int = 0xFFFF) -> Path:
    directory = Dataset()
    directory.file_meta = FileMetaDataset()
    directory.file_meta.MediaStorageSOPClassUID = MediaStorageDirectoryStorage
    directory.file_meta.MediaStorageSOPInstanceUID = UID("2.25.1")
    directory.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    patient = Dataset()
    patient.DirectoryRecordType = "PATIENT"
    records = [patient]
    for file_id in file_ids:
        record = Dataset()
        record.DirectoryRecordType, record.RecordInUseFlag = "IMAGE", in_use
        record.ReferencedFileID = file_id
        records.append(record)
    directory.DirectoryRecordSequence = records
    folder.mkdir(exist_ok=True)
    directory.save_as(folder / "DICOMDIR", enforce_file_format=True)
    return folder / "DICOMDIR"


def _put(path: Path, data: bytes = b"x") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def _reason(uri: str) -> str:
    with ObjectReader() as reader, pytest.raises(RejectedObjectError) as caught:
        reader.read(uri, max_bytes=10)
    return caught.value.reason_code


def test_only_what_is_referenced_in_its_order_and_once(tmp_path: Path) -> None:
    path = _medium(tmp_path / "cd", ["B", "2"], ["A", "1"], ["B", "2"])
    for name in ("A/1", "B/2", "C/3"):
        _put(tmp_path / "cd" / name)
    source = open_source(path)
    assert source.name == "dicomdir"
    assert [r.uri.rpartition("/cd/")[2] for r in source.objects()] == ["B/2", "A/1"]


def test_a_missing_file_is_listed_and_unreadable(tmp_path: Path) -> None:
    (ref,) = open_source(_medium(tmp_path / "cd", ["GONE", "1"])).objects()
    assert (ref.size_bytes, _reason(ref.uri)) == (0, "unreadable")


def test_names_are_found_as_the_medium_shows_them(tmp_path: Path) -> None:
    path = _medium(tmp_path / "cd", ["DICOM", "IMG1"], ["DICOM", "IMG2"])
    _put(tmp_path / "cd" / "dicom" / "img1", b"one")
    _put(tmp_path / "cd" / "dicom" / "IMG2.;1", b"two")
    refs = list(open_source(path).objects())
    with ObjectReader() as reader:
        assert [reader.read(r.uri, 10) for r in refs] == [b"one", b"two"]


@pytest.mark.filterwarnings("ignore:Invalid value for VR CS")
@pytest.mark.parametrize("file_id", [["..", "secret"], ["A/../../secret"], ["link", "1"]])
def test_nothing_outside_the_medium_is_read(tmp_path: Path, file_id: list[str]) -> None:
    path = _medium(tmp_path / "cd", file_id)
    _put(tmp_path / "secret")
    _put(tmp_path / "outside" / "1")
    (tmp_path / "cd" / "link").symlink_to(tmp_path / "outside")
    (ref,) = open_source(path).objects()
    assert is_link(ref)
    assert _reason(ref.uri) == "link_outside_source"


def test_records_out_of_use_are_left_out(tmp_path: Path) -> None:
    assert list(open_source(_medium(tmp_path / "cd", "IMG1", in_use=0)).objects()) == []


@pytest.mark.parametrize("data", [b"garbage", b"\0" * 128 + b"DICM" + b"\xff" * 40])
def test_a_damaged_one_is_refused_with_advice(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "DICOMDIR").write_bytes(data)
    with pytest.raises(InvalidInputError, match="give the folder"):
        open_source(tmp_path / "DICOMDIR")


def test_another_object_by_that_name_is_refused(tmp_path: Path) -> None:
    from tests.instances import ct_instance

    (tmp_path / "DICOMDIR").write_bytes(ct_instance(1, 1, 1))
    with pytest.raises(InvalidInputError, match="DICOMDIR"):
        open_source(tmp_path / "DICOMDIR")
