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
        ("SliceVector", [1, 1, 2], "invalid_attribute"),
        ("SliceVector", [1, 2], "invalid_attribute"),
        ("SliceVector", [1, 2, 4], "missing_slices"),
        ("NumberOfFrames", 1, "single_slice"),
        ("NumberOfFrames", 40, "invalid_attribute"),
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


def test_without_slice_vector_the_frames_are_the_slices_if_their_number_says_so() -> None:
    ds = nm_tomogram(STORED)
    del ds.SliceVector
    (converted,) = convert_all([ds])
    np.testing.assert_array_equal(converted.raw[0].stored, STORED)
    ds.NumberOfSlices = 6
    (converted,) = convert_all([ds])
    assert reasons(converted) == ["missing_attribute"]


def test_tomograms_at_several_times_are_frames() -> None:
    first, second = nm_tomogram(STORED), nm_tomogram(STORED + np.uint16(100))
    second.SOPInstanceUID = "1.2.3.4.5"
    second.AcquisitionTime = "101130"
    for ds in (first, second):
        ds.ActualFrameDuration = "60000"
    (converted,) = convert_all([to_bytes(second), first])
    (volume,) = converted.raw
    np.testing.assert_array_equal(volume.stored, np.stack([STORED, STORED + 100]))
    assert volume.frames is not None
    assert volume.frames.kind == "time"
    np.testing.assert_array_equal(volume.frames.start_s, [0, 90])
    np.testing.assert_array_equal(volume.frames.duration_s, [60, 60])
    assert reasons(converted) == ["ingested"] * 2


def test_the_same_tomogram_again_is_a_duplicate() -> None:
    second = nm_tomogram(STORED)
    second.SOPInstanceUID = "1.2.3.4.5"
    (converted,) = convert_all([to_bytes(nm_tomogram(STORED)), second])
    assert reasons(converted) == ["duplicate", "ingested"]


def test_gated_tomogram() -> None:
    """Two gates of 500 ms; the frames run over the slices first."""
    ds = nm_tomogram(np.concatenate([STORED, STORED + np.uint16(50)]))
    ds.ImageType = ["ORIGINAL", "PRIMARY", "RECON GATED TOMO", "EMISSION"]
    ds.NumberOfSlices = 3
    ds.SliceVector = [1, 2, 3, 1, 2, 3]
    ds.TimeSlotVector = [1, 1, 1, 2, 2, 2]
    ds.RRIntervalVector = [1] * 6
    gated, data = Dataset(), Dataset()
    data.FrameTime = "500"
    gated.DataInformationSequence = Sequence([data])
    ds.GatedInformationSequence = Sequence([gated])
    (converted,) = convert_all([ds])
    (volume,) = converted.raw
    np.testing.assert_array_equal(volume.stored, np.stack([STORED, STORED + 50]))
    assert volume.frames is not None
    assert volume.frames.kind == "gate"
    np.testing.assert_array_equal(volume.frames.start_s, [0, 0.5])
