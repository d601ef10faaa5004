"""Coded strings that reach the lake are defined terms, or ``UNKNOWN``."""

from __future__ import annotations

import pytest
from pydicom.config import IGNORE
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset

from tasks.deidentify import Pseudonymiser, deidentify
from tasks.deidentify.actions import RULES, Action
from tasks.deidentify.terms import TERMS

PSEUDONYMS = Pseudonymiser(bytes(16))


def _cleaned(keyword: str, value: str | list[str]) -> object:
    ds = Dataset()
    ds.PatientID, ds.PatientName = "4711", "Norm^Attn"
    tag = tag_for_keyword(keyword)
    assert tag is not None
    ds[tag] = DataElement(tag, dictionary_VR(tag), value, validation_mode=IGNORE)
    found = deidentify(ds, PSEUDONYMS).get(keyword)
    return list(found) if isinstance(value, list) else found


@pytest.mark.parametrize(
    ("keyword", "value", "expected"),
    [
        ("Modality", "PT", "PT"),
        ("Modality", "KUCKUCK", "UNKNOWN"),
        ("PatientSex", "F", "F"),
        ("PatientSex", "DOE", "UNKNOWN"),
        ("Units", "BQML", "BQML"),
        ("Units", "KUCKUCK", "UNKNOWN"),
        ("SeriesType", ["WHOLE BODY", "IMAGE"], ["WHOLE BODY", "IMAGE"]),
        # the patient is called like a correction, which must not cost it
        ("CorrectedImage", ["NORM", "ATTN", "DOE"], ["NORM", "ATTN", "UNKNOWN"]),
    ],
)
def test_terms(keyword: str, value: str | list[str], expected: object) -> None:
    assert _cleaned(keyword, value) == expected


def test_the_lists_are_for_coded_strings_that_stay() -> None:
    assert all(RULES[tag].action is Action.TERM for tag in TERMS)
    assert all(len(term) <= 16 for terms in TERMS.values() for term in terms)
