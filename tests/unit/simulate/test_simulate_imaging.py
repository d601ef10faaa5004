"""Rendering, resolution and noise against numbers known by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tasks.simulate.anatomy import Body, Solid, lesion_sites, organs
from tasks.simulate.imaging import acquire, axial_grid, blur, correlated_noise, coverage, render
from tasks.simulate.patient import draw_patient, expected_suv
from tasks.simulate.scanner import MAX_CENTRES, Dialect, centre_profile, scaled_size


def test_covered_volume_of_a_sphere_is_its_volume() -> None:
    grid = axial_grid((20, 24, 24), (5.0, 4.0, 4.0), -50.0)
    sphere = Solid("lesion", (1.3, -2.1, -3.7), (12.0, 12.0, 12.0), 1.0, 1.0, 0.0)
    _, fraction = coverage(sphere, grid, 8)
    volume_ml = fraction.sum() * grid.voxel_volume_ml
    assert volume_ml == pytest.approx(4 / 3 * math.pi * 1.2**3, rel=0.003)
    assert fraction.max() == 1.0


def test_column_is_a_cylinder_with_rounded_ends() -> None:
    grid = axial_grid((60, 40, 40), (1.0, 1.0, 1.0), -30.0)
    column = Solid("spine", (0.0, 0.0, 0.0), (10.0, 10.0, 25.0), 1.0, 1.0, 0.0, exponent=12.0)
    _, fraction = coverage(column, grid, 4)
    assert fraction.sum() == pytest.approx(math.pi * 100 * 50, rel=0.03)


def test_later_solids_replace_earlier_ones() -> None:
    grid = axial_grid((9, 9, 9), (2.0, 2.0, 2.0), -8.0)
    outer = Solid("body", (0.0, 0.0, 0.0), (30.0, 30.0, 30.0), 1.0, 1.0, 0.0)
    inner = Solid("organ", (0.0, 0.0, 0.0), (4.0, 4.0, 4.0), 5.0, 1.0, 0.0)
    image = render(((outer, 1.0, 3), (inner, 5.0, 3)), grid, 0.0)
    assert image[4, 4, 4] == 5.0
    assert image[0, 4, 4] == 1.0


def test_blur_adds_the_variance_of_its_width_and_keeps_the_sum() -> None:
    grid = axial_grid((33, 33, 33), (5.0, 4.0, 3.0), 0.0)
    image = np.zeros(grid.shape, dtype=np.float32)
    image[16, 16, 16] = 1.0
    blurred = blur(image, grid, 7.0).astype(float)
    sigma_mm = 7.0 / (2 * math.sqrt(2 * math.log(2)))
    assert blurred.sum() == pytest.approx(1.0, rel=1e-5)
    for axis, step in enumerate(grid.spacing):
        others = tuple(a for a in range(3) if a != axis)
        profile = blurred.sum(axis=others)
        variance = (profile * (step * (np.arange(33) - 16)) ** 2).sum()
        assert variance == pytest.approx(sigma_mm**2, rel=1e-4)


def test_noise_has_unit_variance_after_its_filter() -> None:
    grid = axial_grid((40, 64, 64), (5.0, 4.0, 4.0), 0.0)
    noise = correlated_noise(grid, 8.0, np.random.default_rng(3))
    assert noise.std() == pytest.approx(1.0, abs=0.02)
    neighbours = (noise[:, :, 1:] * noise[:, :, :-1]).mean()
    # sigma = 8 / 2.3548 / 4 = 0.849 voxels; the autocorrelation of the discrete Gaussian at one
    # voxel is I1(2 sigma^2) / I0(2 sigma^2) = I1(1.4427) / I0(1.4427) = 0.9260 / 1.5921.
    assert neighbours == pytest.approx(0.5816, abs=0.02)


def test_noise_variance_follows_activity() -> None:
    grid = axial_grid((40, 40, 40), (4.0, 4.0, 4.0), 0.0)
    truth = np.full(grid.shape, 2.2, dtype=np.float32)
    truth[20:] = 8.8
    image = acquire(
        truth, grid, psf_fwhm_mm=5.0, noise_cov=0.1, noise_fwhm_mm=5.0, reference=2.2,
        rng=np.random.default_rng(5),
    )  # fmt: skip
    low, high = image[4:16], image[24:36]
    assert low.std() / low.mean() == pytest.approx(0.1, abs=0.006)
    assert high.std() / high.mean() == pytest.approx(0.05, abs=0.004)


@pytest.mark.parametrize("weight", [45.0, 75.0, 125.0])
def test_lesions_of_any_size_stay_in_the_body(weight: float) -> None:
    body = Body(1.72, weight)
    solids = {s.name: s for s in organs(body)}
    muscle = max((s for s in organs(body) if s.name == "muscle"), key=lambda s: s.semi_axes[2])
    assert solids["liver"].semi_axes[2] > 50
    for site in lesion_sites(body):
        x, y, _ = site.centre
        reach = math.hypot(x / muscle.semi_axes[0], y / muscle.semi_axes[1])
        assert reach + site.radius_max_mm / muscle.semi_axes[1] < 1.15


def test_biology_raises_uptake_with_stage_and_lowers_it_with_age() -> None:
    assert expected_suv("node", 4, 60) == pytest.approx(5.0 * 1.75)
    assert expected_suv("node", 1, 80) == pytest.approx(5.0 * 0.84)


def test_patients_are_the_same_on_every_draw_and_differ_between_seeds() -> None:
    first = draw_patient(1, "A", 4, "III", activity_mbq_per_kg=3.0)
    assert first == draw_patient(1, "A", 4, "III", activity_mbq_per_kg=3.0)
    assert first != draw_patient(2, "A", 4, "III", activity_mbq_per_kg=3.0)
    assert 2 <= len(first.lesions) <= 5


def test_centres_differ_and_further_ones_cycle_through_the_rare_dialects() -> None:
    profiles = [centre_profile(i) for i in range(MAX_CENTRES)]
    assert len({p.letter for p in profiles}) == MAX_CENTRES
    assert {p.letter for p in profiles}.isdisjoint({"S", "X"})
    assert [p.dialect for p in profiles[6:9]] == [Dialect.ADMIN, Dialect.NONE, Dialect.GML]
    effects = {(p.calibration_factor, p.psf_fwhm_mm, p.noise_cov) for p in profiles}
    assert len(effects) == MAX_CENTRES
    assert all(0.6 < p.calibration_factor < 1.3 for p in profiles)


def test_matrix_shrinks_with_the_voxel_scale() -> None:
    assert [scaled_size(128, s) for s in (1.0, 2.0, 4.0)] == [128, 64, 32]
