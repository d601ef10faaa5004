"""Guards: what is refused, what is left out, what is said."""

from __future__ import annotations

import numpy as np
import pytest

from schemas.errors import InvalidInputError
from tasks.harmonise import CombatHarmoniser, CovariateTable, Finding, check
from tasks.harmonise.confounding import cramers_v, variance_between

RNG = np.random.default_rng(7)
BATCH = ["A"] * 20 + ["B"] * 20


def _rules(found: list[Finding]) -> dict[str, str]:
    return {rule: severity for rule, severity, _ in found}


def test_sound_data_have_no_findings() -> None:
    covariates = CovariateTable({"age": RNG.normal(60, 10, 40)}, {"sex": ["f", "m"] * 20})
    assert check(RNG.normal(size=(40, 3)), BATCH, covariates, ["a", "b", "c"]) == []


@pytest.mark.parametrize(
    ("sizes", "rule", "severity"),
    [
        ((20, 1), "harmonise.batch_too_small", "fail"),
        ((20, 9), "harmonise.batch_small", "warn"),
        ((20,), "harmonise.single_batch", "fail"),
    ],
)
def test_sizes_of_batches(sizes: tuple[int, ...], rule: str, severity: str) -> None:
    batch = [name for name, n in zip("AB", sizes, strict=False) for _ in range(n)]
    values = RNG.normal(size=(len(batch), 3))
    assert _rules(check(values, batch))[rule] == severity
    if severity == "fail":
        with pytest.raises(InvalidInputError, match="refused"):
            CombatHarmoniser().fit(values, batch)


def test_unusable_features_are_left_out_and_come_back_unchanged() -> None:
    values = RNG.normal(size=(40, 8))
    values[:, 0] = 3.0
    values[:20, 1] = 0.1 + 0.2
    values[3, 2] = np.inf
    values[1:20, 3] = np.nan
    values[20:, 4] = np.nan
    names = ["constant", "constant_in_A", "infinite", "one_value_in_A", "absent_in_B", *"xyz"]
    model = CombatHarmoniser().fit(values, BATCH, names=names)
    assert dict(model.excluded) == {
        "constant": "harmonise.constant_feature",
        "constant_in_A": "harmonise.constant_in_batch",
        "infinite": "harmonise.infinite_values",
        "one_value_in_A": "harmonise.too_few_values",
        "absent_in_B": "harmonise.too_few_values",
    }
    result = model.transform(values, BATCH)
    np.testing.assert_array_equal(result[:, :5], values[:, :5])
    assert np.isfinite(result[:, 5:]).all()
    alone = CombatHarmoniser().fit(values[:, 5:], BATCH).transform(values[:, 5:], BATCH)
    # a missing value anywhere in the usable features would change the others; here there is none
    np.testing.assert_allclose(result[:, 5:], alone, rtol=1e-13)


def test_feature_that_covariates_explain_completely_is_left_out() -> None:
    age = RNG.normal(60, 10, 40)
    values = RNG.normal(size=(40, 4))
    values[:, 2] = 2 * age + 1
    model = CombatHarmoniser().fit(values, BATCH, CovariateTable({"age": age}), names="abcd")
    assert dict(model.excluded) == {"c": "harmonise.no_residual_in_batch"}


def test_feature_whose_missing_values_hide_a_category_is_left_out() -> None:
    sex = ["f", "m"] * 20
    values = RNG.normal(size=(40, 4))
    values[1::2, 1] = np.nan
    covariates = CovariateTable(categorical={"sex": sex})
    model = CombatHarmoniser().fit(values, BATCH, covariates, names="abcd")
    assert dict(model.excluded) == {"b": "harmonise.not_determined"}


@pytest.mark.parametrize(
    ("covariates", "rule"),
    [
        (CovariateTable(categorical={"drug": ["x"] * 20 + ["y"] * 20}), "harmonise.confounded"),
        (CovariateTable({"field": np.repeat([1.5, 3.0], 20)}), "harmonise.confounded"),
        (
            CovariateTable({"a": np.arange(40.0) % 7, "b": 2 * (np.arange(40.0) % 7)}),
            "harmonise.rank_deficient",
        ),
        (
            CovariateTable(
                {"a": np.arange(40.0) % 7, "b": (np.arange(40.0) % 7) + 1e-6 * RNG.random(40)}
            ),
            "harmonise.ill_conditioned",
        ),
        (CovariateTable({"a": np.r_[np.nan, np.arange(39.0)]}), "harmonise.covariate_missing"),
    ],
)
def test_designs_that_are_refused(covariates: CovariateTable, rule: str) -> None:
    values = RNG.normal(size=(40, 3))
    assert _rules(check(values, BATCH, covariates))[rule] == "fail"
    with pytest.raises(InvalidInputError):
        CombatHarmoniser().fit(values, BATCH, covariates)


def test_more_effects_than_rows() -> None:
    covariates = CovariateTable(categorical={"who": [str(i % 3) for i in range(4)]})
    found = check(RNG.normal(size=(4, 2)), "AABB", covariates)
    assert _rules(found)["harmonise.too_few_rows"] == "fail"


def test_constant_covariate_is_left_out() -> None:
    covariates = CovariateTable({"age": np.full(40, 60.0)}, {"sex": ["f"] * 40})
    values = RNG.normal(size=(40, 3))
    assert _rules(check(values, BATCH, covariates)) == {"harmonise.covariate_constant": "warn"}
    model = CombatHarmoniser().fit(values, BATCH, covariates)
    assert model.covariate_names == ()


def test_infinite_or_missing_values_never_pass_silently() -> None:
    values = RNG.normal(size=(40, 3))
    values[4, 1] = np.nan
    assert _rules(check(values, BATCH)) == {"harmonise.missing_values": "info"}
    model = CombatHarmoniser().fit(values, BATCH)
    result = model.transform(values, BATCH)
    np.testing.assert_array_equal(np.isnan(result), np.isnan(values))
    with pytest.raises(InvalidInputError, match="infinite"):
        model.transform(np.full((1, 3), np.inf), "A")


def test_measures_of_association() -> None:
    # 2 x 2 table 3 1 / 1 3: chi squared 8 (9 - 1)^2 / 4^4 = 2, V = sqrt(2 / 8) = 0.5
    assert cramers_v("AAAABBBB", "xxxyxyyy") == pytest.approx(0.5)
    # group means 2 and 6, total squares 4 + 16 (between 16)
    assert variance_between(np.array([1.0, 3, 5, 7]), np.array([0, 0, 1, 1])) == pytest.approx(0.8)


def test_shapes_are_checked() -> None:
    with pytest.raises(InvalidInputError, match="batch for each of 4 rows, got 3"):
        check(np.ones((4, 2)), "AAB")
    with pytest.raises(InvalidInputError, match="different feature names"):
        check(np.ones((4, 2)), "AABB", names=["a", "a"])
    with pytest.raises(InvalidInputError, match="covariates of 4 rows, got 3"):
        check(np.ones((4, 2)), "AABB", CovariateTable({"x": np.ones(3)}))
    with pytest.raises(InvalidInputError, match="one length"):
        CovariateTable({"x": np.ones(3)}, {"y": ["a"]})
