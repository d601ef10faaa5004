"""The resolution that a phantom was simulated with comes back."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from schemas.volume import ImageVolume
from tasks.phantom import find_spheres, fit_psf
from tasks.phantom.sphere_model import blurred_sphere, sphere_cells
from tasks.simulate.phantoms import Pose
from tests.phantoms import iq_image

Triple = tuple[float, float, float]


@pytest.mark.parametrize(
    ("fwhm_mm", "voxel_mm"),
    [
        ((4.0, 4.0, 4.0), (2.0, 2.0, 2.0)),
        ((4.0, 4.0, 4.0), (5.0, 5.0, 5.0)),
        ((6.0, 5.0, 4.5), (3.27, 4.07, 4.07)),
        ((9.0, 8.0, 7.0), (4.25, 5.0, 5.0)),
        ((5.0, 9.0, 6.0), (3.0, 2.5, 2.5)),
    ],
)
def test_the_width_comes_back_within_five_percent(fwhm_mm: Triple, voxel_mm: Triple) -> None:
    rng = np.random.default_rng(7)
    image = iq_image(fwhm_mm=fwhm_mm, voxel_mm=voxel_mm, noise_cov=0.05, rng=rng)
    fit = fit_psf(image, find_spheres(image))
    np.testing.assert_allclose(fit.fwhm_mm, fwhm_mm, rtol=0.05)
    assert fit.contrast == pytest.approx(10.0, rel=0.03)
    assert fit.n_spheres == 6
    # the stated errors are those that were made: none beyond four of them, none absurdly large
    off = np.abs(np.subtract(fit.fwhm_mm, fwhm_mm)) / fit.error_mm
    assert off.max() < 4.0
    assert max(fit.error_mm) < 0.04 * max(fwhm_mm)


def test_without_noise_it_comes_back_within_a_percent() -> None:
    image = iq_image(fwhm_mm=(7.0, 6.0, 5.0), pose=Pose((2.0, -21.0, 1.0), (3.0, -2.0, 100.0)))
    np.testing.assert_allclose(
        fit_psf(image, find_spheres(image)).fwhm_mm, (7.0, 6.0, 5.0), rtol=0.01
    )


def test_unit_and_calibration_do_not_matter(noisy_phantom: ImageVolume) -> None:
    scaled = noisy_phantom.with_values(noisy_phantom.values * np.float32(5300.0))
    here, there = (fit_psf(i, find_spheres(i)) for i in (noisy_phantom, scaled))
    np.testing.assert_allclose(there.fwhm_mm, here.fwhm_mm, rtol=1e-4)
    assert there.background == pytest.approx(5300.0 * here.background, rel=1e-4)


def test_the_model_is_a_sphere_convolved_with_a_gaussian() -> None:
    """Against brute force: a sphere of 0.25 mm cells, filtered and averaged over 4 mm voxels."""
    fine, radius, voxel = 0.25, 6.5, 4.0
    axis = (np.arange(176) - 87.5) * fine
    r = np.sqrt(axis[:, None, None] ** 2 + axis[None, :, None] ** 2 + axis[None, None, :] ** 2)
    sphere = np.clip(0.5 - (r - radius) / fine, 0.0, 1.0)
    sigma = np.array([6.0, 5.0, 4.0]) / 2.3548200450309493 / fine
    expected = ndimage.gaussian_filter(sphere, sigma, truncate=6.0)
    expected = expected.reshape(11, 16, 11, 16, 11, 16).mean(axis=(1, 3, 5))
    centres = np.asarray((np.arange(11) - 5.0) * voxel, dtype=np.float64)
    model = blurred_sphere(
        radius, np.zeros(3), np.array([6.0, 5.0, 4.0]), (centres,) * 3, (voxel,) * 3
    )
    np.testing.assert_allclose(model.values, expected, atol=0.004)


def test_the_cells_add_up_to_the_sphere() -> None:
    share, _, step = sphere_cells(5.0)
    assert share.sum() * step**3 == pytest.approx(523.59878, rel=1e-6)  # 4/3 pi 5^3


def test_derivatives_are_those_of_the_values() -> None:
    axes = (np.arange(-12.0, 13.0, 4.0),) * 3

    def image(centre: np.ndarray, fwhm: np.ndarray) -> np.ndarray:
        return blurred_sphere(6.5, centre, fwhm, axes, (4.0, 4.0, 4.0)).values

    centre, fwhm = np.array([0.4, -0.7, 1.1]), np.array([6.0, 5.0, 4.0])
    exact = blurred_sphere(6.5, centre, fwhm, axes, (4.0, 4.0, 4.0))
    for axis in range(3):
        h = np.eye(3)[axis] * 1e-4
        by_centre = (image(centre + h, fwhm) - image(centre - h, fwhm)) / 2e-4
        by_fwhm = (image(centre, fwhm + h) - image(centre, fwhm - h)) / 2e-4
        np.testing.assert_allclose(exact.by_centre[axis], by_centre, atol=1e-7)
        np.testing.assert_allclose(exact.by_fwhm[axis], by_fwhm, atol=1e-7)
