"""ComBat: our engine against the neuroCombat package, time and peak memory."""

from __future__ import annotations

import contextlib
import io

import numpy as np
import pandas as pd

from benchmarks.rounds import Comparison, compare, peak_megabytes, run_rounds, silent
from tasks.harmonise import CombatHarmoniser, CovariateTable

OURS = "tracerlake"
_PEER = "neuroCombat"


def combat_row(*, rows: int = 20_000, features: int = 200, rounds: int = 5) -> list[Comparison]:
    """Compare fitting and applying parametric ComBat with two covariates, in one process.

    Ours includes its guards. Memory is the peak that Python and NumPy allocate beyond the input.
    """
    values, batch, covariates = _data(rows, features)
    frame = pd.DataFrame(
        {
            "batch": batch,
            "age": covariates.continuous["age"],
            "sex": list(covariates.categorical["sex"]),
        }
    )
    transposed = values.T.copy()

    def ours() -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        model = CombatHarmoniser().fit(values, batch, covariates)
        return model.transform(values, batch, covariates)

    def theirs() -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        return _neurocombat(transposed, frame)

    if not np.allclose(ours(), theirs().T, atol=1e-4):
        raise RuntimeError("the two engines give different results")
    seconds = run_rounds({OURS: silent(ours), _PEER: silent(theirs)}, rounds)
    megabytes = {OURS: [peak_megabytes(ours)], _PEER: [peak_megabytes(theirs)]}
    size = f"ComBat, {rows:,} rows x {features} features"
    return [
        *compare(f"{size}: time", seconds, OURS),
        *compare(f"{size}: peak memory", megabytes, OURS, unit="MB"),
    ]


def _data(
    rows: int, features: int
) -> tuple[np.ndarray[tuple[int, int], np.dtype[np.float64]], list[str], CovariateTable]:
    rng = np.random.default_rng(0)
    index = rng.integers(0, 10, rows)
    age, sex = rng.normal(60, 10, rows), rng.integers(0, 2, rows)
    values = rng.normal(size=(rows, features)) * rng.uniform(0.7, 1.6, (10, features))[index]
    values += rng.normal(1, 0.5, (10, features))[index] + 0.03 * age[:, None]
    covariates = CovariateTable({"age": age}, {"sex": ["fm"[s] for s in sex]})
    return values, [f"centre {i}" for i in index], covariates


def _neurocombat(
    values: np.ndarray[tuple[int, ...], np.dtype[np.float64]], frame: pd.DataFrame
) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    from neuroCombat import neuroCombat

    with contextlib.redirect_stdout(io.StringIO()):
        found: np.ndarray[tuple[int, ...], np.dtype[np.float64]] = neuroCombat(
            values, frame, "batch", categorical_cols=["sex"], continuous_cols=["age"]
        )["data"]
    return found
