"""What ComBat must do whatever the numbers are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.geometry import FloatArray
from tasks.harmonise import METHODS, CombatHarmoniser, CombatModel, CovariateTable, eta_squared

methods = st.sampled_from(sorted(METHODS))
seeds = st.integers(0, 2**32 - 1)


def _data(
    seed: int, n_features: int = 5, missing: float = 0.0
) -> tuple[FloatArray, list[str], CovariateTable]:
    rng = np.random.default_rng(seed)
    sizes = rng.integers(8, 16, rng.integers(2, 5))
    batch = np.repeat([f"centre {i}" for i in range(len(sizes))], sizes)
    n = len(batch)
    values = rng.normal(rng.normal(0, 5, n_features), 1, (n, n_features))
    for name in set(batch.tolist()):
        values[batch == name] *= rng.uniform(0.5, 2)
        values[batch == name] += rng.normal(0, 2, n_features)
    values[rng.random(values.shape) < missing] = np.nan
    covariates = CovariateTable(
        {"age": rng.normal(60, 10, n)}, {"sex": np.resize(["f", "m"], n).tolist()}
    )
    return values, batch.tolist(), covariates


@settings(max_examples=30, deadline=None)
@given(seeds, methods, st.sampled_from([0.0, 0.03]))
def test_applying_to_training_rows_one_by_one_is_the_same(
    seed: int, method: str, missing: float
) -> None:
    values, batch, covariates = _data(seed, missing=missing)
    model = CombatHarmoniser(method).fit(values, batch, covariates)
    together = model.transform(values, batch, covariates)
    np.testing.assert_array_equal(np.isnan(together), np.isnan(values))
    for i in range(0, len(batch), 7):
        row = np.array([i])
        alone = model.transform(values[row], [batch[i]], covariates.take(row))
        np.testing.assert_allclose(alone, together[row], rtol=1e-12, atol=1e-12)


@settings(max_examples=30, deadline=None)
@given(seeds, methods)
def test_order_of_rows_and_names_of_batches_do_not_matter(seed: int, method: str) -> None:
    values, batch, covariates = _data(seed)
    expected = CombatHarmoniser(method).fit(values, batch, covariates)
    order = np.random.default_rng(seed).permutation(len(batch))
    renamed = ["x" + batch[i][::-1] for i in order]
    taken = covariates.take(order)
    found = CombatHarmoniser(method).fit(values[order], renamed, taken)
    np.testing.assert_allclose(
        found.transform(values[order], renamed, taken),
        expected.transform(values, batch, covariates)[order],
        rtol=1e-7,
        atol=1e-9,
    )


@settings(max_examples=30, deadline=None)
@given(seeds, methods, st.booleans())
def test_reference_batch_is_unchanged(seed: int, method: str, logarithmic: bool) -> None:
    values, batch, covariates = _data(seed)
    values = np.exp(values / 10) if logarithmic else values
    harmoniser = CombatHarmoniser(method, "centre 1", log_features=logarithmic)
    result = harmoniser.fit(values, batch, covariates).transform(values, batch, covariates)
    rows = np.array(batch) == "centre 1"
    np.testing.assert_array_equal(result[rows], values[rows])
    assert not np.allclose(result[~rows], values[~rows])


@settings(max_examples=30, deadline=None)
@given(seeds)
def test_without_shrinkage_batches_end_with_one_mean_and_one_variance(seed: int) -> None:
    values, batch, _ = _data(seed)
    result = CombatHarmoniser("combat_no_eb").fit(values, batch).transform(values, batch)
    labels = np.array(batch)
    for name in set(batch):
        block = result[labels == name]
        np.testing.assert_allclose(block.mean(axis=0), values.mean(axis=0), atol=1e-10)
        np.testing.assert_allclose(
            block.var(axis=0, ddof=1), result[labels == batch[0]].var(axis=0, ddof=1), rtol=1e-9
        )


@settings(max_examples=30, deadline=None)
@given(seeds, methods, st.floats(0.01, 100), st.floats(-1e3, 1e3))
def test_units_do_not_matter(seed: int, method: str, factor: float, offset: float) -> None:
    values, batch, covariates = _data(seed)
    harmoniser = CombatHarmoniser(method)
    plain = harmoniser.fit(values, batch, covariates).transform(values, batch, covariates)
    scaled = factor * values + offset
    changed = harmoniser.fit(scaled, batch, covariates).transform(scaled, batch, covariates)
    np.testing.assert_allclose(changed, factor * plain + offset, rtol=1e-6, atol=1e-6 * factor)


@settings(max_examples=40, deadline=None)
@given(seeds, methods, st.booleans(), st.sampled_from([None, "centre 0"]))
def test_stored_models_are_exact(
    seed: int, method: str, with_covariates: bool, reference: str | None
) -> None:
    values, batch, table = _data(seed)
    values[:, 1] = 2.0
    covariates = table if with_covariates else None
    model = CombatHarmoniser(method, reference).fit(values, batch, covariates, names="abçd\n")
    text = model.to_json()
    again = CombatModel.from_json(text)
    assert again.to_json() == text
    assert again.digest() == model.digest()
    np.testing.assert_array_equal(
        again.transform(values, batch, covariates), model.transform(values, batch, covariates)
    )


@pytest.mark.parametrize("method", sorted(METHODS))
def test_negative_control_shuffled_labels_change_little(method: str) -> None:
    # labels that mean nothing: shrinkage must leave most of the data as they are
    rng = np.random.default_rng(11)
    values = rng.normal(size=(600, 40))
    batch = rng.permutation(np.repeat(["A", "B", "C"], 200)).tolist()
    result = CombatHarmoniser(method).fit(values, batch).transform(values, batch)
    change = np.sqrt(np.mean((result - values) ** 2))
    assert change < (0.12 if METHODS[method].prior == "none" else 0.05)


def test_positive_control_batch_effect_goes_and_biology_stays() -> None:
    rng = np.random.default_rng(12)
    batch = np.repeat(["A", "B", "C"], 60)
    sick = np.tile([0.0, 1.0], 90)
    shift = np.select([batch == "B", batch == "C"], [2.0, -1.0], 0.0)
    values = rng.normal(size=(180, 10)) + 1.5 * sick[:, None] + shift[:, None]
    covariates = CovariateTable({"sick": sick})
    result = (
        CombatHarmoniser()
        .fit(values, batch.tolist(), covariates)
        .transform(values, batch.tolist(), covariates)
    )
    assert (eta_squared(values, batch.tolist()) > 0.3).all()
    assert (eta_squared(result, batch.tolist()) < 0.01).all()
    effect = result[sick == 1].mean(axis=0) - result[sick == 0].mean(axis=0)
    np.testing.assert_allclose(effect, 1.5, atol=0.5)
