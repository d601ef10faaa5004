"""Simulated series of every dialect: the same as classic slices and as highdicom converts them."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian

from tests.support.dicom_objects import convert_all
from tests.support.enhanced_objects import complete, legacy_converted

#: What the two rows of one series differ in.
_OF_THE_OBJECTS = {"sop_class_uid", "n_instances", "input_digest"}


def series_by_modality(root: Path, modality: str, most: int = 12) -> list[list[Dataset]]:
    """First slices of each series, in slice order."""
    found: dict[str, list[Dataset]] = {}
    for path in sorted(root.rglob("*")):
        if not path.is_file() or not pydicom.misc.is_dicom(path):
            continue
        header = pydicom.dcmread(path, stop_before_pixels=True)
        if header.get("Modality") == modality and header.get("NumberOfFrames", 1) == 1:
            found.setdefault(str(header.SeriesInstanceUID), []).append(pydicom.dcmread(path))
    cut = []
    for slices in found.values():
        unique = {float(ds.ImagePositionPatient[2]): ds for ds in slices}
        cut.append([unique[z] for z in sorted(unique)][:most])
    return cut


@pytest.mark.parametrize(("modality", "n_series"), [("PT", 6), ("CT", 6)])
def test_legacy_converted_series_of_every_dialect(
    modality: str, n_series: int, all_dialects: Path
) -> None:
    compared = 0
    for slices in series_by_modality(all_dialects, modality):
        if len(slices) < 12:
            continue
        _compare(slices)
        compared += 1
    assert compared >= n_series


def _compare(slices: list[Dataset]) -> None:
    for ds in map(complete, slices):
        ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    (classic,) = convert_all(deepcopy(slices))
    made = legacy_converted(slices)
    made.SeriesDescription = slices[0].SeriesDescription  # highdicom adds a remark
    (enhanced,) = convert_all([made])
    (expected,), (found,) = classic.raw, enhanced.raw
    np.testing.assert_array_equal(found.stored, expected.stored)
    np.testing.assert_array_equal(found.geometry.affine, expected.geometry.affine)
    np.testing.assert_array_equal(found.rescale_slope, expected.rescale_slope)
    np.testing.assert_array_equal(found.suv_factor, expected.suv_factor)
    (row,), (expected_row,) = enhanced.rows["series"], classic.rows["series"]
    differing = {k for k in expected_row if row[k] != expected_row[k]}
    assert differing <= _OF_THE_OBJECTS, row["manufacturer"]
