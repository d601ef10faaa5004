"""What every source must do, whatever it is made of."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, MediaStorageDirectoryStorage

from schemas.errors import RejectedObjectError
from schemas.sources import ObjectStoreSettings
from tasks.sources import (
    Connections,
    ObjectReader,
    RetrievingSource,
    Source,
    open_declared,
    open_source,
)
from tasks.sources.spool import Spool
from tests.instances import ct_instance
from tests.orthanc import Orthanc

CONTENT = {
    "a/1.dcm": b"one" * 100,
    "a/2 with space!.dcm": b"two",
    "ü/3%41.dcm": b"three",
    "empty.dcm": b"",
}


def _folder(root: Path) -> Path:
    for name, data in CONTENT.items():
        path = root / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return root / "in"


def _zip(root: Path) -> Path:
    with zipfile.ZipFile(root / "in! 1.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.mkdir("a")
        for name, data in CONTENT.items():
            archive.writestr(name, data)
    return root / "in! 1.zip"


def _tar(root: Path, ending: str, mode: str) -> Path:
    path = root / f"in{ending}"
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, data in CONTENT.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def _folder_of_archives(root: Path) -> Path:
    folder = root / "archives"
    folder.mkdir()
    _zip(folder)
    return folder


def _dicomdir(root: Path) -> Path:
    folder = _folder(root)
    directory = Dataset()
    directory.file_meta = FileMetaDataset()
    directory.file_meta.MediaStorageSOPClassUID = MediaStorageDirectoryStorage
    directory.file_meta.MediaStorageSOPInstanceUID = UID("2.25.1")
    directory.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    records = []
    for number, path in enumerate(sorted(p for p in folder.rglob("*") if p.is_file())):
        path.rename(folder / f"IMG{number}")
        record = Dataset()
        record.DirectoryRecordType, record.RecordInUseFlag = "IMAGE", 0xFFFF
        record.ReferencedFileID = f"IMG{number}"
        records.append(record)
    directory.DirectoryRecordSequence = records
    directory.save_as(folder / "DICOMDIR", enforce_file_format=True)
    (folder / "NOTLISTED").write_bytes(b"not referenced")
    return folder / "DICOMDIR"


def _spool(root: Path) -> Path:
    spool = Spool(root / "spool")
    with spool.filling():
        for data in CONTENT.values():
            spool.keep(data)
    (root / "spool" / "ab").mkdir(exist_ok=True)
    (root / "spool" / "ab" / ".0123.part").write_bytes(b"still being written")
    return root / "spool"


MAKERS: dict[str, Callable[[Path], Path]] = {
    "folder": _folder,
    "zip": _zip,
    "tar": lambda root: _tar(root, ".tar", "w"),
    "tar.gz": lambda root: _tar(root, ".TAR.GZ", "w:gz"),
    "tgz": lambda root: _tar(root, ".tgz", "w:gz"),
    "folder of archives": _folder_of_archives,
    "dicomdir": _dicomdir,
    "spool": _spool,
}


@dataclass
class Case:
    """A source that holds `contents`, and how to take them away behind its back."""

    source: Source
    contents: list[bytes]
    take_away: Callable[[], object]
    connections: Connections = field(default_factory=Connections)
    states_sizes: bool = True
    #: What must come back unchanged: all bytes, or the data set where a protocol writes the header.
    kept: Callable[[bytes], object] = bytes


def _local(made: Path) -> Case:
    source = open_source(made, name="the-source")
    return Case(source, list(CONTENT.values()), lambda: _move(made))


def _move(path: Path) -> None:
    place = path.parent if path.name == "DICOMDIR" else path
    place.rename(place.with_name("moved"))


def _object_store(root: Path) -> Case:
    folder = _folder(root)
    settings = ObjectStoreSettings(kind="object_store", url=f"file://{folder}")
    connections = Connections({"the-source": settings})
    source = open_declared("the-source", connections)
    return Case(source, list(CONTENT.values()), lambda: _move(folder), connections)


def _pacs(root: Path, orthanc: Orthanc, kind: str) -> Case:
    orthanc.clear()
    contents = [ct_instance(s, 1, n, edge=4 + s) for s in (1, 2) for n in (1, 2, 3)]
    for data in contents:
        orthanc.store(data)
    settings = orthanc.dicomweb() if kind == "dicomweb" else orthanc.dimse()
    connections = Connections({"the-source": settings}, root / "retrieved")
    return Case(
        open_declared("the-source", connections),
        contents,
        orthanc.clear,
        connections,
        states_sizes=False,
        kept=bytes if kind == "dicomweb" else _data_set,
    )


def _data_set(data: bytes) -> str:
    return dcmread(io.BytesIO(data)).to_json()


@pytest.fixture(
    params=[
        *sorted(MAKERS),
        "object store",
        pytest.param("dicomweb", marks=pytest.mark.services),
        pytest.param("dimse", marks=pytest.mark.services),
    ]
)
def case(request: pytest.FixtureRequest, tmp_path: Path) -> Case:
    if request.param in MAKERS:
        return _local(MAKERS[request.param](tmp_path))
    if request.param == "object store":
        return _object_store(tmp_path)
    return _pacs(tmp_path, request.getfixturevalue("orthanc"), request.param)


def _retrieve(case: Case) -> None:
    if isinstance(case.source, RetrievingSource):
        case.source.retrieve(list(case.source.objects()), lambda _: None)


def test_it_is_a_source_with_the_name_given(case: Case) -> None:
    assert isinstance(case.source, Source)
    assert case.source.name == "the-source"


def test_every_object_comes_once_with_its_size(case: Case) -> None:
    refs = list(case.source.objects())
    assert len({r.uri for r in refs}) == len(refs) == len(case.contents)
    if case.states_sizes:
        assert sorted(r.size_bytes for r in refs) == sorted(len(d) for d in case.contents)
        assert all(r.modified_ns > 0 for r in refs)
    else:
        assert {(r.size_bytes, r.modified_ns) for r in refs} == {(0, 0)}


def test_the_order_is_stable(case: Case) -> None:
    assert list(case.source.objects()) == list(case.source.objects())


def test_objects_read_back_alone_and_through_one_reader(case: Case) -> None:
    _retrieve(case)
    refs = list(case.source.objects())
    alone = []
    for ref in refs:
        with ObjectReader(case.connections) as reader:
            alone.append(reader.read(ref.uri, max_bytes=2000))
    with ObjectReader(case.connections) as reader:
        backwards = [reader.read(r.uri, max_bytes=2000) for r in reversed(refs)]
    assert {case.kept(a) for a in alone} == {case.kept(d) for d in case.contents}
    assert backwards == alone[::-1]
    if case.states_sizes:
        assert [len(a) for a in alone] == [r.size_bytes for r in refs]


def test_heads_are_cut(case: Case) -> None:
    _retrieve(case)
    with ObjectReader(case.connections) as reader:
        heads = {reader.read_head(r.uri, 132) for r in case.source.objects()}
    assert heads == {d[:132] for d in case.contents}


def test_what_is_larger_than_allowed_is_refused(case: Case) -> None:
    _retrieve(case)
    with ObjectReader(case.connections) as reader:
        read = [(len(reader.read(r.uri, 2000)), r.uri) for r in case.source.objects()]
        size, uri = max(read)
        assert len(reader.read(uri, max_bytes=size)) == size
        with pytest.raises(RejectedObjectError) as caught:
            reader.read(uri, max_bytes=size - 1)
    assert caught.value.reason_code in {"oversized", "archive_bomb"}
    assert "a/1.dcm" not in str(caught.value)
    assert "2.25" not in str(caught.value)


def test_what_is_gone_is_unreadable(case: Case) -> None:
    ref = next(iter(case.source.objects()))
    case.take_away()
    with (
        ObjectReader(case.connections) as reader,
        pytest.raises(RejectedObjectError, match=r"unreadable|source_unavailable"),
    ):
        reader.read(ref.uri, max_bytes=2000)
