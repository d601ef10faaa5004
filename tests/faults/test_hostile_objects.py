"""Objects made to cost time or memory end soon, with a reason that says what they are."""

from __future__ import annotations

import resource
import struct
import time
import zlib
from collections.abc import Iterator

import numpy as np
import pytest

from schemas.errors import RejectedObjectError
from tasks.dicom.budget import MAX_ELEMENTS, MAX_VALUES
from tasks.dicom.codestream import announced_size
from tasks.dicom.encoding import DEFLATED
from tasks.dicom.parse import parse_dataset
from tests.support.dicom_objects import nm_tomogram, pet_series, to_bytes
from tests.support.fuzz_case import settle
from tests.support.fuzz_seeds import hand_made_seeds

MIB = 2**20
_PIXELS = b"\xe0\x7f\x10\x00"


@pytest.fixture(autouse=True)
def _soon_and_small() -> Iterator[None]:
    """No object of this module may cost a third of a gigabyte or half a minute."""
    start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    yield
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown * 1024 < 300 * MIB
    assert time.perf_counter() - start < 30


@pytest.fixture
def low_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bounds at a tenth, so that a test of them takes no ten seconds."""
    monkeypatch.setattr("tasks.dicom.parse.MAX_ELEMENTS", MAX_ELEMENTS // 10)
    monkeypatch.setattr("tasks.dicom.parse.MAX_VALUES", MAX_VALUES // 10)


def _deflated(body: bytes) -> bytes:
    uid = DEFLATED.encode()
    meta = struct.pack("<HH2sH", 2, 0x10, b"UI", len(uid)) + uid
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return bytes(128) + b"DICM" + meta + packer.compress(body) + packer.flush()


def _body(content: bytes) -> bytes:
    return content[content.index(b"\x08\x00\x05\x00") if b"\x08\x00\x05\x00CS" in content
                   else content.index(b"\x08\x00\x08\x00CS") :]  # fmt: skip


def _before_pixels(content: bytes, inserted: bytes) -> bytes:
    at = content.rindex(_PIXELS)
    return content[:at] + inserted + content[at:]


def _explicit(tag: int, vr: bytes, value: bytes) -> bytes:
    return struct.pack("<HH2sHI", tag >> 16, tag & 0xFFFF, vr, 0, len(value)) + value


def _nested(depth: int, *, closed: bool) -> bytes:
    opening = struct.pack(
        "<HH2sHIHHI", 0x0040, 0xA730, b"SQ", 0, 2**32 - 1, 0xFFFE, 0xE000, 2**32 - 1
    )
    closing = struct.pack("<HHIHHI", 0xFFFE, 0xE00D, 0, 0xFFFE, 0xE0DD, 0)
    return opening * depth + closing * depth * closed


def test_deflated_objects_are_read() -> None:
    body = [_body(to_bytes(ds)) for ds in pet_series(3)]
    assert settle([_deflated(b) for b in body]) == ["ingested"] * 3


def test_deflated_bomb() -> None:
    zeros = _explicit(0x00420011, b"OB", bytes(70 * MIB))
    bomb = _deflated(_before_pixels(_body(to_bytes(pet_series(1)[0])), zeros))
    assert len(bomb) < 100_000
    assert settle([bomb]) == ["oversized"]


@pytest.mark.parametrize("closed", [False, True])
@pytest.mark.parametrize("depth", [50, 400, 20_000])
def test_nested_sequences(depth: int, closed: bool) -> None:
    content = _before_pixels(to_bytes(pet_series(1)[0]), _nested(depth, closed=closed))
    assert settle([content])[0] in {"too_complex", "not_parseable", "truncated"}


def test_sequences_of_known_length_inside_each_other() -> None:
    value = b""
    for _ in range(60):
        item = struct.pack("<HHI", 0xFFFE, 0xE000, len(value)) + value
        value = _explicit(0x0040A730, b"SQ", item)
    assert settle([_before_pixels(to_bytes(pet_series(1)[0]), value)]) == ["too_complex"]


def test_flood_of_private_elements_is_a_long_header_only() -> None:
    flood = b"".join(
        struct.pack("<HH2sH", 0x0055, 0x1000 + number, b"LO", 0) for number in range(5000)
    )
    good = [to_bytes(ds) for ds in pet_series(3)]
    assert settle([_before_pixels(good[0], flood), *good[1:]]) == ["ingested"] * 3


@pytest.mark.usefixtures("low_bounds")
def test_more_elements_than_any_object_has() -> None:
    """Eight bytes an element: a file of 5 MB would become more than a gigabyte of objects."""
    item = struct.pack("<HHI", 0xFFFE, 0xE000, 0)
    sequence = _explicit(0x0040A730, b"SQ", item * (MAX_ELEMENTS // 4))
    assert settle([_before_pixels(to_bytes(pet_series(1)[0]), sequence)]) == ["too_complex"]


@pytest.mark.usefixtures("low_bounds")
def test_the_same_element_for_ever() -> None:
    content = to_bytes(pet_series(1)[0])
    with pytest.raises(RejectedObjectError, match="too_complex"):
        parse_dataset(content[: content.rindex(_PIXELS)] + bytes(20 * MIB))


@pytest.mark.usefixtures("low_bounds")
def test_millions_of_numbers_in_elements() -> None:
    """Each may have as many as a frame vector needs; together they may not fill the memory."""
    numbers = b"1\\" * 50_000 + b"1 "
    many = b"".join(_explicit(0x00551000 + n, b"UC", numbers) for n in range(10))
    with pytest.raises(RejectedObjectError, match="more values than any real object"):
        parse_dataset(_before_pixels(to_bytes(pet_series(1)[0]), many))


def test_one_element_with_too_many_numbers_counts_as_absent() -> None:
    numbers = b"1\\" * 5_000_000 + b"1 "
    content = _before_pixels(to_bytes(pet_series(1)[0]), _explicit(0x00551000, b"UC", numbers))
    assert 0x00551000 not in parse_dataset(content)


@pytest.mark.parametrize(("rows", "columns"), [(65535, 65535), (65535, 1), (20000, 20000)])
def test_gigantic_images(rows: int, columns: int) -> None:
    ds = pet_series(1)[0]
    ds.Rows, ds.Columns = rows, columns
    assert settle([to_bytes(ds)])[0] in {"oversized", "truncated"}


@pytest.mark.parametrize(
    "frames", ["2000000000", "0", "-1", "9" * 5000, "2.5", "1_0"], ids=lambda f: f[:11]
)
def test_lies_about_frames(frames: str) -> None:
    content = to_bytes(nm_tomogram(np.ones((3, 4, 4), np.uint16)))
    at = content.index(b"\x28\x00\x08\x00IS")
    value = frames.encode() + b" " * (len(frames) % 2)
    lie = content[: at + 6] + struct.pack("<H", len(value)) + value + content[at + 10 :]
    expected = {"oversized", "invalid_attribute", "truncated", "unsupported_object"}
    # What is no number for pydicom counts as absent: one frame.
    assert settle([lie])[0] in expected | {"single_slice"}


def test_thousands_of_digits() -> None:
    digits = b"9" * 5000
    frames = struct.pack("<HH2sH", 0x0028, 0x0008, b"IS", len(digits)) + digits
    content = to_bytes(pet_series(1)[0])
    at = content.index(b"\x28\x00\x10\x00US")
    assert settle([content[:at] + frames + content[at:]]) == ["invalid_attribute"]


def _with_size(content: bytes, old: bytes, new: bytes) -> bytes:
    at = content.index(old, content.rindex(_PIXELS))
    return content[:at] + new + content[at + len(old) :]


def test_code_streams_that_announce_another_size() -> None:
    """A decoder would allocate 60,000 x 60,000 samples before it notices."""
    seeds = hand_made_seeds()
    size = struct.pack(">II", 64, 64)
    spoilt = _with_size(seeds["pet-jpeg-2000"][0], size, struct.pack(">II", 60_000, 60_000))
    assert settle([spoilt, *seeds["pet-jpeg-2000"][1:]])[0] == "undecodable_pixels"
    old, new = struct.pack(">HH", 64, 64), struct.pack(">HH", 60_000, 60_000)
    spoilt = _with_size(seeds["pet-jpeg-ls"][0], old, new)
    assert settle([spoilt, *seeds["pet-jpeg-ls"][1:]])[0] == "undecodable_pixels"


def test_frames_that_a_few_bytes_cannot_hold() -> None:
    content = hand_made_seeds()["pet-rle"][0]
    for tag in (b"\x28\x00\x10\x00US", b"\x28\x00\x11\x00US"):
        at = content.index(tag) + 8
        content = content[:at] + struct.pack("<H", 20_000) + content[at + 2 :]
    assert settle([content]) == ["undecodable_pixels"]


def test_announced_sizes() -> None:
    siz = bytes.fromhex("ff4f ff51 002f 0000") + struct.pack(">IIII", 70, 52, 10, 2) + bytes(16)
    assert announced_size(siz + struct.pack(">H", 3)) == (50, 60, 3)
    jpeg_ls = bytes.fromhex("ffd8 ffe0 0004 0000 ffff fff7 000b 10 0007 0009 01 011100")
    assert announced_size(jpeg_ls) == (7, 9, 1)
    assert announced_size(b"\xff\xd8\xff\xc4\0\2") is None
    assert announced_size(b"\0" * 64) is None


@pytest.mark.parametrize(
    "charset",
    [b"ISO_IR 999", b"\xff\xfe\xfd ", b"ISO 2022 IR 87\\" * 40],
    ids=["none", "bytes", "many"],
)
def test_character_sets_that_do_not_exist(charset: bytes) -> None:
    value = charset + b" " * (len(charset) % 2)
    named = struct.pack("<HH2sH", 0x0008, 0x0005, b"CS", len(value)) + value
    spoilt = []
    for ds in pet_series(3):
        content = to_bytes(ds)
        at = content.index(b"\x08\x00\x08\x00CS")
        content = content[:at] + named + content[at:]
        spoilt.append(content.replace(b"Mustermann", b"M\xfcst\xe9rm\x1b$B"))
    assert settle(spoilt) == ["ingested"] * 3


def test_texts_where_sequences_belong_count_as_absent() -> None:
    """Whoever walks over the items of a text meets letters."""
    content = to_bytes(pet_series(1)[0])
    at = content.index(b"\x54\x00\x16\x00SQ")
    dataset = parse_dataset(content[: at + 4] + b"UT" + content[at + 6 :])
    assert "RadiopharmaceuticalInformationSequence" not in dataset
    at = content.index(b"\x10\x00\x30\x10DS")
    weight = _explicit(0x00101030, b"SQ", struct.pack("<HHI", 0xFFFE, 0xE000, 0))
    dataset = parse_dataset(content[:at] + weight + content[at + 8 + content[at + 6] :])
    assert "PatientWeight" not in dataset
    assert "PatientSize" in dataset
