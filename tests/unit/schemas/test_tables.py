"""The declared tables hold together."""

from __future__ import annotations

import pickle

import pyarrow as pa
import pytest

from schemas.columns import COLUMNS
from schemas.errors import RejectedObjectError, TracerlakeError
from schemas.reasons import IGNORED_KINDS, QUARANTINE_REASONS, REASONS, SUV_REFUSALS, Outcome
from schemas.tables import STORED, TABLES, VIEWS, Table

_UNIT_SUFFIXES = {
    "mm": "_mm", "ml": "_ml", "s": "_s", "kg": "_kg", "m": "_m", "Bq": "_bq", "min": "_min",
    "d": "_days", "%": "_percent", "mmol/l": "_mmol_l", "ns": "_ns",
}  # fmt: skip
#: Their unit is in the name in another way, or they are patient-space matrices.
_EXEMPT = {"affine_lps"}


def test_every_column_is_used_by_a_table() -> None:
    used = {c for table in TABLES.values() for c in table.columns}
    assert used == set(COLUMNS)


@pytest.mark.parametrize("column", COLUMNS.values(), ids=lambda c: c.name)
def test_columns_carry_their_unit_in_their_name(column: object) -> None:
    unit = COLUMNS[column.name].unit  # type: ignore[attr-defined]
    suffix = _UNIT_SUFFIXES.get(unit or "")
    if suffix and column.name not in _EXEMPT:  # type: ignore[attr-defined]
        assert column.name.endswith(suffix)  # type: ignore[attr-defined]


@pytest.mark.parametrize("column", COLUMNS.values(), ids=lambda c: c.name)
def test_columns_are_described_in_a_sentence(column: object) -> None:
    text = column.description  # type: ignore[attr-defined]
    assert text.endswith(".")
    assert column.comment.startswith(text)  # type: ignore[attr-defined]


def test_named_tables_and_views_of_the_lake_exist() -> None:
    assert {
        "series", "volumes", "features", "features_harmonised", "cohort", "files", "quarantine",
        "findings", "runs",
    } <= set(TABLES)  # fmt: skip
    assert {t.name for t in STORED}.isdisjoint(t.name for t in VIEWS)


def test_keys_are_not_nullable_in_arrow() -> None:
    schema = TABLES["features"].arrow_schema
    assert not schema.field("roi_id").nullable
    assert schema.field("value").nullable
    assert schema.field("value").type == pa.float64()


def test_a_table_with_an_unknown_column_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown columns"):
        Table("t", "d", ("series_instance_uid", "no_such_column"), ("series_instance_uid",))


def test_reason_codes_are_unique_and_end_in_a_sentence() -> None:
    assert len(REASONS) == len(QUARANTINE_REASONS) + len(IGNORED_KINDS) + len(SUV_REFUSALS)
    assert all(text.endswith((".", "?")) for text in REASONS.values())
    assert [o.value for o in Outcome] == ["ingested", "duplicate", "quarantined", "ignored"]


def test_rejections_survive_the_way_between_processes() -> None:
    error = pickle.loads(pickle.dumps(RejectedObjectError("truncated", "expected 10, got 9")))
    assert (error.reason_code, error.detail) == ("truncated", "expected 10, got 9")
    assert isinstance(error, TracerlakeError)
    assert isinstance(error, ValueError)
