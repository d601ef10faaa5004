"""All voxels at once give what each curve gives alone."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from schemas.geometry import FloatArray
from schemas.kinetics import KINETIC_PROFILES, KineticProfile
from tasks.kinetics.compartments import TwoTissue, feng_input, frames_of
from tasks.kinetics.frames import frame_weights
from tasks.kinetics.input_function import input_of_curve
from tasks.kinetics.models import Supply, fit_curve
from tasks.kinetics.voxelwise import voxel_model

TIMES = frames_of(((12, 10.0), (8, 15.0), (6, 30.0), (3, 60.0), (16, 300.0)))
PLASMA = feng_input()
#: Largest relative difference: single precision; for SRTM half a step of the grid of k2a.
CLOSE = {
    "patlak": 2e-5,
    "logan": 2e-5,
    "logan_reference": 2e-5,
    "ma1": 2e-4,
    "ratio": 1e-5,
    "srtm": 0.03,
}
PROFILES = [
    *(KINETIC_PROFILES[n] for n in ("patlak/1", "logan/1", "ma1/1", "srtm/1", "ratio-50/1")),
    replace(KINETIC_PROFILES["logan-reference/1"], k2_reference_per_min=0.1),
]


def supply() -> Supply:
    blood = PLASMA.frame_means(TIMES)
    reference = TwoTissue(0.1, 0.1).curve(PLASMA).frame_means(TIMES)
    return Supply(
        TIMES, frame_weights(TIMES, "duration", None), input_of_curve(TIMES, blood), reference
    )


def noisy_curves(n: int = 20) -> NDArray[np.float32]:
    """Curves (t, n) of many tissues, with a little noise."""
    rng = np.random.default_rng(1)
    curves = []
    for _ in range(n):
        k1, ratio, k3 = rng.uniform(0.05, 0.3), rng.uniform(0.5, 3), rng.uniform(0, 0.05)
        model = TwoTissue(k1, k1 / ratio, k3, 0.04)
        curves.append(model.curve(PLASMA).frame_means(TIMES))
    exact = np.array(curves).T
    noise = rng.normal(size=exact.shape) * 0.01 * exact.max(axis=0)
    return np.asarray(exact + noise / np.sqrt(TIMES.duration_s / 300)[:, None], dtype=np.float32)


@pytest.mark.parametrize("profile", PROFILES, ids=lambda p: p.model)
def test_voxels_equal_single_curves(profile: KineticProfile) -> None:
    data, curves = supply(), noisy_curves()
    model = voxel_model(profile, data)
    found = model(np.ascontiguousarray(curves[model.frames]))
    assert found.dtype == np.float32
    assert found.shape == (len(profile.parameters), curves.shape[1])
    for i in range(curves.shape[1]):
        fit = fit_curve(profile, curves[:, i].astype(np.float64), data)
        alone: FloatArray = np.array([e.value for e in fit.estimates])
        np.testing.assert_allclose(found[:, i], alone, rtol=CLOSE[profile.model], atol=1e-6)


@pytest.mark.parametrize("profile", PROFILES, ids=lambda p: p.model)
def test_models_travel_to_workers_and_split_voxels_as_they_like(profile: KineticProfile) -> None:
    model, curves = voxel_model(profile, supply()), noisy_curves()
    wanted = np.ascontiguousarray(curves[model.frames])
    whole = model(wanted)
    there = pickle.loads(pickle.dumps(model))
    halves = np.concatenate([there(wanted[:, :7]), there(wanted[:, 7:])], axis=1)
    np.testing.assert_allclose(halves, whole, rtol=1e-5)


def test_voxels_without_a_solution_are_not_a_number() -> None:
    data = supply()
    empty = np.zeros((TIMES.n, 3), dtype=np.float32)
    for profile in PROFILES:
        model = voxel_model(profile, data)
        found = model(empty[model.frames])
        if profile.model in {"patlak", "ratio"}:
            assert (found == 0).all()
        else:
            assert np.isnan(found).all()


def test_a_searched_start_is_handed_over() -> None:
    profile = KINETIC_PROFILES["patlak-auto/1"]
    assert voxel_model(profile, supply(), t_star_min=35.0).frames.start == 34
    assert TIMES.start_s[34] == 2100
