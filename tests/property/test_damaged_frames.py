"""Multi-frame objects with damaged functional groups end with a reason, never with our fault."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as DicomSequence

from tests.support.dicom_objects import convert_all, scan_all, segmentation, to_bytes
from tests.support.enhanced_objects import enhanced_pet, mapping, parametric, pet_frames

KINDS = st.sampled_from(["enhanced", "parametric", "segmentation"])
#: Values of the wrong kind, size or number.
_ODD: list[Any] = ["", "x", "-1", "0", "1e400", ["1", "2", "3"], "nan", "20240105", "9" * 40]


def subject(kind: str) -> Dataset:
    if kind == "segmentation":
        mask = np.ones((4, 5), np.bool_)
        return segmentation([(1, 3.0 * i, mask) for i in range(3)], ["a"])
    if kind == "parametric":
        return parametric(np.arange(60, dtype=np.float32).reshape(3, 4, 5))
    frames = pet_frames(3)
    for made in frames:
        made.groups["RealWorldValueMappingSequence"] = mapping("Bq/ml", 2.0)
        made.groups["PixelValueTransformationSequence"] = {
            "RescaleSlope": "1", "RescaleIntercept": "0", "RescaleType": "US",
        }  # fmt: skip
        made.groups["PETFrameTypeSequence"] = {"FrameType": ["ORIGINAL", "PRIMARY", "VOLUME"]}
        made.groups["CardiacSynchronizationSequence"] = {"NominalCardiacTriggerDelayTime": 0.0}
    return enhanced_pet(frames)


def spoil(ds: Dataset, data: st.DataObject) -> None:
    """Go down a random way and damage what is at its end."""
    place = ds
    names = ["SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"]
    keyword = data.draw(st.sampled_from([*names, "NumberOfFrames", "TimezoneOffsetFromUTC"]))
    while keyword in place and place[keyword].VR == "SQ" and place[keyword].value:
        if data.draw(st.integers(0, 3)) == 0:
            break
        items = place[keyword].value
        item = items[data.draw(st.integers(0, len(items) - 1))]
        if not item.dir():
            break
        place, keyword = item, data.draw(st.sampled_from(item.dir()))
    how = data.draw(st.sampled_from(["delete", "value", "empty", "text"]))
    if how == "delete":
        place.pop(keyword, None)
    elif keyword in place and place[keyword].VR == "SQ":
        place[keyword].value = DicomSequence([] if how == "empty" else [Dataset()])
    else:
        odd = data.draw(st.sampled_from(_ODD))
        tag = 0x00280008 if keyword not in place else place[keyword].tag
        place.pop(tag, None)
        place.add_new(tag, "LO", odd)  # the reader sees another representation than it expects


@settings(max_examples=150, deadline=None)
@given(data=st.data(), kind=KINDS)
def test_damaged_functional_groups(data: st.DataObject, kind: str) -> None:
    ds = subject(kind)
    for _ in range(data.draw(st.integers(1, 3))):
        spoil(ds, data)
    content = to_bytes(ds)
    _check(content)


@settings(max_examples=150, deadline=None)
@given(data=st.data(), kind=KINDS)
def test_damaged_bytes(data: st.DataObject, kind: str) -> None:
    content = bytearray(to_bytes(subject(kind)))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(132, len(content) - 1))] = data.draw(st.integers(0, 255))
    end = data.draw(st.one_of(st.none(), st.integers(200, len(content))))
    _check(bytes(content[:end]))


def _check(content: bytes) -> None:
    scanned, _ = scan_all([content])
    assert scanned[0].reason_code != "internal_error"
    for converted in convert_all([content]):
        for row in converted.rows["files"]:
            assert row["reason_code"] != "internal_error", row["reason_text"]
            assert row["outcome"] == "ingested" or row["reason_code"]
        for volume in converted.raw:
            assert np.isfinite(volume.geometry.affine).all()
