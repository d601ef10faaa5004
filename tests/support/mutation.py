"""Damage to DICOM objects, as transfers, bad exports and malice make it.

Every kind of mutation takes the bytes of an object and a source of chance and returns other bytes;
the same chance gives the same damage, so that a case can be named by its number.
"""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Callable
from functools import cache
from typing import Final

from pydicom.datadict import dictionary_VR

from tasks.dicom.encoding import (
    DEFLATED,
    EXPLICIT_BIG,
    EXPLICIT_LITTLE,
    IMPLICIT_LITTLE,
    LONG_VR,
    Layout,
    read_layout,
)
from tasks.dicom.flat_walk import ElementPlace, walk_flat

Mutation = Callable[[bytes, random.Random], bytes]

_VRS: Final = (
    b"AE AS AT CS DA DS DT FD FL IS LO LT OB OD OF OL OV OW PN SH SL SQ SS ST SV TM UC UI UL UN UR "
    b"US UT UV ZZ xx \0\0"
).split(b" ")  # fmt: skip
_LENGTHS: Final = (0, 1, 2, 3, 255, 0x7FFF, 0xFFFE, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFE, 0xFFFFFFFF)
_SYNTAXES: Final = (
    IMPLICIT_LITTLE, EXPLICIT_LITTLE, EXPLICIT_BIG, DEFLATED, "1.2.840.10008.1.2.4.50",
    "1.2.840.10008.1.2.4.51", "1.2.840.10008.1.2.4.57", "1.2.840.10008.1.2.4.70",
    "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.81", "1.2.840.10008.1.2.4.90",
    "1.2.840.10008.1.2.4.91", "1.2.840.10008.1.2.4.100", "1.2.840.10008.1.2.4.201",
    "1.2.840.10008.1.2.5", "1.2.840.113619.5.2", "1.2.3", "not a UID", "",
)  # fmt: skip
_TEXTS: Final = (
    b"", b"0", b"-1", b"-0", b"1e308", b"1e-308", b"1e999", b"-1e999", b"nan", b"inf", b"1_0",
    b"0x10", b"1,5", b"999999999999", b"9" * 5000, b"-" + b"9" * 400, b"1\\2\\3\\4\\5\\6\\7",
    b"\\" * 64, b"1\\" * 3000 + b"1", b"\0" * 16, b"\xff" * 32, "\u0663".encode(), b"\x1b$B\x1b(J",
    b"20991399", b"00000000", b"99999999999999.999999+9999", b"250000.000000", b"1.2.3.", b".",
    b"1." * 40, b"A" * 70000,
)  # fmt: skip
_BINARIES: Final = (b"", b"\0", b"\0\0", b"\1\0", b"\xff\xff", b"\0\x80", b"\xff" * 8, b"\0" * 64)
_STRUCTURE: Final = (
    0x00280002, 0x00280008, 0x00280010, 0x00280011, 0x00280100, 0x00280101, 0x00280102, 0x00280103,
    0x00540081, 0x00540080, 0x00200032, 0x00200037, 0x00280030, 0x00180088, 0x00281052, 0x00281053,
    0x30060050, 0x30060046, 0x00620004, 0x0062000B,
)  # fmt: skip
_CHARSETS: Final = (
    b"ISO_IR 999", b"ISO 2022 IR 87\\ISO 2022 IR 149", b"GB18030", b"UTF-8\\UTF-8", b"\xff\xfe",
    b"ISO_IR 192", b"\\ISO 2022 IR 58", b"A" * 3000,
)  # fmt: skip


def _layout(data: bytes) -> Layout:
    return read_layout(data) or Layout(EXPLICIT_LITTLE, min(132, len(data)))


def _places(data: bytes) -> list[ElementPlace]:
    layout = _layout(data)
    return [] if layout.transfer_syntax_uid == DEFLATED else list(walk_flat(data, layout))


def _some_place(data: bytes, rng: random.Random) -> ElementPlace | None:
    places = _places(data)
    return rng.choice(places) if places else None


def _order(data: bytes) -> str:
    return ">" if _layout(data).transfer_syntax_uid == EXPLICIT_BIG else "<"


def _with_value(data: bytes, place: ElementPlace, value: bytes) -> bytes:
    """Give an element another value with the right length."""
    if place.length == 0xFFFFFFFF:
        return data
    value += b" " * (len(value) % 2)
    long = not place.vr or place.vr in LONG_VR
    value = value if long else value[:0xFFFE]
    length: bytes = struct.pack(_order(data) + ("I" if long else "H"), len(value))
    head = data[: place.value - len(length)]
    return head + length + value + data[place.value + place.length :]


def byte_flips(data: bytes, rng: random.Random) -> bytes:
    """Flip some bits of the header."""
    changed = bytearray(data)
    reach = min(len(data), _header_end(data)) if rng.random() < 0.8 else len(data)
    for _ in range(rng.choice((1, 1, 2, 5, 20, 200))):
        changed[rng.randrange(reach)] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _header_end(data: bytes) -> int:
    places = _places(data)
    return max(places[-1].value if places else 0, 200)


