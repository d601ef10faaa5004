"""Recovery coefficients, contrast and background variability on phantoms that can be reckoned."""

from __future__ import annotations

import math

import numpy as np
import pytest

from schemas.errors import InvalidInputError
from schemas.volume import ImageVolume
from tasks.phantom import (
    IqPhantom,
    admissible_gaussian,
    nema_contrast,
    recovery_curve,
)
from tasks.phantom.recovery import peak_weights
from tests.phantoms import found_spheres, iq_image


def test_a_sharp_phantom_recovers_everything(sharp_phantom: ImageVolume) -> None:
    for sphere in recovery_curve(sharp_phantom, found_spheres(sharp_phantom), true_ratio=10.0):
        assert sphere.coefficients["SUVmax"] == pytest.approx(1.0, abs=0.002)
        volume = math.pi / 6.0 * sphere.diameter_mm**3 / 1000.0
        assert sphere.volume_ml == pytest.approx(volume, rel=0.1)
    largest = recovery_curve(sharp_phantom, found_spheres(sharp_phantom), true_ratio=10.0)[0]
    # a sphere of 1 ml lies wholly inside one of 26.5 ml
    assert largest.coefficients["SUVpeak_1ml_maxloc"] == pytest.approx(1.0, abs=0.002)


def test_the_concentration_shows_the_calibration_and_the_ratio_does_not() -> None:
    image = iq_image(calibration_factor=1.2, background=5000.0)
    phantom = found_spheres(image)
    by_ratio = recovery_curve(image, phantom, true_ratio=10.0)[0].coefficients["SUVmax"]
    by_truth = recovery_curve(image, phantom, true_concentration=50_000.0)[0].coefficients["SUVmax"]
    assert by_ratio == pytest.approx(1.0, abs=0.01)
    assert by_truth == pytest.approx(1.2 * by_ratio, rel=0.002)


def test_peak_highest_is_at_least_the_peak_at_the_maximum(noisy_phantom: ImageVolume) -> None:
    for sphere in recovery_curve(noisy_phantom, found_spheres(noisy_phantom), true_ratio=10.0):
        measured = sphere.measured
        assert measured["SUVpeak_1ml_maxloc"] >= measured["SUVpeak_1ml_maxvoxel"]
        assert measured["SUVmax"] >= measured["SUVpeak_1ml_maxloc"]
        assert measured["SUVmax"] >= measured["SUVmean_A50"]


def test_the_sphere_of_one_millilitre_weighs_partial_voxels() -> None:
    weights = peak_weights((4.0, 4.0, 4.0))
    # 0.064 ml of 1 ml lie in the voxel in the middle
    assert weights[2, 2, 2] == pytest.approx(0.064, rel=0.01)
    assert weights.sum() == pytest.approx(1.0)
    assert weights[1, 2, 2] < weights[2, 2, 2]  # its outer corners lie outside
    assert 0 < weights[1, 1, 1] < 0.5 * weights[2, 2, 2]


def test_missing_spheres_have_no_coefficients() -> None:
    image = iq_image(ratios=(10.0, 10.0, 10.0, 10.0, 10.0, 1.0))
    last = recovery_curve(image, found_spheres(image), true_ratio=10.0)[-1]
    assert (last.state, dict(last.coefficients)) == ("missing", {})


@pytest.mark.parametrize("truth", [{}, {"true_ratio": 10.0, "true_concentration": 1.0}])
def test_exactly_one_truth_is_asked_for(
    truth: dict[str, float], noisy_phantom: ImageVolume
) -> None:
    with pytest.raises(InvalidInputError, match="either"):
        recovery_curve(noisy_phantom, found_spheres(noisy_phantom), **truth)


