"""Standardisation: grids, ramps, point sources, integrals, orientation."""

from __future__ import annotations

import itertools
import time
from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import affine_transform

from schemas.geometry import Geometry
from schemas.profiles import CT_4MM, PET_4MM, StandardProfile
from schemas.volume import ImageVolume, RawVolume
from tasks.standardise import grid_for, resample, resample_mask, standardise
from tasks.standardise.grid import axis_maps, crop_grid
from tasks.standardise.kernels import (
    FWHM_PER_SIGMA,
    gaussian_weights,
    interpolation_matrix,
    smoothing_matrix,
)


def grid(
    shape: tuple[int, int, int], spacing: tuple[float, float, float], origin: float = 0.0
) -> Geometry:
    affine = np.diag([*spacing[::-1], 1.0])
    affine[:3, 3] = origin
    return Geometry(shape, affine)


def profile(
    spacing: tuple[float, float, float], *, order: int = 1, anti_alias: bool = False
) -> StandardProfile:
    return StandardProfile("t/1", "PT", spacing, order, anti_alias)


def lps(geometry: Geometry) -> np.ndarray:
    """Coordinates of every voxel, (z, y, x, 3)."""
    z, y, x = np.indices(geometry.shape)
    return geometry.to_lps(np.stack([x, y, z], axis=-1).astype(float))


def test_grid_aligns_centres_and_covers() -> None:
    """128 x 4.6875 = 600 mm -> 150 voxels of 4; 267 x 3.27 = 873.09 mm -> 219 voxels."""
    old = grid((267, 128, 128), (3.27, 4.6875, 4.6875), origin=-300.0)
    new = grid_for(old, PET_4MM)
    assert new.shape == (219, 150, 150)
    centre = old.to_lps((np.array(old.shape[::-1]) - 1) / 2)
    assert new.to_lps((np.array(new.shape[::-1]) - 1) / 2) == pytest.approx(centre)
    assert np.array_equal(np.diag(new.affine), [4, 4, 4, 1])


@pytest.mark.parametrize(
    ("alignment", "first_z", "first_x"),
    # 10 slices of 3 mm from z = 100: 98.5 to 128.5; 8 columns of 5 mm from x = 100: 97.5 to 137.5
    [("centre", 99.5, 99.5), ("first_voxel", 100.0, 100.0), ("corner", 100.5, 99.5)],
)
def test_where_the_grid_lies(alignment: str, first_z: float, first_x: float) -> None:
    old = grid((10, 8, 8), (3.0, 5.0, 5.0), origin=100.0)
    wanted = replace(PET_4MM, profile_id="t/1", alignment=alignment)  # type: ignore[arg-type]
    new = grid_for(old, wanted)
    assert new.shape == (8, 10, 10)
    assert new.affine[2, 3] == pytest.approx(first_z)
    assert new.affine[0, 3] == pytest.approx(first_x)
    turned = Geometry(old.shape, old.affine @ np.diag([1.0, 1.0, -1.0, 1.0]))
    turned = Geometry(old.shape, turned.affine + np.outer([0, 0, 27, 0], [0, 0, 0, 1]))
    assert grid_for(turned, wanted).digest() == new.digest()


def test_voxels_as_acquired() -> None:
    """A coronal volume keeps its voxels, named by the axes of the patient."""
    affine = np.eye(4)
    affine[:3, :3] = np.array([[2.0, 0, 0], [0, 0, 5.0], [0, -3.0, 0]])
    new = grid_for(Geometry((6, 7, 8), affine), StandardProfile("t/1", "PT"))
    assert new.shape == (7, 6, 8)
    assert new.spacing == pytest.approx((3.0, 5.0, 2.0))


def test_grid_of_an_oblique_volume_covers_every_corner() -> None:
    angle = np.radians(20)
    rotation = np.array(
        [[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]]
    )
    affine = np.eye(4)
    affine[:3, :3] = rotation * [2.0, 3.0, 5.0]
    old = Geometry((10, 20, 30), affine)
    new = grid_for(old, PET_4MM)
    assert new.is_axial
    corners = np.array(list(itertools.product((-0.5, 29.5), (-0.5, 19.5), (-0.5, 9.5))))
    index = new.to_index(old.to_lps(corners))
    assert (index >= -0.5 - 1e-3).all()
    assert (index <= np.array(new.shape[::-1]) - 0.5 + 1e-3).all()


@pytest.mark.parametrize("order", [0, 1, 3])
def test_same_grid_gives_the_same_values(order: int) -> None:
    values = np.random.default_rng(1).normal(size=(9, 8, 7)).astype(np.float32)
    geometry = grid((9, 8, 7), (4.0, 4.0, 4.0))
    out = standardise(ImageVolume(values, geometry, "SUVbw"), profile((4.0, 4.0, 4.0), order=order))
    assert np.allclose(out.values, values, atol=1e-6)
    assert out.values is not values
    assert not np.shares_memory(out.values, values)