def splice(data: bytes, rng: random.Random) -> bytes:
    """Copy a stretch of the object somewhere else, over what is there or between it."""
    size = rng.choice((1, 2, 7, 8, 64, 1000))
    source = rng.randrange(len(data))
    at = rng.randrange(min(len(data), _header_end(data)))
    chunk = data[source : source + size]
    return data[:at] + chunk + data[at + (len(chunk) if rng.random() < 0.5 else 0) :]


def length_edit(data: bytes, rng: random.Random) -> bytes:
    """State another length for an element."""
    place = _some_place(data, rng)
    if place is None:
        return truncation(data, rng)
    near = (place.length + rng.choice((-2, -1, 1, 2, 8)), len(data) - place.value)
    length = rng.choice((*_LENGTHS, *near))
    size = 4 if not place.vr or place.vr in LONG_VR else 2
    stated = (length % (1 << 8 * size)).to_bytes(size, "big" if _order(data) == ">" else "little")
    return data[: place.value - size] + stated + data[place.value :]


def vr_edit(data: bytes, rng: random.Random) -> bytes:
    """State another VR for an element."""
    place = _some_place(data, rng)
    if place is None:
        return byte_flips(data, rng)
    at = place.start + 4
    return data[:at] + rng.choice(_VRS)[:2].ljust(2, b"\0") + data[at + 2 :]


def truncation(data: bytes, rng: random.Random) -> bytes:
    """End the object somewhere."""
    reach = len(data) if rng.random() < 0.5 else min(len(data), _header_end(data))
    return data[: rng.randrange(reach)]


def duplication(data: bytes, rng: random.Random) -> bytes:
    """Repeat an element, there or elsewhere."""
    place, other = _some_place(data, rng), _some_place(data, rng)
    if place is None or other is None:
        return splice(data, rng)
    end = place.value + (place.length if place.length < len(data) else 0)
    at = end if rng.random() < 0.5 else other.start
    return data[:at] + data[place.start : end] * rng.choice((1, 2, 50)) + data[at:]


def deletion(data: bytes, rng: random.Random) -> bytes:
    """Leave out an element."""
    place = _some_place(data, rng)
    if place is None:
        return truncation(data, rng)
    end = place.value + (place.length if place.length < len(data) else 0)
    return data[: place.start] + data[end:]


def extreme_value(data: bytes, rng: random.Random) -> bytes:
    """Give an element a value at or beyond the limits of its VR."""
    place = _some_place(data, rng)
    return byte_flips(data, rng) if place is None else _extreme(data, place, rng)


def _extreme(data: bytes, place: ElementPlace, rng: random.Random) -> bytes:
    is_binary = _vr(place) in ("US", "SS", "UL", "SL", "FL", "FD", "AT", "OB", "OW", "UN")
    return _with_value(data, place, rng.choice(_BINARIES if is_binary else _TEXTS))


def _vr(place: ElementPlace) -> str:
    try:
        return place.vr.decode("ascii", "replace") or dictionary_VR(place.tag)
    except KeyError:
        return "UN"


def structure_lie(data: bytes, rng: random.Random) -> bytes:
    """Lie about size, frames, position or scale."""
    places = [p for p in _places(data) if p.tag in _STRUCTURE]
    if not places:
        return extreme_value(data, rng)
    for place in sorted(rng.sample(places, min(len(places), rng.choice((1, 1, 2, 4)))),
                        key=lambda p: -p.start):  # fmt: skip
        data = _extreme(data, place, rng)
    return data


def pixel_damage(data: bytes, rng: random.Random) -> bytes:
    """Damage the pixel data: bits, markers, fragments, size."""
    places = _places(data)
    start = places[-1].value if places and places[-1].tag >> 16 == 0x7FE0 else len(data) // 2
    pixels = bytearray(data[start:])
    if not pixels:
        return truncation(data, rng)
    for _ in range(rng.choice((1, 3, 30))):
        at = rng.randrange(min(len(pixels), rng.choice((64, 300, len(pixels)))))
        how = rng.randrange(4)
        if how == 0:
            pixels[at] ^= 1 << rng.randrange(8)
        elif how == 1:
            pixels[at : at + 4] = rng.choice((b"\xff" * 4, b"\0" * 4, b"\xff\xd9\xff\xd8"))
        elif how == 2:
            del pixels[at : at + rng.choice((1, 8, 5000))]
        else:
            pixels[at:at] = rng.randbytes(rng.choice((1, 8, 500)))
        if not pixels:
            break
    return data[:start] + bytes(pixels)


