"""Cleaning of one data set and its sequence items, attribute by attribute."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Final

from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as DicomSequence
from pydicom.tag import BaseTag, Tag

from schemas.errors import RejectedObjectError
from tasks.deidentify.actions import RULES, Action, Rule
from tasks.deidentify.codes import is_safe_code, is_safe_value
from tasks.deidentify.dates import cap_age, keep_tm, shift_da, shift_dt
from tasks.deidentify.descriptors import clean_label, clean_words
from tasks.deidentify.elements import (
    Element,
    checked_number,
    element_of,
    first_text,
    new_element,
    texts,
)
from tasks.deidentify.identity import IdentifierFilter
from tasks.deidentify.private import is_candidate, safe_private
from tasks.deidentify.pseudonyms import Pseudonyms
from tasks.deidentify.technique import OTHER, clean_technique
from tasks.deidentify.terms import TERMS, defined_term

_TERM: Final = re.compile(r"[A-Za-z0-9 _.+/-]{0,64}")
_DEVICE: Final = re.compile(r"[ -~]{0,256}")
_OFFSET: Final = re.compile(r"[+-](?:0\d|1[0-4])[0-5]\d")
_CODING_SCHEME: Final = Tag(0x0008, 0x0102)
_CODE_VALUE: Final = Tag(0x0008, 0x0100)
_PARSED: Final = frozenset({"DS", "IS"})
#: Deeper nesting occurs in no definition and could exhaust the stack.
_DEEPEST: Final = 16


class Cleaner:
    """Cleans the data sets of one object: the object itself and its sequence items.

    Parameters
    ----------
    pseudonyms : Pseudonyms
        The pseudonymiser.
    patient_key : str
        Key of the patient; decides the shift of dates.
    known : IdentifierFilter
        Finds identifying words of the object in text that would stay.
    """

    def __init__(self, pseudonyms: Pseudonyms, patient_key: str, known: IdentifierFilter) -> None:
        self._pseudonyms = pseudonyms
        self._patient_key = patient_key
        self._known = known
        self._days = pseudonyms.shift_days(patient_key)
        self._per_value: dict[Action, Callable[[str], str]] = {
            Action.DATE: lambda t: shift_da(t, self._days),
            Action.DATETIME: lambda t: shift_dt(t, self._days),
            Action.TIME: keep_tm,
            Action.AGE: cap_age,
            Action.OFFSET: lambda t: t if _OFFSET.fullmatch(t) else "",
            Action.TERM: lambda t: self._kept(t, _TERM),
            Action.DEVICE: lambda t: self._kept(t, _DEVICE),
            Action.TECHNIQUE: lambda t: clean_technique(t) if self._known.is_clean(t) else OTHER,
            Action.CLEAN: lambda t: " ".join(clean_words(t)),
            Action.LABEL: clean_label,
            Action.UID: pseudonyms.uid,
            Action.PATIENT: lambda _: patient_key,
            Action.CENTRE: pseudonyms.centre,
        }

    def cleaned(self, dataset: Dataset, depth: int = 0) -> Dataset:
        """Return a new data set of what is safe.

        Parameters
        ----------
        dataset : Dataset
            Object or sequence item; not changed.
        depth : int
            Nesting of the item.

        Raises
        ------
        RejectedObjectError
            ``deidentification_failed`` if sequences are nested without end.
        """
        if depth > _DEEPEST:
            raise RejectedObjectError("deidentification_failed", "sequences are nested too deeply")
        safe = Dataset()
        private: list[BaseTag] = []
        for tag in sorted(dataset.keys()):
            rule = RULES.get(tag)
            if rule is not None:
                element = self._element(dataset, tag, rule, depth)
                if element is not None:
                    safe[tag] = element
            elif tag.is_private and is_candidate(tag):
                private.append(tag)
        for element in safe_private(dataset, private, self._days) if private else ():
            safe[element.tag] = element
        return safe

    def _element(self, dataset: Dataset, tag: BaseTag, rule: Rule, depth: int) -> Element | None:
        if rule.action is Action.SEQUENCE:
            return self._sequence(dataset, tag, depth)
        element = element_of(dataset, tag)
        if element is None or rule.action is Action.BULK:
            safe = element
        elif rule.action is Action.EMPTY:
            safe = new_element(tag, rule.vr, [])
        elif rule.action is Action.NUMBER:
            safe = self._number(element, rule)
        elif rule.action is Action.CODE:
            safe = self._code(dataset, tag, rule)
        else:
            safe = self._text(element, rule)
        return safe

    def _number(self, element: Element, rule: Rule) -> Element | None:
        safe = checked_number(element, rule.vr, rule.max_values)
        value = None if safe is None else safe.value
        # Binary numbers could spell out anything; DS and IS have been parsed.
        if isinstance(value, bytes) and rule.vr not in _PARSED and self._known.is_spelt_in(value):
            return None
        return safe

    def _text(self, element: Element, rule: Rule) -> Element | None:
        change = self._per_value[rule.action]
        if rule.action is Action.TERM and element.tag in TERMS:
            change = partial(_defined, element.tag)
        old = texts(element)
        new = [change(text) if text else "" for text in old]
        # An empty value is itself a statement of the object (type 2); a dropped one is not.
        if any(old) and not any(new):
            return None
        if rule.vr in {"LO", "SH"} and rule.action in {Action.CLEAN, Action.LABEL}:
            longest = 16 if rule.vr == "SH" else 64
            new = [text[:longest].rstrip(" _") for text in new]
        return new_element(element.tag, rule.vr, new)

    def _kept(self, text: str, form: re.Pattern[str]) -> str:
        return text if form.fullmatch(text) and self._known.is_clean(text) else ""

    def _code(self, dataset: Dataset, tag: BaseTag, rule: Rule) -> Element | None:
        text = first_text(dataset, tag)
        if tag == _CODE_VALUE:
            is_safe = is_safe_value(text, first_text(dataset, _CODING_SCHEME), self._known)
        else:
            is_safe = is_safe_code(text, self._known)
        if not is_safe:
            return None
        return new_element(tag, rule.vr, [text])

    def _sequence(self, dataset: Dataset, tag: BaseTag, depth: int) -> DataElement | None:
        value = dataset[tag].value
        if not isinstance(value, DicomSequence):
            return None
        return DataElement(tag, "SQ", DicomSequence([self.cleaned(i, depth + 1) for i in value]))


def _defined(tag: int, text: str) -> str:
    # Not held against the words of the patient: a Mr Norm must not cost the normalisation.
    return defined_term(tag, text) or ""
