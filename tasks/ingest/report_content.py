"""Content tree of a structured report: items with their concepts, walked with bounds."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from pydicom.dataset import Dataset

from schemas.errors import RejectedObjectError
from tasks.deidentify.codes import is_safe_code, is_safe_value
from tasks.deidentify.identity import IdentifierFilter
from tasks.dicom import values
from tasks.dicom.terminology import concept_code, is_published

#: Templates nest a handful of levels; deeper trees are damage or an attack.
MAX_DEPTH: Final = 16
#: An image library names every image; no report needs more items than this.
MAX_ITEMS: Final = 200_000
_NO_SPACE: Final = re.compile(r"\S+")


@dataclass(frozen=True, slots=True)
class Codes:
    """Reads coded concepts such that no free text passes for a code.

    Parameters
    ----------
    known : IdentifierFilter or None
        Identifying words of the object; None to let every code pass (no de-identification).
    """

    known: IdentifierFilter | None

    def first(self, item: Dataset, keyword: str) -> str | None:
        """First code of a code sequence as `concept_code`; None if absent or not safe."""
        return next(iter(self.all(item, keyword)), None)

    def all(self, item: Dataset, keyword: str) -> list[str]:
        """All codes of a code sequence that are complete and safe."""
        found = (self._code(code) for code in values.items(item, keyword))
        return [code for code in found if code]

    def unit(self, item: Dataset, keyword: str) -> str | None:
        """Return the unit as its UCUM code; another scheme's with its designator."""
        code = self.first(item, keyword)
        return code.removeprefix("UCUM:") if code else None

    def _code(self, item: Dataset) -> str | None:
        scheme = values.text(item, "CodingSchemeDesignator")
        value = values.text(item, "CodeValue") or values.text(item, "LongCodeValue")
        if not scheme or not value:
            return None
        code = concept_code(scheme, value)
        return code if is_published(code) or self._is_safe(scheme, value) else None

    def _is_safe(self, scheme: str, value: str) -> bool:
        if self.known is None:
            return True
        return (
            _NO_SPACE.fullmatch(value) is not None
            and is_safe_code(scheme, self.known)
            and is_safe_value(value, scheme, self.known)
        )


@dataclass(frozen=True, slots=True)
class ContentItem:
    """One item of the tree.

    Parameters
    ----------
    dataset : Dataset
        With its value.
    value_type : str
        CONTAINER, NUM, CODE, TEXT, UIDREF, IMAGE, COMPOSITE, SCOORD, SCOORD3D ...
    concept : str or None
        Code of its name.
    children : tuple of ContentItem
        What it contains, or what modifies it.

    References
    ----------
    DICOM PS3.3 C.17.3 and C.18.
    """

    dataset: Dataset
    value_type: str
    concept: str | None
    children: tuple[ContentItem, ...] = ()

    def named(self, *concepts: str) -> list[ContentItem]:
        """Children with one of the concepts, in order."""
        return [child for child in self.children if child.concept in concepts]

    def walk(self) -> Iterator[ContentItem]:
        """Yield this item, then all below it, each before its children."""
        waiting = [self]
        while waiting:
            item = waiting.pop()
            yield item
            waiting.extend(reversed(item.children))

    @property
    def is_content(self) -> bool:
        """False for what describes or sets the scene of its parent, rather than being in it."""
        kind = values.text(self.dataset, "RelationshipType")
        return kind not in ("HAS OBS CONTEXT", "HAS CONCEPT MOD", "HAS ACQ CONTEXT")

    @property
    def text(self) -> str:
        """Text Value (0040,A160): original, for cleaning only."""
        return values.text(self.dataset, "TextValue") or ""

    @property
    def uid(self) -> str | None:
        """UID (0040,A124), original."""
        return values.text(self.dataset, "UID")

    @property
    def reference(self) -> Dataset:
        """Item of Referenced SOP Sequence (0008,1199); empty if there is none."""
        return values.first_item(self.dataset, "ReferencedSOPSequence")

    def coded(self, codes: Codes) -> str | None:
        """Value of a CODE item."""
        return codes.first(self.dataset, "ConceptCodeSequence")


def read_content(dataset: Dataset, codes: Codes) -> ContentItem:
    """Read the content tree of a report.

    Parameters
    ----------
    dataset : Dataset
        The report.
    codes : Codes
        Reads concepts.

    Raises
    ------
    RejectedObjectError
        ``invalid_attribute``: deeper than `MAX_DEPTH` or more than `MAX_ITEMS` items.
    """
    left = [MAX_ITEMS]

    def read(item: Dataset, depth: int) -> ContentItem:
        if depth > MAX_DEPTH:
            raise RejectedObjectError(
                "invalid_attribute", f"content items nested more than {MAX_DEPTH} deep"
            )
        inner = values.items(item, "ContentSequence")
        left[0] -= len(inner)
        if left[0] < 0:
            raise RejectedObjectError("invalid_attribute", f"more than {MAX_ITEMS} content items")
        return ContentItem(
            item,
            values.text(item, "ValueType") or "",
            codes.first(item, "ConceptNameCodeSequence"),
            tuple(read(child, depth + 1) for child in inner),
        )

    return read(dataset, 0)
