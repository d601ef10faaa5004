"""Small simulated cohorts, made once per test session."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks.simulate.cohort import simulate_cohort


@pytest.fixture(scope="session")
def small_cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two centres with two patients each and one SPECT patient, with noise, blur and dirt."""
    out = tmp_path_factory.mktemp("simulated") / "small"
    simulate_cohort(
        out, centres=2, patients_per_centre=2, spect_patients=2, voxel_scale=2.0, workers=1
    )
    return out


@pytest.fixture(scope="session")
def all_dialects(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One patient of each dialect without blur and noise."""
    out = tmp_path_factory.mktemp("simulated") / "ideal"
    simulate_cohort(
        out,
        centres=6,
        patients_per_centre=1,
        spect_patients=2,
        voxel_scale=1.5,
        seed=7,
        workers=1,
        ideal=True,
    )
    return out