@pytest.mark.parametrize("order", [1, 3])
@pytest.mark.parametrize("spacing", [(4.0, 4.0, 4.0), (1.5, 1.5, 1.5), (2.0, 3.0, 3.3)])
def test_linear_ramp_is_exact(order: int, spacing: tuple[float, float, float]) -> None:
    old = grid((24, 22, 20), (2.0, 3.0, 3.0))
    ramp = (lps(old) @ [1.0, 2.0, 3.0] + 5.0).astype(np.float32)
    out = standardise(ImageVolume(ramp, old, "SUVbw"), profile(spacing, order=order))
    expected = lps(out.geometry) @ [1.0, 2.0, 3.0] + 5.0
    margin = 5 if order == 1 else 18  # cubic: the mirror at the edge bends a ramp
    inside = np.all(
        [
            (c > margin) & (c < n * s - s - margin)
            for c, n, s in zip(
                np.moveaxis(lps(out.geometry), -1, 0), (20, 22, 24), (3.0, 3.0, 2.0), strict=True
            )
        ],
        axis=0,
    )
    assert inside.sum() > 10
    assert np.abs(out.values - expected)[inside].max() < (1e-4 if order == 1 else 2e-2)


def test_constant_stays_constant_whatever_is_done_to_it() -> None:
    old = grid((11, 12, 13), (2.0, 2.5, 1.7))
    volume = ImageVolume(np.full(old.shape, 7.0, np.float32), old, "SUVbw")
    wanted = StandardProfile("t/1", "PT", (3.9, 4.1, 4.0), 3, True, (6.0, 5.0, 4.0))
    out = standardise(volume, wanted)
    inside = out.values[out.values != 0]
    assert inside.size > 0
    assert np.allclose(inside, 7.0, atol=1e-5)


@pytest.mark.parametrize("sigma", [0.1, 0.22, 0.4, 0.6, 1.0, 2.7])
def test_kernel_has_the_variance_asked_for(sigma: float) -> None:
    weights = gaussian_weights(sigma)
    k = np.arange(len(weights)) - len(weights) // 2
    assert weights.sum() == pytest.approx(1.0, abs=1e-12)
    assert weights @ k**2 == pytest.approx(sigma**2, rel=1e-6)
    assert weights.min() >= 0


def test_kernel_is_a_gaussian_in_frequency() -> None:
    """At sigma 1 the transfer at half the Nyquist frequency is exp(-(pi/2)^2 / 2) = 0.2912."""
    weights = gaussian_weights(1.0)
    k = np.arange(len(weights)) - len(weights) // 2
    assert weights @ np.cos(np.pi / 2 * k) == pytest.approx(0.2912, abs=2e-3)


def second_moment_fwhm(values: np.ndarray, spacing: float, axis: int) -> float:
    line = values.sum(axis=tuple(a for a in range(3) if a != axis)).astype(float)
    k = np.arange(len(line)) * spacing
    mean = (line @ k) / line.sum()
    return float(np.sqrt((line @ (k - mean) ** 2) / line.sum()) * FWHM_PER_SIGMA)


def test_resolution_match_adds_in_quadrature() -> None:
    """FWHM 5 mm smoothed by 6, 7 and 8 mm gives sqrt(25 + 36), sqrt(25 + 49), sqrt(25 + 64)."""
    geometry = grid((41, 41, 41), (2.0, 2.0, 2.0))
    away = np.sum((lps(geometry) - 40.0) ** 2, axis=-1)
    source = np.exp(-away / 2 / (5.0 / FWHM_PER_SIGMA) ** 2).astype(np.float32)
    wanted = StandardProfile("t/1", "PT", (2.0, 2.0, 2.0), 1, True, (6.0, 7.0, 8.0))
    out = standardise(ImageVolume(source, geometry, "SUVbw"), wanted)
    for axis, extra in enumerate((6.0, 7.0, 8.0)):
        found = second_moment_fwhm(out.values, 2.0, axis)
        assert found == pytest.approx(np.hypot(5.0, extra), rel=2e-3)


def test_down_sampling_widens_by_the_matching_gaussian() -> None:
    """2 mm to 5 mm: sqrt(25 - 4) mm; linear interpolation adds its own small part."""
    geometry = grid((60, 60, 60), (2.0, 2.0, 2.0))
    away = np.sum((lps(geometry) - 59.0) ** 2, axis=-1)
    source = np.exp(-away / 2 / (12.0 / FWHM_PER_SIGMA) ** 2).astype(np.float32)
    out = standardise(
        ImageVolume(source, geometry, "SUVbw"), profile((5.0, 5.0, 5.0), order=3, anti_alias=True)
    )
    found = second_moment_fwhm(out.values, 5.0, 0)
    assert found == pytest.approx(np.sqrt(144 + 21), rel=5e-3)
    assert out.attributes["smoothing_fwhm_mm"] == pytest.approx([np.sqrt(21)] * 3)


