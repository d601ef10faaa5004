"""Multi-frame SPECT: geometry, order of frames, calibration."""

from __future__ import annotations

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from tests.support.dicom_objects import convert_all, nm_tomogram, reasons, to_bytes

STORED = np.arange(3 * 2 * 4, dtype=np.uint16).reshape(3, 2, 4)


def test_frames_along_the_normal() -> None:
    (converted,) = convert_all([nm_tomogram(STORED, 4.0)])
    (volume,) = converted.raw
    np.testing.assert_array_equal(volume.stored, STORED)
    np.testing.assert_allclose(
        volume.geometry.affine,
        np.array([[4.5, 0, 0, -50], [0, 5, 0, -60], [0, 0, 4, 100], [0, 0, 0, 1]]),
    )
    assert volume.value_unit == "CNTS"
    assert volume.suv_factor is None
    (row,) = converted.rows["series"]
    assert (row["is_spect"], row["radionuclide"], row["modality"]) == (True, "Lu-177", "NM")
    assert reasons(converted) == ["ingested"]


def test_negative_spacing_runs_against_the_normal() -> None:
    """The first frame lies at z = 100 mm, the last at 92 mm, which comes first in the volume."""
    (converted,) = convert_all([nm_tomogram(STORED, -4.0)])
    (volume,) = converted.raw
    np.testing.assert_array_equal(volume.stored, STORED[::-1])
    assert volume.geometry.affine[2].tolist() == [0, 0, 4, 92]


def test_slice_vector_orders_the_frames() -> None:
    ds = nm_tomogram(STORED)
    ds.SliceVector = [3, 1, 2]
    (converted,) = convert_all([ds])
    np.testing.assert_array_equal(converted.raw[0].stored, STORED[[1, 2, 0]])


def test_real_world_values_in_becquerel() -> None:
    ds, item, unit = nm_tomogram(STORED), Dataset(), Dataset()
    unit.CodeValue, unit.CodingSchemeDesignator, unit.CodeMeaning = "Bq/ml", "UCUM", "Bq/ml"
    item.MeasurementUnitsCodeSequence = Sequence([unit])
    item.RealWorldValueSlope, item.RealWorldValueIntercept = 0.25, 0.0
    ds.RealWorldValueMappingSequence = Sequence([item])
    (converted,) = convert_all([ds])
    assert converted.raw[0].value_unit == "Bq/ml"
    assert converted.raw[0].values()[2, 1, 3] == 23 * 0.25


def test_geometry_outside_the_detector_sequence() -> None:
    ds = nm_tomogram(STORED)
    detector = ds.DetectorInformationSequence[0]
    ds.ImagePositionPatient = detector.ImagePositionPatient
    ds.ImageOrientationPatient = detector.ImageOrientationPatient
    del detector.ImagePositionPatient
    (converted,) = convert_all([ds])
    assert converted.raw[0].geometry.affine[2, 3] == 100


@pytest.mark.parametrize(
    ("keyword", "value", "reason"),
    [
        ("SpacingBetweenSlices", None, "missing_attribute"),
        ("SpacingBetweenSlices", "0", "invalid_attribute"),
        ("DetectorInformationSequence", None, "missing_attribute"),
        ("NumberOfSlices", 6, "unsupported_dynamic"),
        ("SliceVector", [1, 1, 2], "unsupported_dynamic"),
        ("NumberOfFrames", 1, "single_slice"),
        ("NumberOfFrames", 40, "unsupported_dynamic"),
        ("PixelData", b"\0\0", "truncated"),
    ],
)
def test_what_is_refused(keyword: str, value: object, reason: str) -> None:
    ds = nm_tomogram(STORED)
    if value is None:
        delattr(ds, keyword)
    else:
        setattr(ds, keyword, value)
    (converted,) = convert_all([ds])
    assert reasons(converted) == [reason]
    assert converted.raw == ()


def test_two_tomograms_in_one_series() -> None:
    second = nm_tomogram(STORED)
    second.SOPInstanceUID = "1.2.3.4.5"
    (converted,) = convert_all([to_bytes(nm_tomogram(STORED)), second])
    assert reasons(converted) == ["unsupported_dynamic"] * 2
