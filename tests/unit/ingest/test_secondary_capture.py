"""Secondary Capture: refused by default, kept if grey and unmarked where a lake allows it."""

from __future__ import annotations

import numpy as np
import pytest
from pydicom.dataset import Dataset

from schemas.reasons import Outcome
from schemas.records import ConvertedSeries, ObjectRef, ScannedObject
from tasks.deidentify.pseudonyms import Pseudonymiser
from tasks.dicom.grouping import group_series
from tasks.dicom.scan import scan_object
from tasks.ingest.convert import Limits, convert_series
from tests.support.dicom_objects import SECRET, MemoryReader, common, reasons, set_pixels, to_bytes

CAPTURE = "1.2.840.10008.5.1.4.1.1.7"


def capture(sop_class: str = CAPTURE, modality: str = "OT") -> Dataset:
    ds = common(sop_class, modality, 1)
    ds.ImageType = ["DERIVED", "SECONDARY"]
    return set_pixels(ds, np.arange(6, dtype=np.uint8).reshape(2, 3))


def scan(ds: Dataset, setting: str) -> tuple[ScannedObject, MemoryReader]:
    data = to_bytes(ds)
    reader = MemoryReader({"file:///a": data})
    ref = ObjectRef("file:///a", len(data), 1)
    return scan_object(ref, reader, secondary_capture=setting), reader


def convert(ds: Dataset) -> ConvertedSeries:
    scanned, reader = scan(ds, "monochrome")
    (group,) = group_series([scanned])
    return convert_series(
        group, reader=reader, pseudonymiser=Pseudonymiser(SECRET), limits=Limits()
    )


def test_refused_by_default() -> None:
    scanned, _ = scan(capture(), "refuse")
    assert (scanned.outcome, scanned.reason_code) == (Outcome.IGNORED, "secondary_capture")
    assert scanned.attributes == ()


@pytest.mark.parametrize("sop_class", [CAPTURE, f"{CAPTURE}.2", f"{CAPTURE}.3"])
def test_grey_ones_become_planar_images_with_a_finding(sop_class: str) -> None:
    converted = convert(capture(sop_class))
    (volume,) = converted.raw
    assert volume.stored.shape == (1, 1, 2, 3)
    assert volume.value_unit == "1"
    assert volume.attributes["has_pixel_spacing"] is False
    assert converted.rows["series"][0]["series_kind"] == "planar"
    assert [f["rule_id"] for f in converted.rows["findings"]] == ["ingest.secondary_capture"]


def test_values_count_where_the_header_is_that_of_a_camera() -> None:
    ds = capture(modality="NM")
    assert convert(ds).raw[0].value_unit == "1"
    ds.EnergyWindowVector = [1]
    assert convert(ds).raw[0].value_unit == "CNTS"


@pytest.mark.parametrize("sop_class", [f"{CAPTURE}.1", f"{CAPTURE}.4"])
def test_single_bits_and_true_colour_are_refused_unread(sop_class: str) -> None:
    scanned, _ = scan(capture(sop_class), "monochrome")
    assert (scanned.outcome, scanned.reason_code) == (Outcome.IGNORED, "secondary_capture")
    assert scanned.attributes == ("SOPClassUID",)


def test_marked_and_coloured_ones_are_refused_in_any_case() -> None:
    marked, coloured = capture(), capture()
    marked.BurnedInAnnotation = "YES"
    coloured.SamplesPerPixel, coloured.PhotometricInterpretation = 3, "RGB"
    for ds, tag in ((marked, "BurnedInAnnotation"), (coloured, "SamplesPerPixel")):
        converted = convert(ds)
        assert reasons(converted) == ["secondary_capture"]
        (row,) = converted.rows["files"]
        assert row["outcome"] == "ignored"
        assert tag in str(row["reason_tags"])
        assert converted.raw == ()
