"""What every source must do, whatever it is made of."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from schemas.errors import RejectedObjectError
from tasks.sources import ObjectReader, Source, open_source, read_head, read_object

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


MAKERS: dict[str, Callable[[Path], Path]] = {
    "folder": _folder,
    "zip": _zip,
    "tar": lambda root: _tar(root, ".tar", "w"),
    "tar.gz": lambda root: _tar(root, ".TAR.GZ", "w:gz"),
    "tgz": lambda root: _tar(root, ".tgz", "w:gz"),
    "folder of archives": _folder_of_archives,
}


@pytest.fixture(params=sorted(MAKERS))
def source(request: pytest.FixtureRequest, tmp_path: Path) -> Source:
    return open_source(MAKERS[request.param](tmp_path), name="the source")


def test_it_is_a_source_with_the_name_given(source: Source) -> None:
    assert isinstance(source, Source)
    assert source.name == "the source"


def test_every_object_comes_once_with_its_size(source: Source) -> None:
    refs = list(source.objects())
    assert len({r.uri for r in refs}) == len(refs) == len(CONTENT)
    assert sorted(r.size_bytes for r in refs) == sorted(len(d) for d in CONTENT.values())
    assert all(r.modified_ns > 0 for r in refs)


def test_the_order_is_stable(source: Source) -> None:
    assert list(source.objects()) == list(source.objects())


def test_objects_read_back_alone_and_through_one_reader(source: Source) -> None:
    refs = list(source.objects())
    alone = [read_object(r.uri, max_bytes=1000) for r in refs]
    with ObjectReader() as reader:
        backwards = [reader.read(r.uri, max_bytes=1000) for r in reversed(refs)]
    assert sorted(alone) == sorted(CONTENT.values())
    assert backwards == alone[::-1]
    assert [len(a) for a in alone] == [r.size_bytes for r in refs]


def test_heads_are_cut(source: Source) -> None:
    heads = {read_head(r.uri, 4) for r in source.objects()}
    assert heads == {d[:4] for d in CONTENT.values()}


def test_what_is_larger_than_allowed_is_refused(source: Source) -> None:
    largest = max(source.objects(), key=lambda r: r.size_bytes)
    assert len(read_object(largest.uri, max_bytes=300)) == 300
    with pytest.raises(RejectedObjectError) as caught:
        read_object(largest.uri, max_bytes=299)
    assert caught.value.reason_code in {"oversized", "archive_bomb"}
    assert "a/1.dcm" not in str(caught.value)


def test_what_is_gone_is_unreadable(source: Source) -> None:
    ref = next(iter(source.objects()))
    path = Path(getattr(source, "path"))  # noqa: B009  not part of the protocol
    path.rename(path.with_name("moved"))
    with pytest.raises(RejectedObjectError, match="unreadable"):
        read_object(ref.uri, max_bytes=1000)
