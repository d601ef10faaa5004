"""What identifies in DICOM objects: names, numbers, birth dates, UIDs and free text.

A rule for every representation, so that nothing has to be listed by attribute. Left out is what may
stay by the profile: words of the vocabularies, defined terms, codes of published schemes, and
what a device says of itself.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from tasks.deidentify.actions import RULES, Action
from tasks.deidentify.descriptors import clean_words
from tasks.deidentify.pseudonyms import is_standard_uid
from tasks.deidentify.technique import clean_technique

_TEXT: Final = frozenset({"AE", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"})
_BINARY: Final = frozenset({"UN", "OB", "OW"})
#: Said of the device, of codes and of defined forms: stay by the profile.
_STAYS: Final = frozenset({Action.DEVICE, Action.CODE, Action.OFFSET, Action.AGE})
#: Shorter values occur by chance.
_MIN_LENGTH: Final = 5
_MIN_DIGITS: Final = 7
_PRINTABLE: Final = re.compile(rb"[\x20-\x7e]{8,}")
_UID: Final = re.compile(r"(?<![\d.])\d+(?:\.\d+){3,}(?![\d.])")


@dataclass
class Secrets:
    """Identifying values by kind."""

    uids: set[str] = field(default_factory=set)
    texts: dict[str, str] = field(default_factory=lambda: defaultdict(str))
    birth_dates: set[str] = field(default_factory=set)

    def add(self, ds: Dataset) -> None:
        """Take the values of one object, at any depth."""
        for element in _all_elements(ds):
            self._add_element(element)

    def _add_element(self, element: DataElement) -> None:
        values = element.value if element.VM > 1 else [element.value]
        if element.VR == "UI":
            self.uids |= {str(v) for v in values if v and not is_standard_uid(str(v))}
        elif element.tag == Tag("PatientBirthDate"):
            self.birth_dates |= {str(v) for v in values if re.fullmatch(r"\d{8}", str(v))}
        elif element.VR in _TEXT:
            for value in values:
                self._add_text(element, str(value))
        elif element.VR in _BINARY and isinstance(element.value, bytes) and element.tag.is_private:
            for run in _PRINTABLE.findall(element.value[:4096]):
                self._add_text(element, run.decode("ascii"))

    def _add_text(self, element: DataElement, text: str) -> None:
        rule = RULES.get(element.tag)
        if rule is not None and rule.action in _STAYS:
            return
        parts = re.split(r"[\^=]", text) if element.VR == "PN" else []
        for part in (text, *parts):
            value = part.strip(" \0\r\n\t").casefold()
            if is_identifying(value):
                self.texts[value] = element.keyword or str(element.tag)

    def leaks(self, text: str) -> list[str]:
        """Name the attributes whose values stand in a text (never the values)."""
        folded = text.casefold()
        found = {f"UID {uid[:0]}" for uid in _UID.findall(text) if uid in self.uids}
        found |= {name for value, name in self.texts.items() if _stands_in(value, folded)}
        dates = set(re.findall(r"(?<![\d.])(?:19|20)\d{2}-?\d{2}-?\d{2}(?!\d)", text))
        if {d.replace("-", "") for d in dates} & self.birth_dates:
            found.add("birth date")
        return sorted(found)


def is_identifying(value: str) -> bool:
    """Say whether a text, in lower case, tells anything that the profile does not allow."""
    if len(value) < (_MIN_DIGITS if value.isdigit() else _MIN_LENGTH):
        return False
    if re.fullmatch(r"[\d.\s,:/+-]*", value) and len(re.findall(r"\d", value)) < _MIN_DIGITS:
        return False
    letters = re.findall(r"[^\W\d_]{2,}", value)
    words = {word for text in clean_words(value) for word in re.findall(r"[^\W\d_]{2,}", text)}
    return clean_technique(value) != value and (not letters or not set(letters) <= words)


def _stands_in(value: str, folded: str) -> bool:
    if value not in folded:
        return False
    # a number may be part of a longer one by chance
    return not value.isdigit() or re.search(rf"(?<!\d){value}(?!\d)", folded) is not None


def _all_elements(ds: Dataset) -> Iterator[DataElement]:
    for tag in list(ds.keys()):
        try:
            element = ds[tag]
        except (ValueError, TypeError, KeyError, NotImplementedError, AttributeError):
            continue  # a value that pydicom cannot read is no text
        if element.VR == "SQ":
            for item in element.value or ():
                yield from _all_elements(item)
        else:
            yield element


def collect(datasets: Iterable[Dataset]) -> Secrets:
    """Secrets of many objects."""
    found = Secrets()
    for ds in datasets:
        found.add(ds)
    return found
