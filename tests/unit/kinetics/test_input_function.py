"""Input functions of blood pools and of blood samples."""

from __future__ import annotations

import numpy as np
import pytest

from schemas.errors import InvalidInputError, KineticsRefusedError
from tasks.kinetics.compartments import FDG_FRAMES, feng_input, frames_of
from tasks.kinetics.frames import FrameTimes
from tasks.kinetics.input_function import (
    BloodSamples,
    early_frames,
    hottest_share,
    input_of_curve,
    input_of_samples,
    read_samples,
)


def test_plasma_is_a_share_of_blood() -> None:
    times = frames_of(((4, 60.0),))
    one = input_of_curve(times, np.array([4.0, 2.0, 1.0, 1.0]))
    less = input_of_curve(times, np.array([4.0, 2.0, 1.0, 1.0]), 0.5)
    np.testing.assert_allclose(less.mean, one.mean / 2)
    np.testing.assert_allclose(less.integral, one.integral / 2)


def test_samples_are_averaged_exactly() -> None:
    # 0 to 60 s a rise to 6, then a fall to 0 at 120 s; two frames
    times = FrameTimes(np.array([0.0, 60.0]), np.array([60.0, 60.0]))
    found = input_of_samples(times, BloodSamples(np.array([60.0, 120.0]), np.array([6.0, 0.0])))
    np.testing.assert_allclose(found.mean, [3.0, 3.0])
    # integral t^2 / 20 up to 60 s (mean 60), then 180 + 6 u - u^2 / 20 (mean 180 + 180 - 60)
    np.testing.assert_allclose(found.integral, [60.0, 300.0])


def test_dense_samples_give_the_exact_input() -> None:
    times, curve = frames_of(FDG_FRAMES, -10.0), feng_input()
    at = np.concatenate([np.arange(0, 180, 0.5), np.arange(180, 3601, 10.0)])
    found = input_of_samples(times, BloodSamples(at, curve.at(at / 60)))
    np.testing.assert_allclose(found.mean, curve.frame_means(times), rtol=2e-3)
    exact = curve.integral().frame_means(times) * 60
    np.testing.assert_allclose(found.integral[2:], exact[2:], rtol=1e-3)


def test_samples_must_last_as_long_as_the_frames() -> None:
    times = frames_of(((10, 60.0),))
    early = BloodSamples(np.array([30.0, 300.0]), np.array([5.0, 1.0]))
    with pytest.raises(KineticsRefusedError, match=r"300 s, the last frame's middle at 570 s"):
        input_of_samples(times, early)
    held = BloodSamples(np.array([30.0, 575.0]), np.array([5.0, 1.0]))
    assert input_of_samples(times, held).mean[-1] == pytest.approx(1.0, abs=0.12)


@pytest.mark.parametrize(
    ("curve", "reason"),
    [
        ([1.0, 2.0, 3.0, 4.0], "implausible_input"),
        ([0.0, 0.0, 0.0, 0.0], "implausible_input"),
        ([5.0, np.nan, 1.0, 1.0], "not_finite"),
    ],
)
def test_curves_of_something_else_are_refused(curve: list[float], reason: str) -> None:
    with pytest.raises(KineticsRefusedError) as refused:
        input_of_curve(frames_of(((4, 60.0),)), np.array(curve))
    assert refused.value.reason_code == f"kinetics.{reason}"


def test_hot_voxels_are_chosen_by_the_early_frames() -> None:
    times = frames_of(((3, 60.0), (2, 600.0)), -30.0)
    # middles 0, 60, 120 s lie in the first two minutes
    np.testing.assert_allclose(early_frames(times, 2.0), [1 / 3, 1 / 3, 1 / 3, 0, 0])
    assert early_frames(frames_of(((2, 600.0),), 60.0), 1.0).tolist() == [1.0, 0.0]
    assert hottest_share(np.array([3.0, 3.0, 1.0]), 0.01).tolist() == [True, False, False]


def test_sample_files() -> None:
    text = "time_s,whole_blood_bq_per_ml,plasma_bq_per_ml,parent_fraction\n0,0,,\n60,100,90,\n"
    text += "600,50,40,0.8\n1200,20,,0.6\n"
    found = read_samples(text)
    assert found.time_s.tolist() == [0, 60, 600, 1200]
    np.testing.assert_allclose(found.plasma, [0, 90 * 0.98, 40 * 0.8, 20 * 0.6])
    assert found.scaled(2.0).plasma[1] == pytest.approx(2 * 90 * 0.98)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("t,plasma_bq_per_ml\n0,1\n1,2\n", "expected columns time_s"),
        ("time_s,plasma_bq_per_ml,name\n0,1,x\n1,2,y\n", "unknown columns name"),
        ("time_s,plasma_bq_per_ml\n0,1\n", "two rows"),
        ("time_s,plasma_bq_per_ml\n0,1\n0,2\n", "ascending"),
        ("time_s,plasma_bq_per_ml\n0,1\n5,\n", "row 3: activity"),
        ("time_s,plasma_bq_per_ml\n0,1\n5,one\n", "row 3: plasma_bq_per_ml is not a number"),
        ("time_s,plasma_bq_per_ml,parent_fraction\n0,1,\n5,1,1.2\n", "row 3: parent_fraction"),
        ("", "got none"),
    ],
)
def test_wrong_sample_files_are_refused(text: str, said: str) -> None:
    with pytest.raises(InvalidInputError, match=said):
        read_samples(text)
