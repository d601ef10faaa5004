"""Every attribute of PS3.15 Table E.1-1: what we do is what it says, or is explained."""

from __future__ import annotations

import pytest
from pydicom.datadict import tag_for_keyword

from tests.support import standard_table
from tests.support.standard_table import Observation, observations, repeating_groups


@pytest.fixture(scope="module")
def seen() -> dict[int, Observation]:
    return {item.tag: item for item in observations()}


def _of(seen: dict[int, Observation], keyword: str) -> Observation:
    tag = tag_for_keyword(keyword)
    assert tag is not None
    return seen[tag]


def test_the_table_is_the_newest_edition_and_complete(seen: dict[int, Observation]) -> None:
    assert len(standard_table.table()) == 655
    assert len(seen) == 652  # without three repeating groups
    codes = {item.code for item in seen.values()}
    assert codes == {"D", "Z", "X", "U", "Z/D", "X/Z", "X/D", "X/Z/D", "X/Z/U*"}


def test_no_difference_is_without_explanation(seen: dict[int, Observation]) -> None:
    assert [f"{item.tag:08x} {item.code} {item.ours}" for item in seen.values()
            if item.explanation == ""] == []  # fmt: skip


def test_nothing_that_the_table_removes_is_kept_without_an_option(
    seen: dict[int, Observation],
) -> None:
    """Of attributes kept or changed, all are under one of the four options, or single ones."""
    stays = [i for i in seen.values() if i.ours not in {"removed", "emptied", "mapped"}]
    options = ("Retain Patient", "Retain Longitudinal", "Clean Descriptors")
    others = [i for i in stays if i.explanation and not i.explanation.startswith(options)]
    assert [i.tag for i in others] == [tag_for_keyword("PatientName")]


@pytest.mark.parametrize(
    ("keyword", "code", "ours"),
    [
        ("PatientID", "Z/D", "replaced"),
        ("PatientName", "Z", "replaced"),
        ("PatientBirthDate", "Z", "emptied"),
        ("AccessionNumber", "Z", "emptied"),
        ("PatientWeight", "X", "kept"),
        ("PatientSex", "Z", "kept"),
        ("StudyDate", "Z", "shifted"),
        ("AcquisitionTime", "X/Z", "kept"),
        ("SeriesDescription", "X", "cleaned"),
        ("ProtocolName", "X/D", "cleaned"),
        ("StudyInstanceUID", "U", "mapped"),
        ("ReferencedImageSequence", "X/Z/U*", "mapped"),
        ("InstitutionName", "X/Z/D", "replaced"),
        ("DeviceSerialNumber", "X/Z/D", "removed"),
        ("PatientComments", "X", "removed"),
        ("RadiopharmaceuticalStartDateTime", "X", "shifted"),
    ],
)
def test_by_hand(seen: dict[int, Observation], keyword: str, code: str, ours: str) -> None:
    item = _of(seen, keyword)
    assert (item.code, item.ours) == (code, ours)


def test_curves_and_overlays_go() -> None:
    assert repeating_groups() == {
        "(5000,3000)": True, "(6002,3000)": True, "(6002,4000)": True,
    }  # fmt: skip


def test_an_unexplained_difference_would_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standard_table, "_SINGLE", {})
    unexplained = [i.tag for i in observations() if i.explanation == ""]
    assert tag_for_keyword("PatientName") in unexplained


def test_the_page_is_fresh() -> None:
    text = standard_table.PAGE.read_text(encoding="utf-8")
    assert text == standard_table.page(), "run: python -m tests.support.standard_table"
