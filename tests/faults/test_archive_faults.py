"""Archives that are damaged, hostile or odd end with a reason, never with a crash."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
import zipfile
from pathlib import Path

import pytest

from schemas.errors import RejectedObjectError
from tasks.sources import ObjectReader, open_source, read_object

LIMIT = 2**20


def _reasons(path: Path) -> list[str]:
    reasons = []
    with ObjectReader() as reader:
        for ref in open_source(path).objects():
            try:
                reader.read(ref.uri, LIMIT)
                reasons.append("read")
            except RejectedObjectError as error:
                reasons.append(error.reason_code)
    return reasons


def _zip(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def test_not_an_archive_at_all(tmp_path: Path) -> None:
    for name in ("x.zip", "x.tar", "x.tgz"):
        (tmp_path / name).write_bytes(b"this is text, whatever the name says" * 50)
    assert _reasons(tmp_path) == ["archive_damaged"] * 3


def test_zip_cut_off(tmp_path: Path) -> None:
    path = _zip(tmp_path / "x.zip", {"1": os.urandom(5000)})
    path.write_bytes(path.read_bytes()[:-100])
    assert _reasons(path) == ["archive_damaged"]


def test_zip_with_one_flipped_byte_costs_one_member(tmp_path: Path) -> None:
    path = _zip(tmp_path / "x.zip", {"1": os.urandom(5000), "2": b"good"})
    data = bytearray(path.read_bytes())
    data[2000] ^= 0xFF
    path.write_bytes(bytes(data))
    assert _reasons(path) == ["archive_damaged", "read"]


@pytest.mark.parametrize("ending", [".tar", ".tar.gz"])
def test_tar_cut_off(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"x{ending}"
    with tarfile.open(path, "w:gz" if ending == ".tar.gz" else "w") as archive:
        for n in range(3):
            info = tarfile.TarInfo(str(n))
            info.size = 20_000
            archive.addfile(info, io.BytesIO(os.urandom(20_000)))
    path.write_bytes(path.read_bytes()[:35_000])
    assert "archive_damaged" in _reasons(path)


def test_empty_archives_are_counted(tmp_path: Path) -> None:
    _zip(tmp_path / "x.zip", {})
    tarfile.open(tmp_path / "x.tar", "w").close()
    assert _reasons(tmp_path) == ["empty_file", "empty_file"]


def test_member_beyond_the_limit_is_a_bomb(tmp_path: Path) -> None:
    assert _reasons(_zip(tmp_path / "x.zip", {"1": bytes(LIMIT + 1)})) == ["archive_bomb"]


def test_zip_that_lies_about_the_size(tmp_path: Path) -> None:
    path = _zip(tmp_path / "x.zip", {"1": bytes(50_000)})
    data = path.read_bytes()
    lie = (100).to_bytes(4, "little")
    path.write_bytes(data.replace((50_000).to_bytes(4, "little"), lie))
    assert _reasons(path) == ["archive_damaged"]


def test_compressed_tar_bomb_is_stopped_early(tmp_path: Path) -> None:
    path = tmp_path / "x.tgz"
    with gzip.open(path, "wb", compresslevel=1) as stream:
        info = tarfile.TarInfo("1")
        info.size = 80 * 2**20
        stream.write(info.tobuf())
        for _ in range(80):
            stream.write(bytes(2**20))
        stream.write(bytes(1024))
    # Level 1 packs zeros about 220-fold; pretend that less is allowed.
    uri = next(iter(open_source(path).objects())).uri
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tasks.sources.reading._MAX_EXPANSION", 100)
        with pytest.raises(RejectedObjectError, match="archive_bomb"):
            read_object(uri, 2**30)


def test_encrypted_member(tmp_path: Path) -> None:
    path = _zip(tmp_path / "x.zip", {"1": b"data"})
    data = bytearray(path.read_bytes())
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(bytes(data))
    assert _reasons(path) == ["unreadable"]


def test_archive_inside_an_archive_is_not_silently_ignored(tmp_path: Path) -> None:
    inner = _zip(tmp_path / "inner.zip", {"1": b"x"}).read_bytes()
    (tmp_path / "inner.zip").unlink()
    assert _reasons(_zip(tmp_path / "x.zip", {"inner.zip": inner})) == ["unsupported_object"]


def test_a_name_twice_means_the_later_member(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("1", b"old")
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("1", b"new")
    (ref,) = open_source(tmp_path / "x.zip").objects()
    assert read_object(ref.uri, 10) == b"new"


def test_tar_links_and_hostile_names_stay_inside(tmp_path: Path) -> None:
    path = tmp_path / "x.tar"
    with tarfile.open(path, "w") as archive:
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
        climb = tarfile.TarInfo("../../climb")
        climb.size = 3
        archive.addfile(climb, io.BytesIO(b"abc"))
    assert _reasons(path) == ["read"]
    assert list(tmp_path.parent.glob("climb")) == []


def test_a_reader_keeps_few_archives_open(tmp_path: Path) -> None:
    for n in range(20):
        _zip(tmp_path / f"{n:02}.zip", {"1": b"x"})
    with ObjectReader() as reader:
        for ref in open_source(tmp_path).objects():
            assert reader.read(ref.uri, 10) == b"x"
        assert len(reader._open) == 8
    assert len(reader._open) == 0
