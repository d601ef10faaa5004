"""Curves added up block by block are those of the whole volume."""

from __future__ import annotations

import numpy as np

from tasks.kinetics.roi_curves import CurveSums, Window

BLOCKS: list[Window] = [
    (z, y, slice(0, 9)) for z in (slice(0, 3), slice(3, 8)) for y in (slice(0, 4), slice(4, 7))
]


def test_mean_and_spread_over_blocks() -> None:
    rng = np.random.default_rng(5)
    values = (1000 + rng.normal(size=(4, 8, 7, 9))).astype(np.float32)
    masks = [rng.random((8, 7, 9)) < 0.3 for _ in range(2)]
    sums = CurveSums(masks, 4)
    for window in BLOCKS:
        sums.add(window, values[(slice(None), *window)])
    for mask, curve in zip(masks, sums.curves(), strict=True):
        inside = values[:, mask].astype(np.float64)
        assert curve.n_voxels == mask.sum()
        np.testing.assert_allclose(curve.mean, inside.mean(axis=1), rtol=1e-12)
        np.testing.assert_allclose(curve.sd, inside.std(axis=1, ddof=1), rtol=1e-9)


def test_only_blocks_with_an_roi_are_needed() -> None:
    mask = np.zeros((8, 7, 9), dtype=np.bool_)
    mask[4, 5, 5] = True
    sums = CurveSums([mask], 2)
    assert sums.needed(BLOCKS) == [(slice(3, 8), slice(4, 7), slice(0, 9))]
    sums.add(BLOCKS[0], np.ones((2, 3, 4, 9), dtype=np.float32))
    (nothing,) = sums.curves()
    assert nothing.n_voxels == 0
    assert np.isnan(nothing.mean).all()
    sums.add(BLOCKS[3], np.full((2, 5, 3, 9), 7, dtype=np.float32))
    (one,) = sums.curves()
    assert (one.mean.tolist(), one.sd.tolist()) == ([7, 7], [0, 0])
