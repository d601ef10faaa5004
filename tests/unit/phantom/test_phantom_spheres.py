"""The six spheres are found and named, or it is said why not."""

from __future__ import annotations

import numpy as np
import pytest

from schemas.errors import InvalidInputError
from schemas.volume import ImageVolume
from tasks.phantom import find_spheres
from tasks.simulate.phantoms import Pose, sphere_centres_lps_mm
from tests.phantoms import cylinder_image, iq_image

PLACE = Pose((7.0, -15.0, -3.0), (4.0, -5.0, 77.0))


def off_mm(image: ImageVolume, pose: Pose) -> float:
    """Largest distance of a centre found from where the sphere was put."""
    found = find_spheres(image).centres_lps_mm
    return float(np.linalg.norm(found - sphere_centres_lps_mm(pose), axis=1).max())


def test_centres_are_found_to_a_millimetre() -> None:
    assert off_mm(iq_image(pose=PLACE), PLACE) < 0.6


def test_a_phantom_with_its_lid_to_the_feet_is_found() -> None:
    turned = Pose((5.0, -20.0, -20.0), (3.0, 180.0, -40.0))
    image = iq_image(pose=turned, noise_cov=0.1, rng=np.random.default_rng(2))
    assert off_mm(image, turned) < 1.5


def test_the_order_of_slices_and_mirrored_pixels_do_not_matter() -> None:
    image = iq_image(pose=PLACE)
    flipped = image.with_values(np.ascontiguousarray(image.values[::-1, :, ::-1]))
    here, there = find_spheres(image), find_spheres(flipped)
    last = (np.array(image.values.shape) - 1) * image.geometry.spacing
    back = there.centres_mm * [-1, 1, -1] + last * [1, 0, 1]
    np.testing.assert_allclose(back, here.centres_mm, atol=0.05)


def test_background_is_that_of_the_filling(noisy_phantom: ImageVolume) -> None:
    phantom = find_spheres(noisy_phantom)
    assert phantom.background == pytest.approx(1.0, abs=0.005)
    assert phantom.background_cov == pytest.approx(0.05, rel=0.1)


@pytest.mark.parametrize(
    ("ratios", "states"),
    [
        ((4.0,) * 5 + (1.0,), ("hot",) * 5 + ("missing",)),
        ((1.0,) + (4.0,) * 5, ("missing",) + ("hot",) * 5),
        ((0.0, 0.0, 4.0, 4.0, 4.0, 4.0), ("cold", "cold", "hot", "hot", "hot", "hot")),
        ((10.0, 10.0, 1.0, 10.0, 10.0, 10.0), ("hot", "hot", "missing", "hot", "hot", "hot")),
    ],
)
def test_missing_and_cold_spheres_are_told(
    ratios: tuple[float, ...], states: tuple[str, ...]
) -> None:
    image = iq_image(pose=PLACE, ratios=ratios, noise_cov=0.05, rng=np.random.default_rng(3))
    phantom = find_spheres(image)
    assert phantom.states == states
    off = np.linalg.norm(phantom.centres_lps_mm - sphere_centres_lps_mm(PLACE), axis=1)
    assert off.max() < 1.5  # also where the sphere is missing: its place on the circle


@pytest.mark.parametrize(
    ("image", "said"),
    [
        (cylinder_image(), "hot"),
        (iq_image(ratios=(1.0,) * 6), "hot"),
        (iq_image(ratios=(10.0, 10.0, 1.0, 1.0, 1.0, 1.0)), "hot"),
        (iq_image().with_values(np.zeros((36, 80, 85), dtype=np.float32)), "empty"),
        (iq_image().with_values(np.full((36, 80, 85), np.nan, dtype=np.float32)), "empty"),
    ],
)
def test_what_is_no_phantom_is_refused_by_name(image: ImageVolume, said: str) -> None:
    with pytest.raises(InvalidInputError, match=said):
        find_spheres(image)
