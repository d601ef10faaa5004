"""Frames whose only times are Frame Reference Times: starts by the standard and by GE."""

from __future__ import annotations

import numpy as np
import pytest

from schemas.geometry import FloatArray
from tasks.dicom.frame_order import SliceTime, order_frames

NOT_GIVEN = float("nan")
STARTS, DURATIONS = np.array([0.0, 10.0, 40.0, 340.0]), np.array([10.0, 30.0, 300.0, 60.0])


def slices(reference_s: FloatArray, duration_s: FloatArray) -> list[SliceTime]:
    """Two slices a frame, all with one acquisition time."""
    return [
        SliceTime(
            acquisition_s=100.0, frame_reference_s=float(reference), trigger_s=NOT_GIVEN,
            echo_ms=NOT_GIVEN, duration_s=float(duration), temporal_position=NOT_GIVEN,
            acquisition_number=NOT_GIVEN, b_value=NOT_GIVEN,
        )
        for reference, duration in zip(reference_s, duration_s, strict=True)
        for _ in range(2)
    ]  # fmt: skip


def average_activity(half_life_s: float) -> FloatArray:
    """Times of average activity after PS3.3 C.8.9.4.1.5."""
    lt = np.log(2) / half_life_s * DURATIONS
    return np.asarray(STARTS + np.log(lt / -np.expm1(-lt)) / lt * DURATIONS)


@pytest.mark.parametrize(
    "reference",
    [STARTS + 7.0, STARTS + DURATIONS / 2, average_activity(6586.2), average_activity(1223.4)],
)
def test_reference_times_at_the_start_or_in_the_middle(reference: FloatArray) -> None:
    found = order_frames(np.tile([0, 1], 4), slices(reference, DURATIONS))
    assert found is not None
    assert found.axis.kind == "time"
    assert found.axis.start_s is not None
    np.testing.assert_allclose(found.axis.start_s, STARTS, atol=0.05)
    np.testing.assert_array_equal(found.axis.duration_s, DURATIONS)


def test_without_durations_reference_times_are_taken_as_they_are() -> None:
    found = order_frames(np.tile([0, 1], 4), slices(STARTS + 5.0, np.full(4, NOT_GIVEN)))
    assert found is not None
    np.testing.assert_array_equal(found.axis.start_s, STARTS)
    assert found.axis.duration_s is None
