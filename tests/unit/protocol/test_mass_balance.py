"""Mass balance of images whose total is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.geometry import Geometry
from schemas.volume import FrameAxis, RawVolume
from tasks.protocol.mass_balance import mass_balance

#: 4 mm voxels of 0.064 ml.
GRID = Geometry((20, 80, 80), np.diag([4.0, 4.0, 4.0, 1.0]))


def image(body: float = 1.0, air: float = 0.0, scale: float = 1.0) -> RawVolume:
    """Return a block of 20 x 40 x 40 voxels of `body` in `air`; slopes that differ by slice."""
    slope = np.linspace(1e-3, 3e-3, 20)
    suv = np.full((20, 80, 80), air)
    suv[:, 20:60, 20:60] = body
    stored = np.rint(suv / slope[:, None, None]).astype(np.int16)
    factor = np.full(20, scale / 2.0)
    return RawVolume(stored, slope * 2.0, np.zeros(20), GRID, "Bq/ml", factor)


def test_a_block_of_known_activity() -> None:
    # 32,000 voxels x 0.064 ml x SUV 1 = 2048 g of 4.096 kg: half the activity
    found = mass_balance(image(), 4.096)
    assert found["body_suv_mean"] == pytest.approx(1.0, abs=1e-3)
    assert found["activity_in_view_percent"] == pytest.approx(50.0, abs=0.05)


def test_air_and_hot_organs_do_not_change_what_the_body_is() -> None:
    volume = image(air=0.03)
    volume.stored[:, 30:34, 30:34] = np.rint(
        10.0 / volume.rescale_slope[:, None, None] * 2.0
    ).astype(np.int16)
    # 16 of 1600 voxels of a slice are at 10, the others at 1: mean 1.09
    assert mass_balance(volume, 70.0)["body_suv_mean"] == pytest.approx(1.09, abs=2e-3)


@settings(max_examples=50, deadline=None)
@given(st.floats(1e-4, 1e4))
def test_it_follows_an_error_of_scale(scale: float) -> None:
    """An SUV that is wrong by a factor must come out wrong by the factor."""
    found = mass_balance(image(scale=scale), 4.096)
    assert found["body_suv_mean"] == pytest.approx(scale, rel=1e-3, abs=1e-4)
    assert found["activity_in_view_percent"] == pytest.approx(50 * scale, rel=2e-3, abs=1e-3)


def test_what_cannot_be_known_is_null() -> None:
    volume = image()
    assert mass_balance(volume, None)["activity_in_view_percent"] is None
    without = RawVolume(volume.stored, volume.rescale_slope, np.zeros(20), GRID, "CNTS")
    frames = RawVolume(
        volume.stored[None], volume.rescale_slope[None], np.zeros((1, 20)), GRID, "Bq/ml",
        np.ones((1, 20)), frames=FrameAxis("time", 1),
    )  # fmt: skip
    nothing = {"body_suv_mean": None, "activity_in_view_percent": None}
    assert mass_balance(without, 70.0) == mass_balance(frames, 70.0) == nothing
    assert mass_balance(image(body=0.0), 70.0)["body_suv_mean"] is None
