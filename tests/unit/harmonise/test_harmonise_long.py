"""Long feature rows in, long harmonised rows out."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from schemas.errors import InvalidInputError
from schemas.geometry import FloatArray
from schemas.tables import TABLES
from tasks.harmonise import CombatHarmoniser, CombatModel, harmonise_long, transform_long

N, NAMES = 60, [f"f{j}" for j in range(6)]


@pytest.fixture
def matrix() -> FloatArray:
    rng = np.random.default_rng(5)
    values = rng.normal(10, 1, (N, 6))
    values[30:] = 2 * values[30:] + 3
    return values


@pytest.fixture
def centre() -> list[str]:
    return ["A"] * 30 + ["B"] * 30


def _long(matrix: FloatArray, centre: list[str], start: int = 0) -> pa.Table:
    n, f = matrix.shape
    rois = [f"roi{i + start:03d}" for i in range(n)]
    return pa.table(
        {
            "roi_id": np.repeat(rois, f),
            "feature": NAMES[:f] * n,
            "value": pa.array(matrix.ravel(), from_pandas=True),
            "centre": np.repeat(centre, f),
            "patient_key": np.repeat([f"p{i}" for i in range(n)], f),
            "feature_profile": ["basic-1"] * (n * f),
        }
    )


def _wide(rows: pa.Table, column: str) -> FloatArray:
    values: FloatArray = rows.column(column).to_numpy().reshape(-1, 6)
    return values


def test_rows_fit_the_declared_table(matrix: FloatArray, centre: list[str]) -> None:
    result = harmonise_long(_long(matrix, centre), batch_column="centre")
    declared = [f for f in TABLES["features_harmonised"].arrow_schema if f.name != "run_id"]
    assert result.rows.schema == pa.schema(declared)
    expected = CombatHarmoniser().fit(matrix, centre, names=NAMES)
    assert result.model.digest() == expected.digest()
    np.testing.assert_array_equal(
        _wide(result.rows, "value_harmonised"), expected.transform(matrix, centre)
    )
    np.testing.assert_array_equal(_wide(result.rows, "value"), matrix)
    assert set(result.rows.column("model_id").to_pylist()) == {expected.digest()}
    known = set(TABLES["harmonisation_models"].columns)
    assert set(result.model_row) <= known
    assert result.model_row["n_rows"] == N
    assert result.model_row["n_batches"] == 2
    assert result.model_row["feature_profile"] == "basic-1"
    assert result.findings == ()


def test_order_of_rows_does_not_matter(matrix: FloatArray, centre: list[str]) -> None:
    rows = _long(matrix, centre)
    shuffled = rows.take(np.random.default_rng(0).permutation(rows.num_rows))
    one = harmonise_long(rows, batch_column="centre")
    two = harmonise_long(shuffled, batch_column="centre")
    assert two.model.to_json() == one.model.to_json()
    keys = [("roi_id", "ascending"), ("feature", "ascending")]
    assert two.rows.sort_by(keys).equals(one.rows.sort_by(keys))


def test_covariates_and_batch_may_come_from_the_other_table(
    matrix: FloatArray, centre: list[str]
) -> None:
    rng = np.random.default_rng(1)
    covariates = pa.table(
        {
            "roi_id": [f"roi{i:03d}" for i in range(N)][::-1],
            "scanner": [c.lower() for c in centre][::-1],
            "age": rng.normal(60, 10, N),
            "sex": ["f", "m"] * (N // 2),
        }
    )
    result = harmonise_long(
        _long(matrix, centre), batch_column="scanner", covariate_table=covariates
    )
    assert result.model.batches == ("a", "b")
    assert result.model_row["covariates"] == ["age", "sex"]


def test_rois_without_covariates_stay_unharmonised(matrix: FloatArray, centre: list[str]) -> None:
    covariates = pa.table(
        {
            "roi_id": [f"roi{i:03d}" for i in range(N - 1)],
            "age": pa.array([None, *np.random.default_rng(1).normal(60, 10, N - 2)]),
        }
    )
    result = harmonise_long(
        _long(matrix, centre), batch_column="centre", covariate_table=covariates
    )
    harmonised = _wide(result.rows, "value_harmonised")
    assert np.isnan(harmonised[[0, N - 1]]).all()
    assert np.isfinite(harmonised[1:-1]).all()
    assert result.rows.column("value_harmonised").null_count == 12
    assert [f.rule_id for f in result.findings] == ["harmonise.rows_left_out"]
    assert result.model_row["n_rows"] == N - 2


def test_excluded_features_and_missing_values_are_null(
    matrix: FloatArray, centre: list[str]
) -> None:
    matrix[:30, 2] = 4.0
    matrix[7, 3] = np.nan
    result = harmonise_long(_long(matrix, centre), batch_column="centre")
    harmonised = _wide(result.rows, "value_harmonised")
    assert np.isnan(harmonised[:, 2]).all()
    assert np.isnan(harmonised[7, 3])
    assert result.rows.column("value_harmonised").null_count == N + 1
    assert {f.rule_id for f in result.findings} == {
        "harmonise.constant_in_batch",
        "harmonise.missing_values",
    }
    assert result.model_row["n_features"] == 5


def test_several_lesions_of_a_patient_are_said(matrix: FloatArray, centre: list[str]) -> None:
    rows = _long(matrix, centre)
    patients = pa.array([f"p{i // 12}" for i in range(rows.num_rows)])
    rows = rows.set_column(rows.column_names.index("patient_key"), "patient_key", patients)
    found = harmonise_long(rows, batch_column="centre").findings
    assert [(f.rule_id, f.severity) for f in found] == [("harmonise.repeated_patient", "warn")]
    assert "30 of 30 patients" in found[0].message


def test_skewed_positive_features_become_logarithms(centre: list[str]) -> None:
    rng = np.random.default_rng(2)
    matrix = rng.normal(10, 1, (N, 6))
    matrix[:, 1] = rng.lognormal(0, 1, N)
    matrix[:, 4] = rng.lognormal(0, 1, N) - 5  # skewed, but not positive
    result = harmonise_long(_long(matrix, centre), batch_column="centre")
    assert result.model.log_features == ("f1",)
    assert (_wide(result.rows, "value_harmonised")[:, 1] > 0).all()
    assert result.findings[-1].rule_id == "harmonise.log_features"
    plain = harmonise_long(_long(matrix, centre), batch_column="centre", log_features=False)
    assert plain.model.log_features == ()
    named = harmonise_long(_long(matrix, centre), batch_column="centre", log_features=["f0"])
    assert named.model.log_features == ("f0",)
    with pytest.raises(InvalidInputError, match="'f4'"):
        harmonise_long(_long(matrix, centre), batch_column="centre", log_features=["f4"])
    with pytest.raises(InvalidInputError, match="do not exist"):
        harmonise_long(_long(matrix, centre), batch_column="centre", log_features=["g"])


def test_a_batch_effect_alone_is_not_skewness(centre: list[str]) -> None:
    matrix = np.random.default_rng(4).normal(10, 1, (N, 6))
    matrix[55:] += 40  # pooled skewness far above 1
    batch = ["A"] * 55 + ["B"] * 5
    assert harmonise_long(_long(matrix, batch), batch_column="centre").model.log_features == ()


def test_new_rows_of_known_batches(matrix: FloatArray, centre: list[str]) -> None:
    fitted = harmonise_long(_long(matrix, centre), batch_column="centre").model
    model = CombatModel.from_json(fitted.to_json())
    new = _long(matrix[:4] + 1, ["B"] * 4, start=900)
    rows = transform_long(new, model, batch_column="centre")
    np.testing.assert_array_equal(
        _wide(rows, "value_harmonised"), model.transform(matrix[:4] + 1, ["B"] * 4)
    )
    fewer = new.filter(np.array(new.column("feature").to_pylist()) != "f3")
    part = transform_long(fewer, model, batch_column="centre")
    assert part.num_rows == 20
    assert part.column("value_harmonised").null_count == 0
    with pytest.raises(InvalidInputError, match=r"batches \['C'\]"):
        transform_long(_long(matrix[:2], ["C"] * 2), model, batch_column="centre")


def test_tables_that_are_no_matrix(matrix: FloatArray, centre: list[str]) -> None:
    rows = _long(matrix, centre)
    with pytest.raises(InvalidInputError, match="twice"):
        harmonise_long(pa.concat_tables([rows, rows.slice(0, 1)]), batch_column="centre")
    with pytest.raises(InvalidInputError, match="neither in the features"):
        harmonise_long(rows, batch_column="scanner")
    with pytest.raises(InvalidInputError, match="absent"):
        harmonise_long(rows.drop_columns(["value"]), batch_column="centre")
    with pytest.raises(InvalidInputError, match="no feature rows"):
        harmonise_long(rows.slice(0, 0), batch_column="centre")
    mixed = rows.set_column(5, "feature_profile", pa.array(["a", "b"] * (rows.num_rows // 2)))
    with pytest.raises(InvalidInputError, match="different profiles"):
        harmonise_long(mixed, batch_column="centre")
    two = rows.set_column(3, "centre", pa.array(["A", "B"] * (rows.num_rows // 2)))
    with pytest.raises(InvalidInputError, match="several batches"):
        harmonise_long(two, batch_column="centre")
