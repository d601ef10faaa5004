"""DICOM SEG to masks: packing, sparse frames, overlap, fractions."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from schemas.tables import TABLES
from tasks.deidentify.pseudonyms import Pseudonymiser
from tests.support.dicom_objects import SECRET, SERIES, convert_all, reasons, segmentation


def plane(*voxels: tuple[int, int]) -> NDArray[np.bool_]:
    """5 x 3 voxels (15 bits: frames are not aligned to bytes)."""
    mask = np.zeros((5, 3), np.bool_)
    for y, x in voxels:
        mask[y, x] = True
    return mask


def test_label_map_of_segments_that_do_not_overlap() -> None:
    ds = segmentation(
        [(1, 6.0, plane((0, 0), (4, 2))), (1, 0.0, plane((1, 1))), (2, 6.0, plane((0, 1)))],
        ["Lesion 1", "Liver"],
    )
    (converted,) = convert_all([ds])
    (mask,) = converted.masks
    assert mask.labels.shape == (3, 5, 3)  # the empty plane at z = 3 is there
    expected = np.zeros((3, 5, 3), np.uint8)
    expected[0, 1, 1] = expected[2, 0, 0] = expected[2, 4, 2] = 1
    expected[2, 0, 1] = 2
    np.testing.assert_array_equal(mask.labels, expected)
    np.testing.assert_allclose(
        mask.geometry.affine, [[4, 0, 0, -10], [0, 4, 0, -20], [0, 0, 3, 0], [0, 0, 0, 1]]
    )
    assert mask.attributes["segment_numbers"] == [1, 2]
    assert mask.attributes["encoding"] == "label_map"


def test_rows() -> None:
    (converted,) = convert_all([segmentation([(1, 0.0, plane((0, 0)))], ["Lesion 1"])])
    pseudonymiser = Pseudonymiser(SECRET)
    assert converted.rows["segments"] == [
        {
            "segmentation_series_uid": pseudonymiser.uid(SERIES + ".88"),
            "segment_number": 1,
            "segment_label": "lesion_1",
            "segment_kind": "mask",
            "property_code": "SCT:108369006",
            "referenced_series_uid": pseudonymiser.uid(SERIES),
            "frame_of_reference_uid": pseudonymiser.uid("1.2.826.0.1.3680043.8.498.7"),
        }
    ]
    (row,) = converted.rows["series"]
    assert row["series_kind"] == "segmentation"
    assert set(row) <= set(TABLES["series"].columns)
    assert reasons(converted) == ["ingested"]


def test_one_mask_per_segment_where_they_overlap() -> None:
    ds = segmentation(
        [(1, 0.0, plane((0, 0), (1, 1))), (2, 0.0, plane((1, 1), (2, 2)))], ["Lesion 1", "Liver"]
    )
    (converted,) = convert_all([ds])
    first, second = converted.masks
    assert first.attributes["segment_numbers"] == [1]
    assert first.attributes["encoding"] == second.attributes["encoding"] == "mask"
    np.testing.assert_array_equal(first.labels[0] == 1, plane((0, 0), (1, 1)))
    np.testing.assert_array_equal(second.labels[0] == 2, plane((1, 1), (2, 2)))


def test_fractions_from_one_half_on() -> None:
    ds = segmentation([(1, 0.0, plane((0, 0)))], ["Lesion 1"], kind="FRACTIONAL")
    pixels = np.zeros(16, np.uint8)
    pixels[:3] = [99, 100, 200]
    ds.PixelData = pixels.tobytes()
    (converted,) = convert_all([ds])
    (mask,) = converted.masks
    assert mask.labels.ravel()[:4].tolist() == [0, 1, 1, 0]
    assert mask.attributes["fraction_limit"] == 0.5
    assert mask.attributes["fractional_type"] == "PROBABILITY"


def test_spacing_from_positions_where_the_header_contradicts() -> None:
    frames = [(1, z, plane((0, 0))) for z in (0.0, 2.5, 7.5)]
    (converted,) = convert_all([segmentation(frames, ["a"], distance=3.0)])
    assert converted.masks[0].geometry.spacing[0] == pytest.approx(2.5)
    assert converted.masks[0].labels.shape[0] == 4


def test_many_segments_need_16_bits() -> None:
    ds = segmentation([(1, 0.0, plane((0, 0)))], [f"{i}" for i in range(300)])
    (converted,) = convert_all([ds])
    assert converted.masks[0].labels.dtype == np.uint16


def test_several_objects_of_one_series_are_numbered_on() -> None:
    second = segmentation([(1, 0.0, plane((1, 0)))], ["c"])
    second.SOPInstanceUID = SERIES + ".88.2"
    first = segmentation([(1, 0.0, plane((0, 0))), (2, 0.0, plane((0, 1)))], ["a", "b"])
    (converted,) = convert_all([first, second])
    assert [s["segment_number"] for s in converted.rows["segments"]] == [1, 2, 3]
    held = [mask.attributes["segment_numbers"] for mask in converted.masks]
    assert held == [[1, 2], [3]]
    assert converted.masks[1].labels[0, 1, 0] == 3


def _uneven(ds: Dataset) -> None:
    frames = ds.PerFrameFunctionalGroupsSequence
    frames[1].PlanePositionSequence[0].ImagePositionPatient = ["-10", "-20", "4.4"]


def _turned(ds: Dataset) -> None:
    shared = ds.SharedFunctionalGroupsSequence[0]
    shared.PlaneOrientationSequence[0].ImageOrientationPatient = ["1", "0", "0", "1", "0", "0"]


def _cut(ds: Dataset) -> None:
    ds.PixelData = b"\0\0"


def _fewer_groups(ds: Dataset) -> None:
    ds.NumberOfFrames = 7


def _undescribed(ds: Dataset) -> None:
    ds.PerFrameFunctionalGroupsSequence[0].SegmentIdentificationSequence[
        0
    ].ReferencedSegmentNumber = 9


def _no_segments(ds: Dataset) -> None:
    del ds.SegmentSequence


def _no_spacing(ds: Dataset) -> None:
    ds.PerFrameFunctionalGroupsSequence = ds.PerFrameFunctionalGroupsSequence[:1]
    ds.NumberOfFrames = 1
    del ds.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].SpacingBetweenSlices


def _huge(ds: Dataset) -> None:
    ds.Rows = ds.Columns = 60000


def _slide(ds: Dataset) -> None:
    ds.PerFrameFunctionalGroupsSequence[0].PlanePositionSlideSequence = []


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (_uneven, "nonuniform_spacing"),
        (_turned, "invalid_attribute"),
        (_cut, "truncated"),
        (_fewer_groups, "invalid_attribute"),
        (_undescribed, "invalid_attribute"),
        (_no_segments, "missing_attribute"),
        (_no_spacing, "missing_attribute"),
        (_huge, "oversized"),
        (_slide, "unsupported_object"),
    ],
)
def test_what_is_refused(spoil: Callable[[Dataset], None], reason: str) -> None:
    ds = segmentation([(1, z, plane((0, 0))) for z in (0.0, 3.0, 6.0)], ["a"])
    spoil(ds)
    (converted,) = convert_all([ds])
    assert reasons(converted) == [reason]
    assert converted.masks == ()
