"""Our ComBat against R sva 3.46 and against the published ComBatHarmonization outputs."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from schemas.geometry import FloatArray
from tasks.harmonise import CombatHarmoniser, CovariateTable, NeuroCombatHarmoniser

pytestmark = pytest.mark.reference

ReferenceData = Callable[[str], Path]

SVA = [
    # expected, data, with covariates, method, reference batch
    ("param", "X", True, "combat_parametric", None),
    ("nonparam", "X", True, "combat_nonparametric", None),
    ("meanonly", "X", True, "combat_mean_only", None),
    ("refB", "X", True, "combat_parametric", "B"),
    ("param_nomod", "X", False, "combat_parametric", None),
    ("param_na", "Xna", True, "combat_parametric", None),
]


def _sva_covariates(folder: Path) -> tuple[list[str], CovariateTable]:
    with (folder / "cov.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    table = CovariateTable(
        {"age": np.array([float(r["age"]) for r in rows])}, {"sex": [r["sex"] for r in rows]}
    )
    return [r["batch"] for r in rows], table


def _matrix(path: Path, skip: int = 0) -> FloatArray:
    """Files hold features in rows; ours has them in columns."""
    return np.genfromtxt(path, delimiter=",", skip_header=skip).T


@pytest.mark.parametrize("case", SVA, ids=lambda case: case[0])
def test_agrees_with_sva(
    reference_data: ReferenceData, case: tuple[str, str, bool, str, str | None]
) -> None:
    expected, data, with_covariates, method, reference = case
    folder = reference_data("combat_ref")
    batch, covariates = _sva_covariates(folder)
    given = covariates if with_covariates else None
    values, theirs = _matrix(folder / f"{data}.csv"), _matrix(folder / f"{expected}.csv")
    model = CombatHarmoniser(method, reference).fit(values, batch, given)
    ours = model.transform(values, batch, given)
    assert ours.shape == (60, 50)
    np.testing.assert_array_equal(np.isnan(ours), np.isnan(theirs))
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-10)


FORTIN = [
    # expected, header lines, with covariate, method, reference batch, tolerance
    ("nonparametric_adjusted_r", 1, True, "combat_nonparametric", None, 1e-12),
    ("parametric_adjusted_batchref_r", 1, True, "combat_parametric", "1", 1e-12),
    ("parametric_adjusted_meanonly_r", 1, True, "combat_mean_only", None, 1e-12),
    ("parametric_adjusted_noeb_r", 1, True, "combat_no_eb", None, 1e-12),
    ("parametric_adjusted_python", 0, True, "combat_parametric", None, 1e-12),
    ("parametric_adjusted_r", 1, True, "combat_parametric", None, 1e-12),
    ("parametric_unadjusted_r", 1, False, "combat_parametric", None, 1e-12),
    # the Matlab file differs from the R file of the same run by 1.3e-4
    ("parametric_unadjusted_matlab", 0, False, "combat_parametric", None, 2e-4),
]


@pytest.mark.parametrize("case", FORTIN, ids=lambda case: case[0])
def test_agrees_with_combat_harmonization(
    reference_data: ReferenceData, case: tuple[str, int, bool, str, str | None, float]
) -> None:
    expected, header, with_covariate, method, reference, tolerance = case
    folder = reference_data("combat-fortin")
    values = _matrix(folder / "testdata.csv", 1)
    theirs = _matrix(folder / "expected" / f"testdata_combat_{expected}.csv", header)
    batch = ["1"] * 5 + ["2"] * 5
    given = CovariateTable({"pheno": np.array([1.0, 0.0] * 5)}) if with_covariate else None
    ours = CombatHarmoniser(method, reference).fit(values, batch, given)
    np.testing.assert_allclose(ours.transform(values, batch, given), theirs, rtol=0, atol=tolerance)


@pytest.mark.parametrize(
    ("expected", "with_covariates", "method"),
    [(e, c, m) for e, d, c, m, r in SVA if r is None and d == "X"],
)
def test_neurocombat_engine_agrees_where_it_is_offered(
    reference_data: ReferenceData, expected: str, with_covariates: bool, method: str
) -> None:
    folder = reference_data("combat_ref")
    batch, covariates = _sva_covariates(folder)
    given = covariates if with_covariates else None
    values = _matrix(folder / "X.csv")
    model = NeuroCombatHarmoniser(method).fit(values, batch, given)
    theirs = _matrix(folder / f"{expected}.csv")
    # neuroCombat keeps continuous covariates as float32
    np.testing.assert_allclose(model.transform(values, batch, given), theirs, rtol=0, atol=5e-6)
