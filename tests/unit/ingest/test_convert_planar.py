"""Planar NM images: frames, their times and places, several objects of a series."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from schemas.geometry import FloatArray
from schemas.records import ConvertedSeries
from schemas.volume import RawVolume
from tasks.dicom.kinds import NM_IMAGE, RETIRED_NM_IMAGE
from tests.support.dicom_objects import common, convert_all, reasons, set_pixels, to_bytes

TAGS = {
    "EnergyWindowVector": 0x00540010, "DetectorVector": 0x00540020, "PhaseVector": 0x00540030,
    "RotationVector": 0x00540050, "RRIntervalVector": 0x00540060, "TimeSlotVector": 0x00540070,
    "AngularViewVector": 0x00540090, "TimeSliceVector": 0x00540100,
}  # fmt: skip


def frames(n: int, rows: int = 2, columns: int = 3) -> NDArray[np.uint16]:
    """Frames whose values say which they are."""
    return np.arange(n * rows * columns, dtype=np.uint16).reshape(n, rows, columns)


def planar(form: str, stored: NDArray[Any], number: int = 1, **vectors: list[int]) -> Dataset:
    """Planar object of 4 x 3 mm pixels with the given frame vectors."""
    ds = common(NM_IMAGE, "NM", number)
    ds.ImageType = ["ORIGINAL", "PRIMARY", form, "EMISSION"]
    ds.InstanceNumber = number
    ds.NumberOfFrames = len(stored)
    ds.PixelSpacing = ["4", "3"]
    ds.FrameIncrementPointer = [TAGS[name] for name in vectors]
    for name, counts in vectors.items():
        setattr(ds, name, counts)
    return set_pixels(ds, stored)


def items(*described: dict[str, Any]) -> Sequence:
    """Sequence of items with the given attributes."""
    made = []
    for attributes in described:
        item = Dataset()
        for keyword, value in attributes.items():
            setattr(item, keyword, value)
        made.append(item)
    return Sequence(made)


def only(converted: list[ConvertedSeries]) -> tuple[ConvertedSeries, RawVolume]:
    (series,) = converted
    (volume,) = series.raw
    return series, volume


def times(values: FloatArray | None) -> list[float]:
    """Times that must be there, to the microsecond."""
    assert values is not None
    return [round(float(v), 6) for v in values]


def rules(converted: ConvertedSeries) -> list[object]:
    return [f["rule_id"] for f in converted.rows["findings"]]


def test_whole_body_from_two_sides() -> None:
    ds = planar("WHOLE BODY", frames(2), EnergyWindowVector=[1, 1], DetectorVector=[1, 2])
    ds.ActualFrameDuration = "900000"
    ds.EnergyWindowInformationSequence = items(
        {
            "EnergyWindowName": "Tc99m_EM Mueller",
            "EnergyWindowRangeSequence": items(
                {"EnergyWindowLowerLimit": "126.5", "EnergyWindowUpperLimit": "154.6"}
            ),
        }
    )
    code = {"CodeValue": "R-10206", "CodingSchemeDesignator": "SRT", "CodeMeaning": "anterior"}
    ds.DetectorInformationSequence = items(
        {"CollimatorType": "PARA", "ViewCodeSequence": items(code)}, {"CollimatorType": "X"}
    )
    series, volume = only(convert_all([ds]))
    np.testing.assert_array_equal(volume.stored, frames(2)[:, None])
    assert volume.value_unit == "CNTS"
    assert volume.suv_factor is None
    assert volume.frames is not None
    assert (volume.frames.kind, volume.frames.labels) == (
        "view", ("window 1 detector 1", "window 1 detector 2"),
    )  # fmt: skip
    assert times(volume.frames.duration_s) == [900, 900]
    attributes = volume.attributes
    assert attributes["energy_windows"] == [
        {"limits_kev": [[126.5, 154.6]], "name_words": ["tc99m"]}
    ]
    assert attributes["detectors"] == [{"collimator_type": "PARA", "view_words": ["anterior"]}, {}]
    assert attributes["frame_indices"] == {"energy_window": [1, 1], "detector": [1, 2]}
    assert attributes["is_planar"] is True
    (row,) = series.rows["series"]
    assert (row["series_kind"], row["is_spect"], row["suv_status"]) == (
        "planar", False, "not_applicable",
    )  # fmt: skip
    assert rules(series) == []


def test_the_grid_is_nominal_unless_all_frames_lie_at_one_place() -> None:
    ds = planar("STATIC", frames(1), EnergyWindowVector=[1], DetectorVector=[1])
    _, volume = only(convert_all([ds]))
    np.testing.assert_array_equal(volume.geometry.affine, np.diag([3.0, 4.0, 1.0, 1.0]))
    assert volume.attributes["has_patient_geometry"] is False

    place = {"ImagePositionPatient": ["-9", "-50", "400"],
             "ImageOrientationPatient": ["1", "0", "0", "0", "0", "-1"]}  # fmt: skip
    ds.DetectorInformationSequence = items(place)
    _, volume = only(convert_all([ds]))
    # rows down the patient, so that x cross -z = y points to the back
    expected = [[3, 0, 0, -9], [0, 0, 1, -50], [0, -4, 0, 400], [0, 0, 0, 1]]
    np.testing.assert_allclose(volume.geometry.affine, expected)
    assert volume.attributes["has_patient_geometry"] is True

    both = planar("STATIC", frames(2), EnergyWindowVector=[1, 1], DetectorVector=[1, 2])
    behind = {**place, "ImageOrientationPatient": ["-1", "0", "0", "0", "0", "-1"]}
    both.DetectorInformationSequence = items(place, behind)
    _, volume = only(convert_all([both]))
    np.testing.assert_array_equal(volume.geometry.affine, np.diag([3.0, 4.0, 1.0, 1.0]))
    assert volume.attributes["has_patient_geometry"] is False
    detectors = volume.attributes["detectors"]
    assert isinstance(detectors, list)
    assert [d["image_orientation"][0] for d in detectors] == [1.0, -1.0]


PHASES = items(
    {"PhaseDelay": "500", "ActualFrameDuration": "1000", "PauseBetweenFrames": "0",
     "NumberOfFramesInPhase": 3},
    {"PhaseDelay": "2000", "ActualFrameDuration": "10000", "PauseBetweenFrames": "100",
     "NumberOfFramesInPhase": 2},
)  # fmt: skip


@pytest.mark.parametrize("slices", [[1, 2, 3, 1, 2], [1, 2, 3, 4, 5]])
def test_dynamic_frames_begin_when_the_phases_say(slices: list[int]) -> None:
    """3 frames of 1 s, 2 s of delay, 2 frames of 10 s with 0.1 s between them."""
    ds = planar("DYNAMIC", frames(5), EnergyWindowVector=[1] * 5, DetectorVector=[1] * 5,
                PhaseVector=[1, 1, 1, 2, 2], TimeSliceVector=slices)  # fmt: skip
    ds.PhaseInformationSequence = PHASES
    _, volume = only(convert_all([ds]))
    assert volume.stored.shape == (5, 1, 2, 3)
    axis = volume.frames
    assert axis is not None
    assert (axis.kind, axis.labels) == ("time", ())
    assert times(axis.start_s) == [0, 1, 2, 5, 15.1]
    assert times(axis.duration_s) == [1, 1, 1, 10, 10]
    phases = volume.attributes["phases"]
    assert isinstance(phases, list)
    assert phases[1]["delay_ms"] == 2000


def test_dynamic_frames_out_of_order_are_put_in_order() -> None:
    ds = planar("DYNAMIC", frames(3), TimeSliceVector=[2, 3, 1])
    ds.PhaseInformationSequence = items({"ActualFrameDuration": "4000"})
    _, volume = only(convert_all([ds]))
    np.testing.assert_array_equal(volume.stored[:, 0], frames(3)[[2, 0, 1]])
    assert volume.frames is not None
    assert times(volume.frames.start_s) == [0, 4, 8]
    assert volume.attributes["frame_indices"] == {"time_slice": [1, 2, 3]}


def test_two_detectors_over_time_are_views_with_times() -> None:
    ds = planar("DYNAMIC", frames(4), DetectorVector=[1, 1, 2, 2], TimeSliceVector=[1, 2, 1, 2])
    ds.PhaseInformationSequence = items({"ActualFrameDuration": "4000"})
    _, volume = only(convert_all([ds]))
    assert volume.frames is not None
    assert volume.frames.kind == "view"
    assert times(volume.frames.start_s) == [0, 4, 0, 4]
    assert volume.frames.labels[3] == "window 1 detector 2 time 2"


def test_frames_that_only_their_count_tells_apart() -> None:
    """Without times and vectors there is nothing but the order of the frames."""
    series, volume = only(convert_all([planar("DYNAMIC", frames(2))]))
    assert volume.frames is not None
    assert (volume.frames.kind, volume.frames.start_s) == ("view", None)
    assert volume.frames.labels == (
        "window 1 detector 1 frame 1", "window 1 detector 1 frame 2",
    )  # fmt: skip
    assert rules(series) == ["ingest.frame_vectors"]


def test_dynamic_without_vectors_is_timed_by_its_one_phase() -> None:
    ds = planar("DYNAMIC", frames(3))
    ds.PhaseInformationSequence = items({"ActualFrameDuration": "500", "PauseBetweenFrames": "250"})
    _, volume = only(convert_all([ds]))
    assert volume.frames is not None
    assert volume.frames.kind == "time"
    assert times(volume.frames.start_s) == [0, 0.75, 1.5]


def gated(vectors: dict[str, list[int]]) -> Dataset:
    n = len(vectors["TimeSlotVector"])
    ds = planar("GATED", frames(n), 1, **vectors)
    data = items({"FrameTime": "62.5", "NominalInterval": 1000})
    ds.GatedInformationSequence = items({"DataInformationSequence": data})
    return ds


def test_gates_begin_after_the_trigger() -> None:
    _, volume = only(convert_all([gated({"TimeSlotVector": [3, 1, 2]})]))
    np.testing.assert_array_equal(volume.stored[:, 0], frames(3)[[1, 2, 0]])
    assert volume.frames is not None
    assert volume.frames.kind == "gate"
    assert times(volume.frames.start_s) == [0, 0.0625, 0.125]
    assert times(volume.frames.duration_s) == [0.0625] * 3
    assert volume.attributes["rr_intervals"] == [
        {"frame_duration_ms": 62.5, "nominal_interval_ms": 1000.0}
    ]


def test_gates_seen_by_two_detectors_are_views() -> None:
    ds = gated({"DetectorVector": [1, 1, 2, 2], "TimeSlotVector": [1, 2, 1, 2]})
    _, volume = only(convert_all([ds]))
    assert volume.frames is not None
    assert (volume.frames.kind, volume.frames.labels[2]) == ("view", "window 1 detector 2 gate 1")
    assert times(volume.frames.start_s) == [0, 0.0625, 0, 0.0625]


def test_projections_of_a_tomographic_acquisition() -> None:
    """Two heads, three views each, 30 degrees clockwise from 90 and 270."""
    ds = planar("TOMO", frames(6), DetectorVector=[1, 1, 1, 2, 2, 2], RotationVector=[1] * 6,
                AngularViewVector=[1, 2, 3, 1, 2, 3])  # fmt: skip
    ds.DetectorInformationSequence = items({"StartAngle": "90"}, {"StartAngle": "10"})
    ds.RotationInformationSequence = items(
        {"StartAngle": "90", "AngularStep": "30", "RotationDirection": "CW", "ScanArc": "90",
         "ActualFrameDuration": "20000"}
    )  # fmt: skip
    _, volume = only(convert_all([ds]))
    assert volume.attributes["frame_angles_deg"] == [90, 60, 30, 10, 340, 310]
    assert volume.frames is not None
    assert volume.frames.start_s is None
    assert times(volume.frames.duration_s) == [20] * 6
    assert volume.frames.labels[4] == "window 1 detector 2 view 2"
    assert volume.attributes["has_patient_geometry"] is False


def test_objects_of_one_size_are_pooled_in_order_of_time() -> None:
    late, early = planar("STATIC", frames(1) + 50, 1), planar("STATIC", frames(1), 2)
    late.AcquisitionTime, early.AcquisitionTime = "101005", "101000"
    for ds in (late, early):
        ds.ActualFrameDuration = "3000"
        ds.RescaleSlope, ds.RescaleIntercept = ("2", "0") if ds is late else ("1", "0")
    series, volume = only(convert_all([to_bytes(late), early]))
    np.testing.assert_array_equal(volume.stored[:, 0], np.concatenate([frames(1), frames(1) + 50]))
    np.testing.assert_array_equal(volume.rescale_slope, [[1], [2]])
    assert volume.frames is not None
    assert times(volume.frames.start_s) == [0, 5]
    assert volume.frames.labels[1] == "image 2 window 1 detector 1"
    assert volume.attributes["frame_indices"] == {"image": [1, 2]}
    assert reasons(series) == ["ingested"] * 2


def test_dynamic_objects_one_after_the_other_are_one_dynamic() -> None:
    first = planar("DYNAMIC", frames(2), 1, TimeSliceVector=[1, 2])
    second = planar("DYNAMIC", frames(2) + 50, 2, TimeSliceVector=[1, 2])
    second.AcquisitionTime = "101030"
    for ds in (first, second):
        ds.PhaseInformationSequence = items({"ActualFrameDuration": "10000"})
    _, volume = only(convert_all([to_bytes(first), second]))
    assert volume.frames is not None
    assert volume.frames.kind == "time"
    assert times(volume.frames.start_s) == [0, 10, 30, 40]


def test_other_sizes_and_types_are_parts() -> None:
    objects = [
        planar("STATIC", frames(1), 1),
        planar("STATIC", frames(1, 4, 4), 2),
        planar("WHOLE BODY", frames(2, 4, 4), 3, DetectorVector=[1, 2]),
    ]
    (series,) = convert_all([to_bytes(ds) for ds in objects])
    labels = [(v.part.index, v.part.label) for v in series.raw]
    assert labels == [
        (1, "whole body, 4 x 4"), (2, "static, 4 x 4"), (3, "static, 2 x 3"),
    ]  # fmt: skip
    assert rules(series) == ["ingest.split_series"]


def test_the_same_image_under_another_uid_is_a_duplicate() -> None:
    (series,) = convert_all([to_bytes(planar("STATIC", frames(1), n)) for n in (1, 2)])
    assert reasons(series) == ["duplicate", "ingested"]


def test_objects_of_the_retired_class_that_say_what_they_are() -> None:
    ds = planar("STATIC", frames(1))
    ds.SOPClassUID = RETIRED_NM_IMAGE
    series, volume = only(convert_all([ds]))
    assert volume.value_unit == "CNTS"
    assert reasons(series) == ["ingested"]


@pytest.mark.parametrize(
    ("keyword", "value", "reason"),
    [
        ("DetectorVector", [1], "invalid_attribute"),
        ("DetectorVector", [0, 1], "invalid_attribute"),
        ("NumberOfFrames", 7, "truncated"),
        ("PixelData", b"\0\0", "truncated"),
        ("SamplesPerPixel", 3, "unsupported_object"),
        ("BurnedInAnnotation", "YES", "deidentification_failed"),
        ("RescaleSlope", "0", "invalid_attribute"),
    ],
)
def test_what_is_refused(keyword: str, value: object, reason: str) -> None:
    ds = planar("STATIC", frames(2), DetectorVector=[1, 2])
    setattr(ds, keyword, value)
    (series,) = convert_all([ds])
    assert reasons(series) == [reason]
    assert series.raw == ()


def test_a_vector_that_the_pointer_does_not_name_need_not_fit() -> None:
    ds = planar("STATIC", frames(2), DetectorVector=[1, 2])
    ds.TimeSlotVector = [1, 2, 3]
    _, volume = only(convert_all([ds]))
    assert volume.attributes["frame_indices"] == {"detector": [1, 2]}


def test_one_bad_object_does_not_take_the_others_along() -> None:
    bad = planar("STATIC", frames(1) + 9, 2)
    bad.PixelData = b"\0\0"
    series, volume = only(convert_all([to_bytes(planar("STATIC", frames(1))), bad]))
    assert len(volume.stored) == 1
    assert reasons(series) == ["ingested", "truncated"]
    assert rules(series) == ["ingest.partial_series"]
