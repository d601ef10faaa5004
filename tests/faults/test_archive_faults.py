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
        patch.setattr("tasks.sources.archive_bounds.MAX_EXPANSION", 100)
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


def _tar_header(name: str, size: int, kind: bytes = tarfile.REGTYPE) -> bytes:
    info = tarfile.TarInfo(name)
    info.type, info.size = kind, size
    return info.tobuf(tarfile.GNU_FORMAT)


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME])
@pytest.mark.parametrize("size", [2**40, 2**62])
def test_tar_header_of_absurd_size(tmp_path: Path, kind: bytes, size: int) -> None:
    """A reader that believes it asks for a terabyte of memory."""
    path = tmp_path / "x.tar"
    path.write_bytes(_tar_header("1", size, kind) + bytes(4096))
    assert _reasons(path) == ["archive_damaged"]


def test_tar_member_of_absurd_size(tmp_path: Path) -> None:
    plain, packed = tmp_path / "x.tar", tmp_path / "y.tgz"
    content = _tar_header("1", 2**62) + bytes(1024)
    plain.write_bytes(content)
    packed.write_bytes(gzip.compress(content))
    assert _reasons(plain) == ["archive_damaged"]
    assert _reasons(packed)[0] in {"archive_damaged", "archive_bomb"}


def test_tar_whose_headers_go_backwards(tmp_path: Path) -> None:
    """A negative size (base 256) leads old readers back to the same header for ever."""
    header = bytearray(_tar_header("1", 0))
    header[124:136] = b"\xff" * 10 + b"\xfc\x00"  # -1024
    header[148:156] = b"        "
    header[148:156] = b"%06o\0 " % sum(header)
    path = tmp_path / "x.tar"
    path.write_bytes(_tar_header("0", 0) + bytes(header) + bytes(1024))
    assert "archive_damaged" in _reasons(path)


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME])
def test_tar_with_thousands_of_headers_before_a_member(tmp_path: Path, kind: bytes) -> None:
    """Readers go one call deeper for each."""
    path = tmp_path / "x.tar"
    path.write_bytes(_tar_header("1", 0, kind) * 5000 + _tar_header("1", 0) + bytes(1024))
    assert _reasons(path) == ["archive_damaged"]


def test_zip_members_that_overlap(tmp_path: Path) -> None:
    """Every member but the first names bytes that belong to another one."""
    path = _zip(tmp_path / "x.zip", {"1": b"kernel" * 100, "2": b"kernel" * 100})
    data = bytearray(path.read_bytes())
    second = data.index(b"PK\x01\x02", data.index(b"PK\x01\x02") + 4)
    data[second + 42 : second + 46] = bytes(4)  # the place of the first member
    path.write_bytes(bytes(data))
    assert _reasons(path) == ["read", "archive_damaged"]


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_zip_methods_that_expand_without_bound(tmp_path: Path, method: int) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w", method) as archive:
        archive.writestr("1", bytes(100_000))
    assert _reasons(tmp_path / "x.zip") == ["unsupported_object"]


def test_zip_member_that_expands_beyond_measure(tmp_path: Path) -> None:
    """Below the limit on size, but of a thousand times fewer bytes."""
    path = _zip(tmp_path / "x.zip", {"1": bytes(65 * 2**20)})
    (ref,) = open_source(path).objects()
    with pytest.raises(RejectedObjectError, match="archive_bomb"):
        read_object(ref.uri, 2**30)


def test_zip_with_an_endless_list_of_members(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = _zip(tmp_path / "x.zip", {str(n): b"" for n in range(50)})
    monkeypatch.setattr("tasks.sources.archive_bounds._MAX_DIRECTORY_BYTES", 1000)
    assert _reasons(path) == ["archive_bomb"]


def test_tar_with_too_many_members(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.tar"
    path.write_bytes(b"".join(_tar_header(str(n), 0) for n in range(50)) + bytes(1024))
    monkeypatch.setattr("tasks.sources.archive_bounds.MAX_MEMBERS", 40)
    assert _reasons(path) == ["archive_bomb"]


def test_large_file_of_holes(tmp_path: Path) -> None:
    """A sparse member announces gigabytes and has none of them."""
    records = [b"GNU.sparse.major=1", b"GNU.sparse.minor=0", b"GNU.sparse.name=1",
               b"GNU.sparse.realsize=900000000"]  # fmt: skip
    pax = b"".join(b"%d %s\n" % (len(r) + 4, r) for r in records)
    table = b"1\n0\n0\n".ljust(512, b"\0")
    content = _tar_header("pax", len(pax), tarfile.XHDTYPE) + pax.ljust(512, b"\0")
    path = tmp_path / "x.tar"
    path.write_bytes(content + _tar_header("1", 512) + table + bytes(1024))
    (ref,) = open_source(path).objects()
    with pytest.raises(RejectedObjectError, match="archive_bomb"):
        read_object(ref.uri, 2**30)
