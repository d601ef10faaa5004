"""Whole-body NM images of NEMA WG04, in two compressed transfer syntaxes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from schemas.records import ConvertedSeries, ObjectRef
from tasks.deidentify.pseudonyms import Pseudonymiser
from tasks.dicom.grouping import group_series
from tasks.dicom.scan import scan_object
from tasks.ingest.convert import Limits, convert_series
from tests.support.dicom_objects import SECRET, MemoryReader, reasons


def convert(path: Path) -> ConvertedSeries:
    reader = MemoryReader({path.as_uri(): path.read_bytes()})
    ref = ObjectRef(path.as_uri(), path.stat().st_size, 1)
    scanned = scan_object(ref, reader, secondary_capture="monochrome")
    (group,) = group_series([scanned])
    return convert_series(
        group, reader=reader, pseudonymiser=Pseudonymiser(SECRET), limits=Limits()
    )


@pytest.fixture(scope="module")
def both(reference_data: Callable[[str], Path]) -> list[ConvertedSeries]:
    """From JPEG 2000 lossless and from RLE."""
    folder = reference_data("nm-planar")
    return [convert(folder / name) for name in ("NM1_J2KR.dcm", "NM1_RLE.dcm")]


def test_both_syntaxes_give_the_same_counts(both: list[ConvertedSeries]) -> None:
    """Counts Accumulated (0018,0070) is 3596452; values run from 0 to 278."""
    (first,), (second,) = (c.raw for c in both)
    assert first.stored.shape == (1, 1, 1024, 256)
    np.testing.assert_array_equal(first.stored, second.stored)
    assert (first.stored.min(), first.stored.max()) == (0, 278)
    assert first.stored.sum() == 3596452


def test_what_the_header_says_of_the_frame(both: list[ConvertedSeries]) -> None:
    for converted in both:
        (volume,) = converted.raw
        assert volume.value_unit == "CNTS"
        assert volume.geometry.spacing == (1.0, 2.26, 2.26)
        assert volume.frames is not None
        assert volume.frames.labels == ("window 1 detector 1",)
        assert volume.frames.duration_s is not None
        assert volume.frames.duration_s.tolist() == [1210.434]
        assert volume.attributes["image_type"] == "WHOLE BODY"
        assert reasons(converted) == ["ingested"]
        assert [f["rule_id"] for f in converted.rows["findings"]] == ["ingest.secondary_capture"]


def test_the_name_in_private_elements_stays_out(both: list[ConvertedSeries]) -> None:
    for converted in both:
        text = repr((converted.rows, converted.raw[0].attributes)).upper()
        for word in ("BERRA", "JAMES", "8NM1", "JOHN", "GENIEACQ"):
            assert word not in text
