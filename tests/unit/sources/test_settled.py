"""Objects that change between listing and reading."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import pytest

from schemas.errors import RejectedObjectError
from schemas.records import ObjectRef
from tasks.sources import ObjectReader, open_source
from tasks.sources.settled import SettledReader, changed_since, still_being_written


def _listed(path: Path) -> ObjectRef:
    (ref,) = open_source(path).objects()
    return ref


def _file(path: Path, content: bytes = b"abc") -> ObjectRef:
    path.write_bytes(content)
    os.utime(path, ns=(1_000, 1_000))
    return _listed(path)


def _read(ref: ObjectRef) -> bytes:
    with ObjectReader() as reader:
        return SettledReader(reader, [ref]).read(ref.uri, 100)


def test_what_is_as_it_was_listed_is_read(tmp_path: Path) -> None:
    ref = _file(tmp_path / "a b%.dcm")
    assert not changed_since(ref)
    assert _read(ref) == b"abc"


@pytest.mark.parametrize("same_time", [True, False])
def test_a_file_that_grew_is_refused(tmp_path: Path, same_time: bool) -> None:
    path = tmp_path / "x"
    ref = _file(path)
    path.write_bytes(b"abcdef")
    if same_time:  # as on file systems that count time in seconds
        os.utime(path, ns=(1_000, 1_000))
    with pytest.raises(RejectedObjectError, match="still_being_written"):
        _read(ref)


def test_a_member_of_an_archive_that_was_written_anew_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("1", b"abc")
    ref = _listed(path)
    assert _read(ref) == b"abc"
    os.utime(path, ns=(1_000, 1_000))
    with pytest.raises(RejectedObjectError, match="still_being_written"):
        _read(ref)


def test_a_file_that_is_gone_is_unreadable_not_unsettled(tmp_path: Path) -> None:
    ref = _file(tmp_path / "x")
    (tmp_path / "x").unlink()
    with pytest.raises(RejectedObjectError, match="unreadable"):
        _read(ref)


def test_objects_without_a_time_or_from_afar_are_read_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"abc")
    assert not changed_since(ObjectRef(f"file://{tmp_path}/x", 0, 0))
    assert not changed_since(ObjectRef("dicomweb://pacs/studies/1/series/2/instances/3", 5, 5))


def test_only_young_files_are_waited_for(tmp_path: Path) -> None:
    young, old, growing = (_file(tmp_path / name) for name in ("young", "old", "growing"))
    waits: list[float] = []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        (tmp_path / "growing").write_bytes(b"abcdef")

    long_after = 10.0
    assert still_being_written([old], 2.0, now=lambda: long_after, sleep=wait) == set()
    assert waits == []
    refs = [young, old, growing]
    assert still_being_written(refs, 0.0, now=lambda: 0.0, sleep=wait) == set()
    assert waits == []
    assert still_being_written(refs, 2.0, now=lambda: 1.0, sleep=wait) == {growing.uri}
    assert waits == [2.0]