def syntax_swap(data: bytes, rng: random.Random) -> bytes:
    """Name another transfer syntax than the one used."""
    at = data.find(b"\x02\x00\x10\x00UI")
    if at < 0:
        return byte_flips(data, rng)
    length = int.from_bytes(data[at + 6 : at + 8], "little")
    value = rng.choice(_SYNTAXES).encode()
    value += b"\0" * (len(value) % 2)
    return data[: at + 6] + struct.pack("<H", len(value)) + value + data[at + 8 + length :]


def nesting(data: bytes, rng: random.Random) -> bytes:
    """Nest sequences deeply, closed or not."""
    layout, place = _layout(data), _some_place(data, rng)
    order = _order(data)
    depth = rng.choice((5, 40, 400, 5000))
    if layout.is_explicit:
        opening = struct.pack(order + "HH2sHI", 0x0008, 0x1140, b"SQ", 0, 0xFFFFFFFF)
    else:
        opening = struct.pack("<HHI", 0x0008, 0x1140, 0xFFFFFFFF)
    opening += struct.pack(order + "HHI", 0xFFFE, 0xE000, 0xFFFFFFFF)
    closing = struct.pack(order + "HHIHHI", 0xFFFE, 0xE00D, 0, 0xFFFE, 0xE0DD, 0)
    bomb = opening * depth + (closing * depth if rng.random() < 0.5 else b"")
    at = len(data) if place is None else place.start
    return data[:at] + bomb + data[at:]


def flood(data: bytes, rng: random.Random) -> bytes:
    """Put in thousands of private elements."""
    layout, places = _layout(data), _places(data)
    at = next((p.start for p in places if p.tag > 0x00091000), len(data))
    order, explicit = _order(data), layout.is_explicit
    many = []
    for number in range(rng.choice((200, 1000, 5000))):
        group, element = 0x0009 + 2 * (number // 0x8000), 0x1000 + number % 0x8000
        if explicit:
            many.append(struct.pack(order + "HH2sH", group, element, b"LO", 0))
        else:
            many.append(struct.pack("<HHI", group, element, 0))
    return data[:at] + b"".join(many) + data[at:]


def charset(data: bytes, rng: random.Random) -> bytes:
    """Name odd character sets and fill texts with bytes of none."""
    places = [p for p in _places(data) if _vr(p) in ("LO", "SH", "PN", "CS", "ST", "LT", "UI")]
    for place in sorted(rng.sample(places, min(3, len(places))), key=lambda p: -p.start):
        data = _with_value(data, place, rng.randbytes(rng.choice((1, 16, 64))))
    named = next((p for p in _places(data) if p.tag == 0x00080005), None)
    return data if named is None else _with_value(data, named, rng.choice(_CHARSETS))


def reorder(data: bytes, rng: random.Random) -> bytes:
    """Move an element somewhere else."""
    place, other = _some_place(data, rng), _some_place(data, rng)
    if place is None or other is None:
        return splice(data, rng)
    end = place.value + (place.length if place.length < len(data) else 0)
    element = data[place.start : end]
    rest, at = data[: place.start] + data[end:], other.start
    at -= len(element) if at >= end else 0
    return rest[:at] + element + rest[at:]


def deflated(data: bytes, rng: random.Random) -> bytes:
    """Deflate the data set: rightly, damaged, cut off or as a bomb."""
    body, how = data[_layout(data).start :], rng.randrange(4)
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    # A full flush lets another deflated stream follow: the bomb is made once.
    packed = bytearray(packer.compress(body) + packer.flush(zlib.Z_FULL_FLUSH) + _zeros(how == 3))
    if how == 1 and packed:
        packed[rng.randrange(len(packed))] ^= 0xFF
    elif how == 2:
        packed = packed[: rng.randrange(len(packed))]
    syntax = DEFLATED.encode() + b"\0" * (len(DEFLATED) % 2)
    meta = struct.pack("<HH2sH", 2, 0x10, b"UI", len(syntax)) + syntax
    return bytes(128) + b"DICM" + meta + bytes(packed)


@cache
def _zeros(many: bool) -> bytes:
    """End of a deflated stream: nothing, or 100 MiB of zeros."""
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(bytes(100 * 2**20 if many else 0)) + packer.flush()


MUTATIONS: Final[dict[str, Mutation]] = {
    "byte_flips": byte_flips, "splice": splice, "length_edit": length_edit, "vr_edit": vr_edit,
    "truncation": truncation, "duplication": duplication, "deletion": deletion,
    "extreme_value": extreme_value, "structure_lie": structure_lie, "pixel_damage": pixel_damage,
    "syntax_swap": syntax_swap, "nesting": nesting, "flood": flood, "charset": charset,
    "reorder": reorder, "deflated": deflated,
}  # fmt: skip


def mutate(data: bytes, kind: str, rng: random.Random) -> bytes:
    """Damage an object once, sometimes several times in the same way."""
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        data = MUTATIONS[kind](data, rng) if data else data
    return data
