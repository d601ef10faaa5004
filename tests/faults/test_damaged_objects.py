"""Damaged objects cost themselves, never the run: every object ends in exactly one outcome."""

from __future__ import annotations

import random
import warnings

import numpy as np
import pytest
from pydicom.dataset import Dataset

from schemas.reasons import REASONS
from schemas.records import SeriesGroup
from tasks.deidentify.pseudonyms import Pseudonymiser
from tasks.dicom.grouping import group_series
from tasks.ingest.convert import Limits, convert_series
from tasks.ingest.outcomes import scanned_row
from tests.support.dicom_objects import (
    convert_all,
    implicit_bytes,
    nm_tomogram,
    pet_series,
    reasons,
    scan_all,
    segmentation,
    structure_set,
    to_bytes,
)
from tests.support.reports import measurement, report, value_map, volumetric_group


def settle(contents: list[bytes]) -> list[str]:
    """Take objects all the way; return the outcome or reason of each."""
    scanned, reader = scan_all(contents)
    pseudonymiser = Pseudonymiser(bytes(32))
    rows = [scanned_row(s, pseudonymiser) for s in scanned if s.outcome is not None]
    for group in group_series(scanned):
        converted = convert_series(
            group, reader=reader, pseudonymiser=pseudonymiser, limits=Limits()
        )
        rows += converted.rows["files"]
    assert len({row["file_key"] for row in rows}) == len(rows) == len(contents)
    for row in rows:
        assert row["reason_code"] is None or row["reason_code"] in REASONS
    return [str(row["reason_code"] or row["outcome"]) for row in rows]


def samples() -> dict[str, Dataset]:
    region = np.ones((4, 4), np.bool_)
    return {
        "pet": pet_series(1)[0],
        "nm": nm_tomogram(np.ones((3, 4, 4), np.uint16)),
        "rtstruct": structure_set({"Lesion 1": [[0.0, 0, 0, 5, 0, 0, 5, 5, 0]]}),
        "seg": segmentation([(1, 0.0, region), (1, 3.0, region)], ["Lesion 1"]),
        "report": report([volumetric_group([measurement(1.0), measurement(2.0)])]),
        "value_map": value_map(0.5, images=pet_series(3)),
    }


@pytest.mark.parametrize("kind", ["pet", "nm", "rtstruct", "seg", "report", "value_map"])
@pytest.mark.parametrize("implicit", [False, True])
def test_every_truncation(kind: str, implicit: bool) -> None:
    ds = samples()[kind]
    content = implicit_bytes(ds) if implicit else to_bytes(ds)
    cuts = sorted({*range(0, len(content), 97), 131, 132, 133, len(content) - 1})
    for cut in cuts:
        assert "internal_error" not in settle([content[:cut]]), cut


@pytest.mark.parametrize("kind", ["rtstruct", "report", "value_map"])
@pytest.mark.parametrize("implicit", [False, True])
def test_part_of_a_tree_never_passes_for_the_whole(kind: str, implicit: bool) -> None:
    """Sequences cut short would be read without their last items."""
    ds = samples()[kind]
    content = implicit_bytes(ds) if implicit else to_bytes(ds)
    assert settle([content]) == ["ingested"]
    assert settle([content + bytes(3)]) == ["ingested"]  # padding behind the object
    for cut in sorted({*range(1000, len(content), 41), len(content) - 1}):
        assert settle([content[:cut]])[0] in {
            "truncated", "not_parseable", "missing_attribute", "not_dicom",
        }, cut  # fmt: skip


@pytest.mark.parametrize("kind", ["pet", "nm", "rtstruct", "seg", "report", "value_map"])
@pytest.mark.parametrize("implicit", [False, True])
def test_random_damage(kind: str, implicit: bool) -> None:
    """Bytes of the data set are overwritten: wrong VRs, lengths, tags and values."""
    ds = samples()[kind]
    content = implicit_bytes(ds) if implicit else to_bytes(ds)
    rng = random.Random(7)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for trial in range(60):
            damaged = bytearray(content)
            for _ in range(rng.randint(1, 12)):
                damaged[rng.randrange(132, len(damaged))] = rng.randrange(256)
            assert "internal_error" not in settle([bytes(damaged)]), trial


def test_garbage_after_the_magic() -> None:
    rng = random.Random(7)
    for size in (133, 500, 5000):
        content = bytes(128) + b"DICM" + rng.randbytes(size)
        (found,) = settle([content])
        assert found in {"not_dicom", "not_parseable", "missing_attribute", "no_pixels"}


def test_garbage_among_good_slices() -> None:
    good = [to_bytes(ds) for ds in pet_series(4)]
    found = settle([*good, b"junk" * 100, bytes(128) + b"DICM" + b"\xff" * 300, b""])
    assert sorted(found)[-4:] == sorted(["ingested"] * 3 + ["not_parseable"]) or (
        found.count("ingested") == 4
    )


@pytest.mark.parametrize(
    "keyword",
    ["Rows", "Columns", "BitsAllocated", "PixelRepresentation", "PixelSpacing",
     "ImagePositionPatient", "ImageOrientationPatient"],
)  # fmt: skip
@pytest.mark.parametrize("empty", [False, True])
def test_missing_and_empty_attributes(keyword: str, empty: bool) -> None:
    objects = pet_series(3)
    for ds in objects:
        if empty:
            setattr(ds, keyword, None)
        else:
            delattr(ds, keyword)
    (converted,) = convert_all([to_bytes(ds) for ds in objects])
    assert reasons(converted) == ["missing_attribute"] * 3
    assert keyword in str(converted.rows["files"][0]["reason_text"])


@pytest.mark.parametrize("text", ["abc", "1\\2", "nan", "1e999", "1,5"])
def test_values_that_are_no_numbers(text: str) -> None:
    objects = [to_bytes(ds) for ds in pet_series(3)]
    slope = b"\x28\x00\x53\x10DS"
    spoilt = []
    for content in objects:
        at = content.index(slope)
        length = int.from_bytes(content[at + 6 : at + 8], "little")
        value = text.encode() + b" " * (len(text) % 2)
        head = content[: at + 6] + len(value).to_bytes(2, "little") + value
        spoilt.append(head + content[at + 8 + length :])
    assert settle(spoilt) == ["invalid_attribute"] * 3


def test_internal_fault_is_contained_and_says_nothing_of_the_patient(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise KeyError("Mustermann")

    monkeypatch.setattr("tasks.ingest.image.derive_suv", fail)
    (converted,) = convert_all(pet_series(3))
    assert reasons(converted) == ["internal_error"] * 3
    assert "Mustermann" not in repr(converted.rows) + caplog.text
    assert "KeyError" in str(converted.rows["files"][0]["reason_text"])


def test_unknown_kind_is_contained() -> None:
    group = SeriesGroup("1.2.3", "image", ())
    made = convert_series(
        group, reader=scan_all([])[1], pseudonymiser=Pseudonymiser(bytes(32)), limits=Limits()
    )
    assert made.rows["files"] == []