@pytest.mark.parametrize("order", [1, 3])
def test_integral_is_preserved(order: int) -> None:
    geometry = grid((40, 44, 48), (3.0, 2.5, 2.0))
    away = np.sum(((lps(geometry) - [47.0, 53.75, 58.5]) / [9.0, 7.0, 8.0]) ** 2, axis=-1)
    source = np.exp(-away / 2).astype(np.float32)
    out = standardise(
        ImageVolume(source, geometry, "SUVbw"),
        profile((4.0, 4.0, 4.0), order=order, anti_alias=True),
    )
    before = source.sum() * geometry.voxel_volume_ml
    after = out.values.sum() * out.geometry.voxel_volume_ml
    assert after == pytest.approx(before, rel=1e-3)


def test_linear_stays_in_range_and_cubic_may_overshoot() -> None:
    geometry = grid((20, 20, 20), (4.0, 4.0, 4.0))
    box = np.zeros(geometry.shape, np.float32)
    box[8:12, 8:12, 8:12] = 10.0
    volume = ImageVolume(box, geometry, "SUVbw")
    linear = standardise(volume, profile((2.0, 2.0, 2.0))).values
    cubic = standardise(volume, profile((2.0, 2.0, 2.0), order=3)).values
    assert linear.min() == 0.0
    assert linear.max() == pytest.approx(10.0)
    assert cubic.min() < -0.1  # documented: not clipped


def test_raw_volume_is_quantified_slice_by_slice() -> None:
    geometry = grid((3, 2, 2), (4.0, 4.0, 4.0))
    raw = RawVolume(
        np.full((3, 2, 2), 10, np.int16),
        np.array([1.0, 2.0, 3.0]),
        np.zeros(3),
        geometry,
        "Bq/ml",
        np.array([0.1, 0.1, 0.2]),
        {"centre": "A"},
    )
    out = standardise(raw, profile((4.0, 4.0, 4.0)))
    assert out.value_unit == "SUVbw"
    assert np.allclose(out.values[:, 0, 0], [1.0, 2.0, 6.0])
    assert out.attributes["centre"] == "A"
    refused = standardise(replace(raw, suv_factor=None), profile((4.0, 4.0, 4.0)))
    assert refused.value_unit == "Bq/ml"
    assert np.allclose(refused.values[:, 0, 0], [10.0, 20.0, 30.0])


