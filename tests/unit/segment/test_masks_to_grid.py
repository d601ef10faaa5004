from __future__ import annotations

import numpy as np
import pytest

from schemas.geometry import Geometry
from schemas.volume import MaskVolume
from tasks.segment.masks import label_box, mask_to_grid


def ball(n: int, spacing: float, radius: float) -> MaskVolume:
    affine = np.diag([spacing, spacing, spacing, 1.0])
    affine[:3, 3] = -(n - 1) / 2.0 * spacing
    z, y, x = np.meshgrid(*[(np.arange(n) - (n - 1) / 2.0) * spacing] * 3, indexing="ij")
    labels = np.where(x**2 + y**2 + z**2 <= radius**2, 3, 0).astype(np.uint8)
    labels[0, 0, 0] = 7
    return MaskVolume(labels, Geometry((n, n, n), affine))


def test_same_grid_is_the_mask_itself() -> None:
    mask = ball(9, 2.0, 5.0)
    np.testing.assert_array_equal(mask_to_grid(mask, 3, mask.geometry), mask.labels == 3)


def test_label_that_does_not_occur_is_empty() -> None:
    mask = ball(9, 2.0, 5.0)
    assert not mask_to_grid(mask, 4, mask.geometry).any()


@pytest.mark.parametrize("spacing", [0.7, 1.5, 4.0])
def test_volume_is_kept_on_average(spacing: float) -> None:
    mask = ball(41, 1.0, 15.0)
    n = int(44 / spacing)
    affine = np.diag([spacing, spacing, spacing, 1.0])
    volumes = []
    for shift in np.random.default_rng(3).uniform(-2.0, 2.0, (20, 3)):
        affine[:3, 3] = -(n - 1) / 2.0 * spacing + shift
        volumes.append(mask_to_grid(mask, 3, Geometry((n, n, n), affine)).sum() * spacing**3)
    assert np.mean(volumes) == pytest.approx((mask.labels == 3).sum(), rel=0.01)


def test_turned_grid_holds_the_same_voxels() -> None:
    # a wedge, so that no turn maps it to itself; the target runs along z, x, -y of the source
    labels = np.zeros((4, 5, 6), dtype=np.uint16)
    labels[0, 1:4, 2:5] = labels[1, 1, 2:5] = labels[2, 1, 2] = 9
    source = Geometry((4, 5, 6), np.diag([1.0, 2.0, 3.0, 1.0]))
    turn = np.array([[0.0, 1, 0, 0], [0, 0, -1, 4], [1, 0, 0, 0], [0, 0, 0, 1]])
    target = Geometry((5, 6, 4), source.affine @ turn)
    moved = mask_to_grid(MaskVolume(labels, source), 9, target)
    np.testing.assert_array_equal(moved, labels.transpose(1, 2, 0)[::-1] == 9)


def test_grid_elsewhere_is_empty() -> None:
    affine = np.eye(4)
    affine[:3, 3] = 500.0
    assert not mask_to_grid(ball(9, 2.0, 5.0), 3, Geometry((4, 4, 4), affine)).any()


def test_label_at_the_edge_of_its_grid_ends_there() -> None:
    source = Geometry((2, 2, 2), np.diag([4.0, 4.0, 4.0, 1.0]))
    affine = np.eye(4)
    affine[:3, 3] = -4.0
    full = MaskVolume(np.ones((2, 2, 2), dtype=np.uint8), source)
    moved = mask_to_grid(full, 1, Geometry((14, 14, 14), affine))
    along_x = np.flatnonzero(moved[6, 6])
    assert (along_x[0] - 4, along_x[-1] - 4) == (-2, 6)  # half a voxel beyond 0 and 4 mm


def test_box_of_a_mask() -> None:
    mask = np.zeros((4, 5, 6), dtype=bool)
    assert label_box(mask) is None
    mask[1, 2, 3] = mask[2, 2, 5] = True
    assert label_box(mask) == (slice(1, 3), slice(2, 3), slice(3, 6))
