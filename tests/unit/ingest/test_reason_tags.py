"""Whoever reads the quarantine learns which attributes to look at."""

from __future__ import annotations

import pickle

import pytest
from pydicom.datadict import tag_for_keyword

from schemas.errors import RejectedObjectError
from schemas.reasons import QUARANTINE_REASONS, REASON_ATTRIBUTES, Outcome
from schemas.records import ObjectRef
from tasks.deidentify.pseudonyms import Pseudonymiser
from tasks.dicom.tags import keywords_in, tag_name
from tasks.ingest.outcomes import file_row, scanned_row
from tests.support.dicom_objects import (
    SECRET,
    convert_all,
    pet_series,
    scan_all,
    to_bytes,
)


def tags_of(objects: list[bytes]) -> list[object]:
    (converted,) = convert_all(objects)
    return [row["reason_tags"] for row in converted.rows["files"]]


def test_what_the_error_names_wins() -> None:
    row = file_row(
        ObjectRef("file:///x", 1, 1), Outcome.QUARANTINED, "mixed_sizes", Pseudonymiser(SECRET),
        detail="PixelSpacing differs", attributes=("Rows",),
    )  # fmt: skip
    assert row["reason_tags"] == ["(0028,0010) Rows"]


def test_then_what_the_sentence_names() -> None:
    objects = pet_series(3)
    for ds in objects:
        ds.PixelSpacing = ["0", "4"]
    assert tags_of([to_bytes(ds) for ds in objects]) == [["(0028,0030) PixelSpacing"]] * 3


def test_then_what_the_reason_always_involves() -> None:
    objects = pet_series(3)
    objects[2].ImageOrientationPatient = ["0", "1", "0", "0", "0", "-1"]
    found = tags_of([to_bytes(ds) for ds in objects])
    assert found == [None, None, ["(0020,0037) ImageOrientationPatient"]]


def test_good_objects_have_none() -> None:
    assert tags_of([to_bytes(ds) for ds in pet_series(3)]) == [None] * 3


def test_objects_that_end_at_the_look_at_their_header() -> None:
    no_series = pet_series(1)[0]
    del no_series.SeriesInstanceUID
    (scanned,), _ = scan_all([to_bytes(no_series)])
    row = scanned_row(scanned, Pseudonymiser(SECRET))
    assert row["reason_tags"] == ["(0020,000E) SeriesInstanceUID"]


def test_attributes_survive_the_way_between_processes() -> None:
    error = RejectedObjectError("invalid_attribute", "of 0", ["Rows", "Columns"])
    copy = pickle.loads(pickle.dumps(error))
    assert (copy.reason_code, copy.detail, copy.attributes, str(copy)) == (
        error.reason_code, error.detail, ("Rows", "Columns"), str(error),
    )  # fmt: skip


@pytest.mark.parametrize("code", sorted(REASON_ATTRIBUTES))
def test_known_attributes_of_known_reasons(code: str) -> None:
    assert code in QUARANTINE_REASONS
    assert all(tag_for_keyword(keyword) is not None for keyword in REASON_ATTRIBUTES[code])


def test_words_of_a_sentence_are_no_keywords() -> None:
    assert keywords_in("Modality and Manufacturer differ; the Image Type too, RescaleFactorX") == ()
    assert keywords_in("Rows x Columns") == ("Rows", "Columns")
    assert tag_name("no keyword") == "no keyword"
