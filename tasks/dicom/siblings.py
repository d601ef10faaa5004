"""Slices of one series differ in few elements: skip what is the same, byte for byte.

A `Template` holds the constant stretches of a series' headers. Comparing them is one memory
comparison each; only the elements between them are looked at one by one. Whatever does not fit is
walked over completely, and the template learns which elements differed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from tasks.dicom.elements import PIXEL_DATA, RawElements, is_private_quantity
from tasks.dicom.encoding import LONG_VR, Layout

#: Elements that differ in nearly every slice: learned before the first comparison.
_USUAL = frozenset(
    {0x00080018, 0x00200013, 0x00200032, 0x00201041, 0x00281053, 0x00541330, PIXEL_DATA}
)


class SiblingElements(RawElements):
    """Elements of a slice of which most are the same as in `base`.

    Parameters
    ----------
    data : bytes
        The object.
    found : mapping
        Places of the elements that may differ.
    base : RawElements
        Elements of the slice that the template was made from.
    """

    __slots__ = ("base",)

    def __init__(
        self, data: bytes, found: Mapping[int, tuple[int, int]], base: RawElements
    ) -> None:
        super().__init__(data, found)
        self.base = base

    def __contains__(self, tag: int) -> bool:
        return tag in self.found or tag in self.base.found

    def value(self, tag: int) -> bytes | None:
        """Bytes of an element, from this slice if it may differ, else from the base."""
        place = self.found.get(tag)
        if place is None:
            return self.base.value(tag)
        return self.data[place[0] : place[0] + place[1]]

    def tags(self) -> Iterable[int]:
        """Tags of all elements, ascending."""
        return self.base.found

    def short_key(self, tags: frozenset[int]) -> tuple[int, bytes]:
        """Return a key of the elements that may differ, of how many these are, and of the base.

        A template only ever learns more of them, so their number says which stretches were equal.
        """
        data, found = self.data, self.found
        parts = [len(found).to_bytes(4, "big")]
        for tag in _quantities(tuple(found), tags):
            offset, length = found[tag]
            parts += [tag.to_bytes(4, "big"), data[offset : offset + length]]
        return id(self.base), b"\x1e".join(parts)


@lru_cache(maxsize=64)
def _quantities(found: tuple[int, ...], tags: frozenset[int]) -> tuple[int, ...]:
    """Those of the elements found that are among `tags`, or private ones that SUV rules look at."""
    return tuple(t for t in found if t in tags or (t & 0x00010000 and is_private_quantity(t)))


#: Constant bytes up to the value of an element, how many, those up to its VR and length; its tag,
#: and the length of its value in the base.
_Part = tuple[bytes, int, bytes, int, int]


@dataclass(slots=True)
class Template:
    """Constant stretches of the headers of one series, and the elements between them.

    Parameters
    ----------
    layout : Layout
        Of the base.
    base : RawElements
        First slice, walked over completely.
    """

    layout: Layout
    base: RawElements
    varying: set[int] = field(default_factory=lambda: set(_USUAL))
    _parts: list[_Part] = field(default_factory=list)
    _tail: bytes = b""

    def __post_init__(self) -> None:
        self._rebuild()

    def match(self, data: bytes, layout: Layout) -> SiblingElements | None:
        """Find the elements of a sibling; None if a stretch that should be constant is not."""
        if layout.transfer_syntax_uid != self.layout.transfer_syntax_uid:
            return None
        found = self._match(data, layout.start)
        return None if found is None else SiblingElements(data, found, self.base)

    def learn(self, other: RawElements) -> bool:
        """Take note of what differs in another slice; False if that has other elements."""
        if other.found.keys() != self.base.found.keys():
            return False
        differing = {
            tag for tag in other.found if other.value(tag) != self.base.value(tag)
        } - self.varying
        if any(_is_open_ended(e, tag) for e in (self.base, other) for tag in differing):
            return False  # where it ends has to be found out by walking
        if differing:
            self.varying |= differing
            self._rebuild()
        return True

    def _match(self, data: bytes, position: int) -> dict[int, tuple[int, int]] | None:
        found: dict[int, tuple[int, int]] = {}
        for stretch, n_stretch, start, tag, usual in self._parts:
            length = usual
            # Usually the element is as long as that of the base: then its header is the same too.
            if data.startswith(stretch, position):
                position += n_stretch
            elif data.startswith(start, position):
                measured = self._measured(data, position + len(start))
                if measured is None:
                    return None
                position, length = measured
            else:
                return None
            found[tag] = (position, length)
            if tag != PIXEL_DATA:
                position += length
        return found if data.startswith(self._tail, position) and position <= len(data) else None

    def _measured(self, data: bytes, position: int) -> tuple[int, int] | None:
        """Offset and length of the value of an element whose tag ends at `position`."""
        if position + 8 > len(data):
            return None
        if not self.layout.is_explicit:
            return position + 4, int.from_bytes(data[position : position + 4], "little")
        if data[position : position + 2] in LONG_VR:
            return position + 8, int.from_bytes(data[position + 4 : position + 8], "little")
        return position + 4, int.from_bytes(data[position + 2 : position + 4], "little")

    def _rebuild(self) -> None:
        """Cut the base's bytes at the elements that vary."""
        data, start = self.base.data, self.layout.start
        self._parts = []
        for tag, (offset, length) in self.base.found.items():
            if tag not in self.varying:
                continue
            header = offset - self._header_bytes(tag, offset)
            stretch = data[start:offset]
            self._parts.append((stretch, len(stretch), data[start:header], tag, length))
            start = offset + length
        self._tail = b"" if PIXEL_DATA in self.base.found else data[start:]

    def _header_bytes(self, tag: int, offset: int) -> int:
        """Bytes of VR and length between a tag and its value: 4, or 8 after a long VR."""
        group, element = tag >> 16, tag & 0xFFFF
        code = group.to_bytes(2, "little") + element.to_bytes(2, "little")
        return 4 if self.base.data[offset - 8 : offset - 4] == code else 8


def _is_open_ended(elements: RawElements, tag: int) -> bool:
    """Tell whether an element is a sequence of undefined length."""
    offset = elements.found[tag][0]
    return elements.data[offset - 4 : offset] == b"\xff\xff\xff\xff"
