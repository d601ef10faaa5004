from __future__ import annotations

import re

import pytest

from schemas.features import FEATURES, UPTAKE_PREFIXES, UPTAKE_TOTALS
from schemas.profiles import FEATURE_FAMILIES


def test_codes_are_permanent_ibsi_codes_and_unique() -> None:
    codes = [d.ibsi_code for d in FEATURES.values() if d.ibsi_code and d.family != "uptake"]
    assert len(codes) == len(set(codes)) == 18 + 25
    assert all(re.fullmatch(r"[0-9A-Z]{4}", c) for c in codes)


def test_spot_checks_against_the_manual() -> None:
    expected = {
        "stat_mean": "Q4LE", "stat_energy": "N8CA", "glcm_joint_entropy": "TU9B",
        "glcm_cluster_prominence": "AE86", "suv_peak_maxvoxel": "VJGA", "suv_peak_global": "0F91",
    }  # fmt: skip
    assert {name: FEATURES[name].ibsi_code for name in expected} == expected


def test_quantity_is_in_the_name() -> None:
    for prefix in UPTAKE_PREFIXES.values():
        assert f"{prefix}_max" in FEATURES
    assert [FEATURES[t].unit for t in UPTAKE_TOTALS.values()] == ["g", "Bq", "CNTS.ml"]
    assert {n for n, d in FEATURES.items() if d.unit == "Bq/ml"} == {
        f"activity_{s}" for s in ("max", "mean", "median", "sd", "peak_maxvoxel", "peak_global")
    }


def test_every_family_has_features_and_a_sentence() -> None:
    assert {d.family for d in FEATURES.values()} == set(FEATURE_FAMILIES)
    assert all(d.description.endswith(".") for d in FEATURES.values())


@pytest.mark.parametrize(
    ("name", "value_unit", "unit"),
    [
        ("stat_mean", "SUVbw", "g/ml"),
        ("stat_mean", "HU", "HU"),
        ("stat_variance", "HU", "(HU)2"),
        ("stat_variance", "1", "1"),
        ("stat_skewness", "HU", "1"),
        ("suv_max", "SUVbw", "g/ml"),
        ("mtv_ml", "Bq/ml", "ml"),
    ],
)
def test_unit_follows_the_volume(name: str, value_unit: str, unit: str) -> None:
    assert FEATURES[name].unit_for(value_unit) == unit