def test_ct_on_the_grid_of_its_pet() -> None:
    pet = grid_for(grid((20, 16, 16), (3.0, 4.0, 4.0), origin=-20.0), PET_4MM)
    small = grid((20, 40, 40), (2.5, 1.0, 1.0), origin=-15.0)
    ct = RawVolume(
        np.full(small.shape, 1064, np.int16), np.ones(20), np.full(20, -1024.0), small, "HU"
    )
    out = standardise(ct, CT_4MM, like=pet)
    assert out.geometry.digest() == pet.digest()
    assert out.values[0, 0, 0] == -1024.0  # outside the CT
    centre = tuple(n // 2 for n in pet.shape)
    assert out.values[centre] == pytest.approx(40.0)


def test_coronal_slices_come_out_axial() -> None:
    """Rows run to the left, columns downward (feet), slices to posterior."""
    affine = np.eye(4)
    affine[:3, :3] = np.array([[4.0, 0, 0], [0, 0, 4.0], [0, -4.0, 0]])
    geometry = Geometry((6, 5, 7), affine)
    values = np.random.default_rng(2).random((6, 5, 7)).astype(np.float32)
    out = standardise(ImageVolume(values, geometry, "SUVbw"), PET_4MM)
    assert out.geometry.shape == (5, 6, 7)
    assert np.allclose(out.values, values.transpose(1, 0, 2)[::-1], atol=1e-6)


@pytest.mark.parametrize("order", [1, 2, 3, 4, 5])
def test_parallel_path_agrees_with_scipy(order: int) -> None:
    values = np.random.default_rng(3).random((12, 14, 16)).astype(np.float32)
    old = grid((12, 14, 16), (3.0, 4.0, 5.0))
    new = crop_grid(grid((30, 30, 30), (1.7, 2.1, 2.9), origin=6.0), (slice(2, 14),) * 3)
    found = resample(values, old, new, order, 0.0)
    relation = np.linalg.inv(old.affine) @ new.affine
    expected = affine_transform(  # type: ignore[call-overload]
        values.astype(float), relation[:3, :3][::-1, ::-1], relation[:3, 3][::-1],
        new.shape, order=order, mode="mirror",
    )  # fmt: skip
    assert np.allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("order", [0, 1, 3])
def test_part_of_a_grid_equals_the_part_of_the_whole(order: int) -> None:
    values = np.random.default_rng(4).random((14, 15, 16)).astype(np.float32)
    old, new = grid((14, 15, 16), (3.0, 4.0, 4.0)), grid((20, 25, 28), (2.0, 2.0, 2.0), 1.0)
    box = (slice(3, 12), slice(5, 6), slice(0, 28))
    whole = resample(values, old, new, order, -1.0)
    part = resample(values, old, crop_grid(new, box), order, -1.0)
    assert np.allclose(part, whole[box], atol=1e-6)


def test_cropped_image_gives_the_same_inside() -> None:
    values = np.random.default_rng(5).random((20, 20, 20)).astype(np.float32)
    old, new = grid((20, 20, 20), (3.0, 3.0, 3.0)), grid((8, 8, 8), (2.0, 2.0, 2.0), 20.0)
    box = (slice(4, 18),) * 3
    cropped = resample(values[box], crop_grid(old, box), new, 1, 0.0)
    assert np.allclose(cropped, resample(values, old, new, 1, 0.0), atol=1e-6)


def test_outside_is_filled_and_half_a_voxel_belongs_to_the_volume() -> None:
    old, new = grid((1, 1, 4), (4.0, 4.0, 4.0)), grid((1, 1, 10), (4.0, 4.0, 2.0), 0.0)
    values = np.array([[[1.0, 2.0, 3.0, 4.0]]], np.float32)
    found = resample(values, old, new, 1, -9.0)[0, 0]
    assert np.allclose(found, [1, 1.5, 2, 2.5, 3, 3.5, 4, 4, -9, -9])


def test_mask_keeps_volume_and_labels() -> None:
    geometry = grid((40, 40, 40), (2.0, 2.0, 2.0))
    away = np.linalg.norm(lps(geometry) - [26.0, 40.0, 40.0], axis=-1)
    labels = np.zeros(geometry.shape, np.uint16)
    labels[away < 12] = 3
    labels[np.linalg.norm(lps(geometry) - [58.0, 40.0, 40.0], axis=-1) < 9] = 500
    new = grid_for(geometry, StandardProfile("t/1", "PT", (1.0, 1.5, 1.5)))
    out = resample_mask(labels, geometry, new)
    assert out.dtype == np.uint16
    assert set(np.unique(out)) == {0, 3, 500}
    for label in (3, 500):
        before = (labels == label).sum() * geometry.voxel_volume_ml
        assert (out == label).sum() * new.voxel_volume_ml == pytest.approx(before, rel=0.03)


def test_mask_on_its_own_grid_is_unchanged() -> None:
    geometry = grid((6, 7, 8), (2.0, 2.0, 2.0))
    labels = np.random.default_rng(6).integers(0, 4, geometry.shape).astype(np.uint8)
    assert np.array_equal(resample_mask(labels, geometry, geometry), labels)


def test_empty_mask_stays_empty() -> None:
    geometry = grid((4, 4, 4), (2.0, 2.0, 2.0))
    far = grid((3, 3, 3), (2.0, 2.0, 2.0), origin=500.0)
    labels = np.zeros(geometry.shape, np.uint8)
    assert not resample_mask(labels, geometry, far).any()
    labels[1, 1, 1] = 1
    assert not resample_mask(labels, geometry, far).any()


def test_rotated_grids_are_not_parallel() -> None:
    angle = np.radians(3)
    affine = np.eye(4)
    affine[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    old = Geometry((10, 100, 100), affine)
    assert axis_maps(old, grid((10, 100, 100), (1.0, 1.0, 1.0))) is None
    assert axis_maps(old, old) is not None


def test_matrix_rows_sum_to_one() -> None:
    p = np.linspace(-3, 12, 50)
    for order in range(6):
        assert np.allclose(interpolation_matrix(p, 10, order).sum(axis=1), 1.0)
        assert np.allclose(interpolation_matrix(p, 1, order), 1.0)
    assert np.allclose(smoothing_matrix(5, 2.0).sum(axis=1), 1.0)
    with pytest.raises(ValueError, match="order"):
        interpolation_matrix(p, 10, 6)


def test_whole_body_pet_takes_little_time() -> None:
    old = grid((267, 128, 128), (3.27, 4.6875, 4.6875))
    volume = ImageVolume(np.ones(old.shape, np.float32), old, "SUVbw")
    start = time.process_time()
    standardise(volume, PET_4MM)
    assert time.process_time() - start < 5  # 0.1 s on an idle core
