"""The bias that noise makes, as the page on kinetics gives it."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from schemas.kinetics import KINETIC_PROFILES
from tasks.kinetics.frames import decay_factors, frame_weights
from tasks.kinetics.input_function import input_of_curve
from tasks.kinetics.models import Supply
from tasks.kinetics.voxelwise import voxel_model
from tasks.simulate.kinetic_phantom import HALF_LIFE_S, TISSUES, blood_input, kinetic_times

TIMES, BLOOD = kinetic_times(), blood_input()
CURVES = {t.name: t.curve(BLOOD).frame_means(TIMES) for t in TISSUES}
TUMOUR = next(t.model for t in TISSUES if t.name == "Tumour 2")


def noisy(name: str, share: float, n: int = 4000) -> NDArray[np.float32]:
    """Curves (t, n) with the noise of counts: `share` of a 5 min frame after half an hour."""
    curve = CURVES[name]
    variance = np.maximum(curve, 0) * decay_factors(TIMES, HALF_LIFE_S) / TIMES.duration_s
    there = int(np.argmin(np.abs(TIMES.mid_s - 1800)))
    sd = share * curve[there] * np.sqrt(variance / variance[there])
    rng = np.random.default_rng(0)
    noise = sd[:, None] * rng.normal(size=(TIMES.n, n))
    return np.asarray(curve[:, None] + noise, dtype=np.float32)


@pytest.mark.parametrize(
    ("profile", "roi", "bias_percent", "spread_percent"),
    [
        ("patlak/1", "Tumour 2", -0.4, 13),
        ("logan/1", "Striatum", -11.7, 9),
        ("ma1/1", "Striatum", 0.1, 15),
        ("logan-reference/1", "Striatum", -12.5, 6),
        ("srtm/1", "Striatum", 2.4, 33),
    ],
)
def test_ten_percent_of_noise(
    profile: str, roi: str, bias_percent: float, spread_percent: float
) -> None:
    assert TUMOUR is not None
    truth = {"patlak/1": 0.95 * TUMOUR.ki, "srtm/1": 2.0}.get(profile, 3.0)
    weights = frame_weights(TIMES, "duration", None)
    plasma = input_of_curve(TIMES, CURVES["Aorta"])
    model = voxel_model(
        KINETIC_PROFILES[profile], Supply(TIMES, weights, plasma, CURVES["Cerebellum"])
    )
    row = 2 if profile == "srtm/1" else 0
    found = model(np.ascontiguousarray(noisy(roi, 0.1)[model.frames]))[row]
    low, middle, high = np.nanpercentile(found, [15.9, 50, 84.1])
    # four standard errors of a median of 4000
    tolerance = 4 * 1.25 * spread_percent / np.sqrt(4000)
    assert 100 * (middle / truth - 1) == pytest.approx(bias_percent, abs=tolerance)
    assert 100 * (high - low) / 2 / truth == pytest.approx(spread_percent, rel=0.12)
