"""The neuroCombat engine: right where it is sound, refused where it is known to be wrong."""

from __future__ import annotations

import json

import numpy as np
import pytest

from schemas.errors import InvalidInputError
from tasks.harmonise import CombatHarmoniser, CovariateTable, NeuroCombatHarmoniser, harmoniser

RNG = np.random.default_rng(3)
BATCH = ["A"] * 12 + ["B"] * 14
VALUES = RNG.normal(5, 1, (26, 6)) + np.repeat([[0.0], [2.0]], [12, 14], axis=0)
COVARIATES = CovariateTable({"age": RNG.normal(60, 10, 26)}, {"sex": ["f", "m"] * 13})


@pytest.mark.parametrize(
    "method",
    ["combat_parametric", "combat_nonparametric", "combat_no_eb", "combat_mean_only"],
)
def test_agrees_with_our_own_engine(method: str, capsys: pytest.CaptureFixture[str]) -> None:
    values = VALUES.copy()
    values[:, 2] = 1.0
    values[:, 3] = np.exp(values[:, 3])
    names = list("abcdef")
    theirs = NeuroCombatHarmoniser(method, log_features=["d"]).fit(
        values, BATCH, COVARIATES, names=names
    )
    ours = CombatHarmoniser(method, log_features=["d"]).fit(values, BATCH, COVARIATES, names=names)
    np.testing.assert_allclose(
        theirs.transform(values, BATCH, COVARIATES),
        ours.transform(values, BATCH, COVARIATES),
        rtol=1e-6,
    )
    assert theirs.excluded == ours.excluded == (("c", "harmonise.constant_feature"),)
    assert theirs.log_features == ours.log_features == ("d",)
    assert capsys.readouterr().out == ""
    stored = json.loads(theirs.to_json())
    np.testing.assert_allclose(stored["estimates"]["gamma.star"], ours.gamma_star, atol=1e-6)


def test_refuses_a_reference_batch() -> None:
    with pytest.raises(InvalidInputError, match=r'reference batch.*engine="own"'):
        NeuroCombatHarmoniser(reference_batch="A").fit(VALUES, BATCH)


def test_refuses_missing_values() -> None:
    values = VALUES.copy()
    values[0, 0] = np.nan
    with pytest.raises(InvalidInputError, match=r'NaN.*engine="own"'):
        NeuroCombatHarmoniser().fit(values, BATCH)


def test_refuses_a_batch_of_one_row() -> None:
    with pytest.raises(InvalidInputError, match="has 1 row"):
        NeuroCombatHarmoniser().fit(VALUES, ["A"] * 25 + ["B"])


def test_refuses_new_rows() -> None:
    model = NeuroCombatHarmoniser().fit(VALUES, BATCH, COVARIATES)
    model.transform(VALUES, BATCH, COVARIATES)
    with pytest.raises(InvalidInputError, match=r'not fitted on.*engine="own"'):
        model.transform(VALUES[:5], BATCH[:5], COVARIATES.take(np.arange(5)))


def test_engines_by_name() -> None:
    assert isinstance(harmoniser(engine="own"), CombatHarmoniser)
    assert isinstance(harmoniser(engine="neurocombat"), NeuroCombatHarmoniser)
    with pytest.raises(InvalidInputError, match="'own' or 'neurocombat', got 'x'"):
        harmoniser(engine="x")
