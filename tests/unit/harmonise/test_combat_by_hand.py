"""ComBat on numbers that can be followed with pencil and paper."""

from __future__ import annotations

import numpy as np
import pytest

from schemas.errors import InvalidInputError
from tasks.harmonise import CombatHarmoniser, CombatModel, CovariateTable
from tasks.harmonise.empirical_bayes import (
    posterior_mean,
    shrink_nonparametric,
    shrink_parametric,
)
from tasks.harmonise.regression import regress


def test_location_and_scale_without_shrinkage() -> None:
    # A: 1 3 (mean 2, squares 2); B: 4 8 (mean 6, squares 8); grand mean 4; pooled 10/4 = 2.5
    # variances 2/2.5 = 0.8 and 8/2.5 = 3.2; residuals 1/sqrt(0.8) = 2/sqrt(3.2) = sqrt(1.25)
    values = np.array([[1.0], [3.0], [4.0], [8.0]])
    model = CombatHarmoniser("combat_no_eb").fit(values, "AABB")
    expected = 4 + np.array([[-1], [1], [-1], [1]]) * np.sqrt(1.25)
    np.testing.assert_allclose(model.transform(values, "AABB"), expected, rtol=1e-15)
    np.testing.assert_allclose(model.delta_hat[:, 0], [0.8, 3.2], rtol=1e-15)
    np.testing.assert_allclose(model.gamma_hat[:, 0] * np.sqrt(2.5), [-2, 2], rtol=1e-15)


@pytest.mark.parametrize(("reference", "constant"), [(None, 5.0), ("A", 0.0), ("B", 10.0)])
def test_covariate_effect_is_kept_and_only_the_shift_goes(
    reference: str | None, constant: float
) -> None:
    x = np.array([-1.0, 1, -1, 1, -1, 1, -1, 1])
    noise = np.array([0.5, -0.5, -0.5, 0.5] * 2)  # orthogonal to x and to the batches
    values = (2 * x + noise + np.array([0.0] * 4 + [10.0] * 4))[:, None]
    covariates = CovariateTable({"x": x})
    model = CombatHarmoniser("combat_no_eb_mean_only", reference).fit(
        values, "AAAABBBB", covariates
    )
    result = model.transform(values, "AAAABBBB", covariates)
    np.testing.assert_allclose(result[:, 0], 2 * x + noise + constant, atol=1e-13)


def test_new_rows_use_their_own_covariates() -> None:
    x = np.array([-1.0, 1, -1, 1, -1, 1, -1, 1])
    noise = np.array([0.5, -0.5, -0.5, 0.5] * 2)
    values = (2 * x + noise + np.array([0.0] * 4 + [10.0] * 4))[:, None]
    model = CombatHarmoniser("combat_no_eb").fit(values, "AAAABBBB", CovariateTable({"x": x}))
    # equal variances: a new row of B at x = 3 is only moved by -5
    new = model.transform(np.array([[16.0]]), ["B"], CovariateTable({"x": np.array([3.0])}))
    np.testing.assert_allclose(new, [[11.0]], atol=1e-12)


def test_categories_become_indicators_of_all_levels_but_the_first() -> None:
    group = ["f", "m", "x", "f", "m", "x"]
    effect = np.array([0.0, 1.0, 3.0] * 2)
    noise = np.array([1.0, -2.0, 1.0, -1.0, 2.0, -1.0])
    values = (effect + noise + np.repeat([0.0, 10.0], 3))[:, None]
    covariates = CovariateTable(categorical={"group": group})
    model = CombatHarmoniser("combat_no_eb_mean_only").fit(values, "AAABBB", covariates)
    assert model.encoding.categorical == (("group", ("f", "m", "x")),)
    np.testing.assert_allclose(
        model.transform(values, "AAABBB", covariates)[:, 0], effect + noise + 5, atol=1e-13
    )


def test_posterior_mean() -> None:
    # mean 1, variance 2: (2 g + 1) / 3
    np.testing.assert_allclose(posterior_mean(np.array([0.0, 2.0]), 1.0, 1.0), [1 / 3, 5 / 3])


def test_nonparametric_with_two_features_takes_the_other_one() -> None:
    gamma, delta = np.array([1.0, -1.0]), np.array([0.5, 2.0])
    ss, n = np.array([2.0, 8.0]), np.array([5.0, 5.0])
    gamma_star, delta_star = shrink_nonparametric(gamma, delta, ss, n)
    np.testing.assert_array_equal(gamma_star, [-1.0, 1.0])
    np.testing.assert_array_equal(delta_star, [2.0, 0.5])


def test_nonparametric_does_not_underflow_with_many_rows() -> None:
    rng = np.random.default_rng(0)
    gamma, delta = rng.normal(size=20), rng.uniform(0.5, 2, 20)
    n = np.full(20, 1e5)
    found = shrink_nonparametric(gamma, delta, delta * (n - 1), n)
    assert np.isfinite(found).all()


