"""SUV by other body measures and decay references of a whole lake, in SQL and in Python."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import lake


def test_every_pet_series_has_its_kinds_and_candidates(built_lake: Path) -> None:
    with lake.open(built_lake, read_only=True) as lk:
        counts = lk.sql("""
            SELECT s.suv_status, count(*) AS n_series,
                   avg((SELECT count(*) FROM suv_factors f WHERE f.series_instance_uid
                        = s.series_instance_uid)) AS kinds,
                   min((SELECT count(*) FILTER (is_chosen) FROM decay_references d
                        WHERE d.series_instance_uid = s.series_instance_uid)) AS chosen
            FROM series s WHERE s.modality = 'PT' GROUP BY ALL
        """).fetchall()
        others = lk.sql("""
            SELECT count(*) FROM suv_factors JOIN series USING (series_instance_uid)
            WHERE modality NOT IN ('PT', 'NM')
        """).fetchall()
    found = {status: (kinds, chosen) for status, _, kinds, chosen in counts}
    assert found["suv"] == (6, 1)  # refused series have reasons instead, and no time chosen
    assert {kinds for kinds, _ in found.values()} == {6}
    assert others == [(0,)]


def test_lean_mass_of_a_volume_is_that_of_its_patient(built_lake: Path) -> None:
    """Janmahasatian by the weight, size and sex that the series row holds."""
    with lake.open(built_lake, read_only=True) as lk:
        uid, kg, m, sex, factor = lk.sql("""
            SELECT series_instance_uid, patient_weight_kg, patient_size_m, patient_sex,
                   normalised_factor
            FROM series JOIN suv_factors USING (series_instance_uid)
            WHERE normalisation = 'suv_lbm_janma' AND suv_factor IS NOT NULL
            ORDER BY series_instance_uid LIMIT 1
        """).fetchall()[0]
        native = lk.volume(uid, quantity="native")[40].values
        lean = lk.volume(uid, quantity="suv_lbm_janma")[40].values
        bsa_features = lk.sql("""
            SELECT f.value * n.per_suvbw, n.suv_unit FROM features f
            JOIN suv_factors n USING (series_instance_uid)
            WHERE n.normalisation = 'suv_bsa' AND f.feature = 'suv_max'
        """).fetchall()
    bmi = kg / m**2
    mass = 9270 * kg / (6680 + 216 * bmi if sex == "M" else 8780 + 244 * bmi)
    with lake.open(built_lake, read_only=True) as lk:
        ((suvbw_factor,),) = lk.sql(
            "SELECT suv_factor FROM series WHERE series_instance_uid = $uid", {"uid": uid}
        ).fetchall()
    assert factor == pytest.approx(suvbw_factor * mass / kg, rel=1e-12)
    np.testing.assert_allclose(lean, native * factor, rtol=1e-6)
    assert bsa_features
    assert {unit for _, unit in bsa_features} == {"cm2/ml"}