def plateaus(image: ImageVolume, phantom: IqPhantom, value: float) -> ImageVolume:
    """Background 1 everywhere, and around each sphere one value that reaches beyond its edge."""
    values = np.where(image.values > 0.5, 1.0, 0.0).astype(np.float32)
    axes = [np.arange(n) * s for n, s in zip(values.shape, image.geometry.spacing, strict=True)]
    z, y, x = np.meshgrid(*axes, indexing="ij", sparse=True)
    for c, d in zip(phantom.centres_mm, phantom.diameters_mm, strict=True):
        near = (z - c[0]) ** 2 + (y - c[1]) ** 2 + (x - c[2]) ** 2 <= (d / 2.0 + 8.0) ** 2
        values[near] = value
    return image.with_values(values)


def test_contrast_of_nema_is_not_recovery(noisy_phantom: ImageVolume) -> None:
    """Filled 4:1. Half of the excess seen: Q is 50 %, the recovery (1 + 1.5) / 4."""
    phantom = found_spheres(noisy_phantom)
    full, half = (plateaus(noisy_phantom, phantom, value) for value in (4.0, 2.5))
    seen = nema_contrast(full, phantom, 4.0)
    assert seen.contrast_percent == pytest.approx((100.0,) * 6)
    assert seen.background_variability_percent == pytest.approx((0.0,) * 6, abs=1e-6)
    assert seen.lung_residual_percent == pytest.approx(0.0, abs=1e-6)
    assert seen.n_regions == 60
    assert nema_contrast(half, phantom, 4.0).contrast_percent == pytest.approx((50.0,) * 6)
    for sphere in recovery_curve(half, phantom, true_concentration=4.0):
        assert sphere.coefficients["SUVmax"] == pytest.approx(0.625)
        assert sphere.coefficients["SUVmean_A50"] == pytest.approx(0.625)


def test_contrast_falls_with_the_size_of_the_sphere(noisy_phantom: ImageVolume) -> None:
    seen = nema_contrast(noisy_phantom, found_spheres(noisy_phantom), 10.0).contrast_percent
    assert sorted(seen, reverse=True) == list(seen)
    assert 80.0 < seen[0] < 95.0


def test_background_variability_falls_with_the_size_of_the_disc(
    noisy_phantom: ImageVolume,
) -> None:
    n = nema_contrast(noisy_phantom, found_spheres(noisy_phantom), 10.0)
    assert sorted(n.background_variability_percent) == list(n.background_variability_percent)
    assert n.background_variability_percent[0] < 100.0 * 0.05 < 6.0


def test_a_contrast_needs_a_ratio_above_one(noisy_phantom: ImageVolume) -> None:
    with pytest.raises(InvalidInputError, match="above 1"):
        nema_contrast(noisy_phantom, found_spheres(noisy_phantom), 1.0)


def test_widths_add_in_quadrature_to_the_same_match() -> None:
    """What one image lacks to the middle of the band, a blurrier one lacks less by its blur."""
    best = []
    for fwhm in (4.0, 6.0):
        image = iq_image(fwhm_mm=(fwhm,) * 3)
        found = admissible_gaussian(image, found_spheres(image), "EARL1", true_ratio=10.0)
        assert found.low_mm is not None
        assert found.best_mm is not None
        assert found.high_mm is not None
        assert found.low_mm <= found.best_mm <= found.high_mm
        assert found.limit_status == "verified"
        assert found.n_limits == 12
        best.append(math.hypot(found.best_mm, fwhm))
    assert best[0] == pytest.approx(best[1], rel=0.02)


def test_a_blurry_image_is_never_brought_to_the_sharper_standard() -> None:
    image = iq_image(fwhm_mm=(9.0, 9.0, 9.0))
    found = admissible_gaussian(image, found_spheres(image), "EARL2", true_ratio=10.0)
    assert found.best_mm is None
    assert found.outside
    assert found.limit_status == "recalled"
    with pytest.raises(InvalidInputError, match="no limits of EARL2"):
        admissible_gaussian(
            image, found_spheres(image), "EARL2", true_ratio=10.0, only_verified=True
        )
