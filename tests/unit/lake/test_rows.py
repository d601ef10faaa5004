"""Rows are held against the declared columns before anything is written."""

from __future__ import annotations

from datetime import date, datetime

import numpy as np
import pyarrow as pa
import pytest

from lake.rows import stored_table, to_arrow
from schemas.errors import SchemaViolationError
from schemas.records import Row
from schemas.tables import STORED

FILES = stored_table("files")
CLINICAL = stored_table("clinical_items")


def refuse(rows: pa.Table | list[Row], pattern: str, table: str = "files") -> None:
    with pytest.raises(SchemaViolationError, match=pattern):
        to_arrow(stored_table(table), rows)


def test_absent_columns_become_null_in_declared_order() -> None:
    arrow = to_arrow(FILES, [{"outcome": "ingested", "file_key": "a"}])
    assert arrow.column_names == list(FILES.columns)
    assert arrow.column("size_bytes").to_pylist() == [None]
    assert arrow.schema.field("size_bytes").type == pa.int64()


def test_numpy_scalars_and_dates_fit() -> None:
    row: Row = {
        "record_key": "r", "item": "glucose", "value_number": np.float32(5.5),
        "item_date": date(2026, 1, 2),
    }  # fmt: skip
    arrow = to_arrow(CLINICAL, [row])
    assert arrow.column("value_number").to_pylist() == [5.5]
    series: Row = {"series_instance_uid": "1", "study_datetime": datetime(2026, 1, 2, 3)}  # noqa: DTZ001
    assert to_arrow(stored_table("series"), [series]).column("study_datetime").to_pylist() == [
        series["study_datetime"]
    ]


def test_unknown_column() -> None:
    refuse([{"file_key": "a", "patient_name": "x"}], r"files: unknown columns \['patient_name'\]")
    refuse(pa.table({"file_key": ["a"], "nope": [1]}), "unknown columns")


def test_wrong_type_names_column_and_key_but_not_the_value() -> None:
    rows: list[Row] = [
        {"file_key": "good", "size_bytes": 1},
        {"file_key": "bad", "size_bytes": "a patient's name"},
    ]
    with pytest.raises(SchemaViolationError) as caught:
        to_arrow(FILES, rows)
    message = str(caught.value)
    assert "table files, column size_bytes: expected int" in message
    assert "file_key='bad'" in message
    assert "good" not in message
    assert "patient" not in message


def test_fraction_in_a_whole_number_column() -> None:
    refuse([{"file_key": "a", "size_bytes": 1.5}], "size_bytes: expected int")
    refuse(pa.table({"file_key": ["a"], "size_bytes": [1.5]}), "size_bytes: expected int")
    refuse([{"file_key": "a", "size_bytes": 2**70}], "size_bytes: expected int")


@pytest.mark.parametrize(
    ("table", "column", "value"),
    [
        ("clinical_items", "value_number", True),
        ("clinical_items", "item_date", datetime(2026, 1, 2, 3)),  # noqa: DTZ001
        ("clinical_items", "item_date", 5),
        ("series", "study_datetime", 5),
        ("series", "corrected_image", "DECY"),
        ("series", "attenuation_corrected", 1),
        ("series", "modality", b"PT"),
    ],
)
def test_arrow_does_not_convert_behind_our_back(table: str, column: str, value: object) -> None:
    declared = stored_table(table)
    row: Row = {**dict.fromkeys(declared.key, "k"), column: value}
    refuse([row], f"column {column}: expected", table)


def test_numbers_do_not_become_text() -> None:
    refuse([{"file_key": 7}], "file_key: expected string")
    refuse(pa.table({"file_key": [7]}), "file_key: expected string")


def test_null_key() -> None:
    refuse([{"file_key": "a"}, {"outcome": "ingested"}], r"file_key: a key must not be null.*row 1")
    refuse([{"record_key": "r"}], "column item: a key must not be null", "clinical_items")


def test_duplicate_key_inside_the_rows() -> None:
    refuse([{"file_key": "a"}, {"file_key": "b"}, {"file_key": "a"}], r"more than once.*'a'")
    rows: list[Row] = [{"record_key": "r", "item": i} for i in ("x", "y", "x")]
    refuse(rows, r"key \(record_key, item\).*record_key='r', item='x'", "clinical_items")


def test_messages_show_five_rows_at_most() -> None:
    refuse([{"file_key": f"k{i}", "size_bytes": "x"} for i in range(9)], "and 4 more")


def test_views_and_unknown_tables_are_not_written() -> None:
    for name in ("cohort", "files; DROP TABLE files"):
        with pytest.raises(SchemaViolationError, match="not a stored table"):
            stored_table(name)


def test_arrow_tables_are_cast_where_nothing_is_lost() -> None:
    offered = pa.table(
        {
            "size_bytes": pa.array([1, None], pa.int32()),
            "file_key": pa.array(["a", "b"]).dictionary_encode(),
        }
    )
    arrow = to_arrow(FILES, offered)
    assert arrow.column("size_bytes").to_pylist() == [1, None]
    assert arrow.column("file_key").to_pylist() == ["a", "b"]


@pytest.mark.parametrize("table", STORED, ids=lambda t: t.name)
def test_no_rows_fit_every_table(table: object) -> None:
    assert to_arrow(stored_table(table.name), []).num_rows == 0  # type: ignore[attr-defined]
