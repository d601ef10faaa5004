"""What identifies in DICOM objects: names, numbers, birth dates, UIDs and free text.

A rule for every representation, so that nothing has to be listed by attribute. Left out is what may
stay by the profile: words of the vocabularies, defined terms, codes of published schemes, and
what a device says of itself.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Final

from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from schemas.columns import COLUMNS
from schemas.reasons import REASONS
from tasks.deidentify.actions import RULES, Action
from tasks.deidentify.codes import PUBLISHED_SCHEMES
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
_WORD: Final = re.compile(r"[^\W\d_]{2,}")
_UID: Final = re.compile(r"(?<![\d.])\d+(?:\.\d+){3,}(?![\d.])")


@dataclass
class Secrets:
    """Identifying values by kind."""

    uids: set[str] = field(default_factory=set)
    stays: set[str] = field(default_factory=set)
    texts: dict[str, str] = field(default_factory=dict)
    birth_dates: set[str] = field(default_factory=set)

    def add(self, ds: Dataset) -> None:
        """Take the values of one object, at any depth."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what planted values deserve
            for element in _all_elements(ds):
                self._add_element(element)
        kept = "\n".join(self.stays)
        self.texts = {text: name for text, name in self.texts.items() if text not in kept}

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
            self.stays.add(text.strip(" \0").casefold())
            return
        if element.tag.is_private_creator or element.keyword == "DimensionDescriptionLabel":
            return  # names of formats and of attributes
        parts = re.split(r"[\^=]", text) if element.VR == "PN" else []
        for part in (text, *parts):
            value = part.strip(" \0\r\n\t").casefold()
            if is_identifying(value):
                self.texts[value] = element.keyword or str(element.tag)

    def leaks(self, text: str) -> list[str]:
        """Name the attributes whose values stand in a text (never the values)."""
        folded = text.casefold()
        found = {"UID" for uid in _UID.findall(text) if uid in self.uids}
        found |= {name for text, name in self.texts.items() if _stands_in(text, folded)}
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
    words = set(_WORD.findall(value))
    allowed = {word for text in clean_words(value) for word in _WORD.findall(text)} | _own_words()
    return clean_technique(value) != value and not (words and words <= allowed)


@cache
def _own_words() -> frozenset[str]:
    """Words of our own: descriptions of columns, sentences of reasons; ``anonymous`` of Prefect."""
    texts = [f"{c.name} {c.description} {c.source}" for c in COLUMNS.values()]
    return frozenset(_WORD.findall(" ".join([*texts, *REASONS.values(), "anonymous"]).lower()))


def _stands_in(value: str, folded: str) -> bool:
    # as words of their own: "Doe" is not in "does", a number not in a longer one
    place = folded.find(value)
    while place >= 0:
        end = place + len(value)
        before, after = folded[max(place - 1, 0) : place], folded[end : end + 1]
        if not (before.isalnum() or after.isalnum()):
            return True
        place = folded.find(value, place + 1)
    return False


def _all_elements(ds: Dataset) -> Iterator[DataElement]:
    is_published = str(ds.get("CodingSchemeDesignator", "")) in PUBLISHED_SCHEMES
    for tag in list(ds.keys()):
        if is_published and tag == Tag("CodeMeaning"):
            continue  # a term of a published table
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