def test_prior_without_width_gives_the_common_variance() -> None:
    gamma, delta = np.array([0.0, 1.0, 2.0]), np.full(3, 0.7)
    _, delta_star = shrink_parametric(gamma, delta, np.full(3, 2.8), np.full(3, 5.0))
    np.testing.assert_allclose(delta_star, delta, rtol=1e-14)


def test_missing_values_drop_out_of_their_own_feature_only() -> None:
    values = np.array([[1.0, 1], [3, 3], [np.nan, 5], [4, 4], [8, 8], [6, 6]])
    fit = regress(values, np.array([0, 0, 0, 1, 1, 1]), 2, np.empty((6, 0)))
    np.testing.assert_allclose(fit.batch_effect, [[2, 3], [6, 6]])
    np.testing.assert_allclose(fit.residual_ss, [[2, 8], [8, 8]])
    np.testing.assert_array_equal(fit.n_observed, [[2, 3], [3, 3]])
    assert fit.has_missing


@pytest.mark.parametrize("method", ["combat_parametric", "combat_nonparametric"])
def test_working_in_blocks_changes_nothing(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=(40, 5))
    values[3, 2] = np.nan
    covariates = CovariateTable({"x": rng.normal(size=40)})
    batch = ["A", "B"] * 20
    whole = CombatHarmoniser(method).fit(values, batch, covariates)
    expected = whole.transform(values, batch, covariates)
    monkeypatch.setattr("tasks.harmonise.regression._BLOCK", 15)  # three rows
    monkeypatch.setattr("tasks.harmonise.empirical_bayes._BLOCK", 10)  # two features
    parts = CombatHarmoniser(method).fit(values, batch, covariates)
    np.testing.assert_allclose(
        parts.transform(values, batch, covariates), expected, rtol=1e-12, atol=1e-13
    )


def test_logarithms_turn_a_factor_into_a_shift() -> None:
    base = np.array([1.0, 2.0, 4.0])
    values = np.concatenate([base, 100 * base])[:, None]
    model = CombatHarmoniser("combat_no_eb_mean_only", log_features=True).fit(values, "AAABBB")
    np.testing.assert_allclose(
        model.transform(values, "AAABBB")[:, 0], np.tile(10 * base, 2), rtol=1e-13
    )
    with pytest.raises(InvalidInputError, match="logarithm"):
        model.transform(np.array([[0.0]]), "A")


def test_refusals_of_transform() -> None:
    values = np.array([[1.0], [3.0], [4.0], [8.0], [2.0], [3.0], [4.0], [8.5]])
    covariates = CovariateTable(categorical={"sex": ["f", "m"] * 4})
    model = CombatHarmoniser("combat_no_eb").fit(values, "AABBAABB", covariates)
    with pytest.raises(InvalidInputError, match=r"batches \['Z'\].*\['A', 'B'\]"):
        model.transform(values[:1], "Z", CovariateTable(categorical={"sex": ["f"]}))
    with pytest.raises(InvalidInputError, match=r"keeps the effect .*'sex'"):
        model.transform(values[:1], "A")
    with pytest.raises(InvalidInputError, match="categories"):
        model.transform(values[:1], "A", CovariateTable(categorical={"sex": ["d"]}))
    with pytest.raises(InvalidInputError, match="missing in 1 of 1"):
        model.transform(values[:1], "A", CovariateTable(categorical={"sex": [None]}))
    with pytest.raises(InvalidInputError, match="features"):
        model.transform(np.ones((1, 2)), "A", CovariateTable(categorical={"sex": ["f"]}))


def test_refusals_of_fit() -> None:
    values = np.array([[1.0], [3.0], [4.0], [8.0]])
    with pytest.raises(InvalidInputError, match="expected one of"):
        CombatHarmoniser("combat").fit(values, "AABB")
    with pytest.raises(InvalidInputError, match=r"reference batch.*\['A', 'B'\], got 'C'"):
        CombatHarmoniser(reference_batch="C").fit(values, "AABB")
    with pytest.raises(InvalidInputError, match="combat_no_eb"):
        CombatHarmoniser().fit(values, "AABB")
    with pytest.raises(InvalidInputError, match="no feature"):
        CombatHarmoniser("combat_no_eb").fit(np.ones((4, 1)), "AABB")


def test_stored_model_that_is_not_one() -> None:
    with pytest.raises(InvalidInputError, match="not a stored"):
        CombatModel.from_json("[1, 2]")
    with pytest.raises(InvalidInputError, match="format 1, got 'combat' of format 9"):
        CombatModel.from_json('{"kind": "combat", "format": 9}')
