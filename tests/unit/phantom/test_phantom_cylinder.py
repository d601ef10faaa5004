"""A uniform cylinder is found and measured; other bodies are not taken for one."""

from __future__ import annotations

import math

import numpy as np
import pytest

from schemas.errors import InvalidInputError
from schemas.volume import ImageVolume
from tasks.phantom import find_cylinder
from tasks.simulate.phantoms import Pose
from tests.phantoms import cylinder_image, iq_image


def test_size_level_and_noise_come_back() -> None:
    rng = np.random.default_rng(5)
    found = find_cylinder(
        cylinder_image(concentration=5000.0, calibration_factor=1.07, noise_cov=0.08, rng=rng)
    )
    assert found.diameter_mm == pytest.approx(200.0, abs=2.0)
    assert found.length_mm == pytest.approx(180.0, abs=4.0)
    assert found.mean == pytest.approx(5350.0, rel=0.003)
    assert found.cov == pytest.approx(0.08, rel=0.05)
    assert found.uniformity_deviation < 0.02


def test_a_tilted_cylinder_is_measured_along_its_axis() -> None:
    found = find_cylinder(cylinder_image(pose=Pose((10.0, 5.0, 0.0), (6.0, -4.0, 0.0))))
    assert math.degrees(math.acos(abs(found.axis[0]))) == pytest.approx(7.2, abs=0.5)
    assert found.diameter_mm == pytest.approx(200.0, abs=2.0)
    assert found.mean == pytest.approx(1.0, abs=1e-3)


def test_a_slope_along_the_axis_shows_as_axial_deviation() -> None:
    image = cylinder_image()
    z = np.arange(56, dtype=np.float32)[:, None, None]
    found = find_cylinder(image.with_values(image.values * (1.0 + 0.002 * (z - 28.0))))
    # 0.2 % a slice over the 36 slices that lie 20 mm from the ends
    assert found.axial_deviation == pytest.approx(0.002 * 17.5, abs=0.004)
    assert found.radial_deviation < 0.002


def test_cupping_shows_as_radial_deviation() -> None:
    image = cylinder_image(pose=Pose())
    at = (np.arange(72, dtype=np.float32) - 35.5) * 4.0
    radius = np.hypot(at[:, None], at[None, :])
    found = find_cylinder(image.with_values(image.values * (1.0 + 0.1 * (radius / 100.0) ** 2)))
    # mean over r < 85 mm: 1 + 0.1 * 0.85^2 / 2 = 1.0361; outermost ring about 1 + 0.1 * 0.825^2
    assert found.radial_deviation == pytest.approx((1.0681 - 1.0361) / 1.0361, abs=0.006)


@pytest.mark.parametrize(
    ("image", "said"),
    [
        (iq_image(), "not round"),
        (cylinder_image(diameter_mm=80.0, length_mm=215.0), "as large as|smaller than|mm wide"),
        (cylinder_image(length_mm=64.0), "too little"),
        (cylinder_image().with_values(np.zeros((56, 72, 72), dtype=np.float32)), "empty"),
    ],
)
def test_other_bodies_are_refused_by_name(image: ImageVolume, said: str) -> None:
    with pytest.raises(InvalidInputError, match=said):
        find_cylinder(image)


def test_a_round_body_with_organs_is_no_cylinder() -> None:
    image = cylinder_image()
    values = image.values.copy()
    values[20:36, 30:42, 30:42] *= 6.0
    with pytest.raises(InvalidInputError, match="not uniform"):
        find_cylinder(image.with_values(values))
