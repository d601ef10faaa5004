"""Effect of the batch on features."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from tasks.harmonise import compare, eta_squared, kruskal_wallis


def test_by_hand() -> None:
    # ranks 1 2 | 3 4: H = 12 / (4 * 5) * (9 / 2 + 49 / 2) - 15 = 2.4; epsilon2 = 2.4 / 3
    values = np.array([[10.0], [20.0], [30.0], [40.0]])
    h, p, epsilon2 = kruskal_wallis(values, "AABB")
    assert h[0] == pytest.approx(2.4)
    assert epsilon2[0] == pytest.approx(0.8)
    assert p[0] == pytest.approx(float(stats.chi2.sf(2.4, 1)))
    # squares 500 about 25, of which 4 * 10^2 between the means 15 and 35
    assert eta_squared(values, "AABB")[0] == pytest.approx(0.8)


def test_agrees_with_scipy_with_ties_and_missing_values() -> None:
    rng = np.random.default_rng(0)
    values = rng.integers(0, 6, (50, 4)).astype(float)
    values[rng.random((50, 4)) < 0.1] = np.nan
    batch = np.array(list("ABCDE"))[np.arange(50) % 5]
    h, p, _ = kruskal_wallis(values, batch.tolist())
    for j in range(4):
        groups = [values[(batch == b) & ~np.isnan(values[:, j]), j] for b in "ABCDE"]
        expected = stats.kruskal(*groups)
        assert h[j] == pytest.approx(expected.statistic, rel=1e-10)
        assert p[j] == pytest.approx(expected.pvalue, rel=1e-10)


def test_constant_and_empty_features_have_no_effect_size() -> None:
    values = np.array([[1.0, np.nan], [1, np.nan], [1, 1], [1, 2]])
    h, p, epsilon2 = kruskal_wallis(values, "AABB")
    assert np.isnan([h, p, epsilon2]).all()
    assert np.isnan(eta_squared(values, "AABB")[0])


def test_comparison_has_a_row_per_feature() -> None:
    before = np.array([[1.0, 5], [2, 1], [3, 4], [4, 2]])
    after = np.array([[1.0, 5], [4, 1], [2, 4], [3, 2]])
    table = compare(before, after, "AABB", ["x", "y"])
    assert table.column("feature").to_pylist() == ["x", "y"]
    assert table.column("epsilon2_before")[0].as_py() == pytest.approx(0.8)
    assert table.column("epsilon2_after")[0].as_py() == pytest.approx(0.0, abs=1e-12)
    assert table.num_columns == 8
