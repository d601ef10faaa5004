"""Rows offered to a table, held against its declared columns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime

import numpy as np
import pyarrow as pa

from schemas.columns import Column
from schemas.errors import SchemaViolationError
from schemas.records import Row
from schemas.tables import STORED, Table

_STORED = {table.name: table for table in STORED}
_SHOWN = 5


def _is_whole(value: object) -> bool:
    if isinstance(value, (float, np.floating)):
        return float(value).is_integer()
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)


def _is_list(value: object) -> bool:
    return isinstance(value, (list, tuple, np.ndarray))


#: What Arrow would convert without a word is refused: fractions to whole numbers, truth to numbers,
#: numbers to times, a text to a list of its letters.
_ACCEPTED: dict[str, Callable[[object], bool]] = {
    "string": lambda v: isinstance(v, str),
    "int": _is_whole,
    "float": _is_number,
    "bool": lambda v: isinstance(v, (bool, np.bool_)),
    "date": lambda v: isinstance(v, date) and not isinstance(v, datetime),
    "timestamp": lambda v: isinstance(v, datetime),
    "list<string>": _is_list,
    "list<float>": _is_list,
    "list<int>": lambda v: isinstance(v, (list, tuple, np.ndarray)) and all(map(_is_whole, v)),
}


def stored_table(name: str) -> Table:
    """Find the declaration of a stored table.

    Raises
    ------
    SchemaViolationError
        If there is no such table, or it is a view.
    """
    if name not in _STORED:
        raise SchemaViolationError(
            f"{name!r} is not a stored table; there are: {', '.join(_STORED)}"
        )
    return _STORED[name]


def to_arrow(table: Table, rows: pa.Table | Sequence[Row]) -> pa.Table:
    """Rows in the table's declared columns and types; columns that are absent become null.

    Raises
    ------
    SchemaViolationError
        Naming the table, the column and the keys of up to five rows.
    """
    offered = rows.column_names if isinstance(rows, pa.Table) else _names(rows)
    unknown = sorted(set(offered) - set(table.columns))
    if unknown:
        raise SchemaViolationError(
            f"table {table.name}: unknown columns {unknown}; it has {', '.join(table.columns)}"
        )
    columns = [
        _cast(table, column, rows) if isinstance(rows, pa.Table) else _build(table, column, rows)
        for column in table.fields
    ]
    schema = pa.schema([(c.name, c.arrow_type) for c in table.fields])
    arrow = pa.Table.from_arrays(columns, schema=schema)
    _refuse_null_keys(table, arrow)
    _refuse_duplicates(table, arrow)
    return arrow


def key_text(table: Table, row: Mapping[str, object]) -> str:
    """Key of one row for a message: ``name=value, name=value``."""
    return ", ".join(f"{name}={row.get(name)!r}" for name in table.key)


def _names(rows: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys(name for row in rows for name in row))


def _build(table: Table, column: Column, rows: Sequence[Row]) -> pa.Array:
    values = [row.get(column.name) for row in rows]
    fits = _ACCEPTED[column.type]
    bad = [i for i, value in enumerate(values) if value is not None and not fits(value)]
    if not bad:
        try:
            return pa.array(values, type=column.arrow_type)
        except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
            bad = [i for i, v in enumerate(values) if not _converts(v, column.arrow_type)]
    raise _wrong_type(table, column, [key_text(table, rows[i]) for i in bad])


def _converts(value: object, arrow_type: pa.DataType) -> bool:
    try:
        pa.array([value], type=arrow_type)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
        return False
    return True


def _cast(table: Table, column: Column, rows: pa.Table) -> pa.ChunkedArray | pa.Array:
    if column.name not in rows.column_names:
        return pa.nulls(rows.num_rows, column.arrow_type)
    found = rows.column(column.name)
    if pa.types.is_string(column.arrow_type) and not _is_textual(found.type):
        raise _wrong_type(table, column, [f"all are {found.type}"])
    try:
        return found.cast(column.arrow_type)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise _wrong_type(table, column, [f"column is {found.type}"]) from error


def _is_textual(arrow_type: pa.DataType) -> bool:
    if pa.types.is_dictionary(arrow_type):
        arrow_type = arrow_type.value_type
    return bool(
        pa.types.is_string(arrow_type)
        or pa.types.is_large_string(arrow_type)
        or pa.types.is_string_view(arrow_type)
        or pa.types.is_null(arrow_type)
    )


def _wrong_type(table: Table, column: Column, where: Sequence[str]) -> SchemaViolationError:
    return SchemaViolationError(
        f"table {table.name}, column {column.name}: expected {column.type}; {_some(where)}"
    )


def _refuse_null_keys(table: Table, arrow: pa.Table) -> None:
    for name in table.key:
        column = arrow.column(name)
        if column.null_count:
            bad = [i for i, value in enumerate(column.to_pylist()) if value is None]
            raise SchemaViolationError(
                f"table {table.name}, column {name}: a key must not be null; "
                + _some([f"row {i} ({key_text(table, _row(arrow, i))})" for i in bad])
            )


def _refuse_duplicates(table: Table, arrow: pa.Table) -> None:
    counts = arrow.select(table.key).group_by(list(table.key)).aggregate([([], "count_all")])
    if counts.num_rows == arrow.num_rows:
        return
    repeated = [row for row in counts.to_pylist() if row["count_all"] > 1]
    raise SchemaViolationError(
        f"table {table.name}: key ({', '.join(table.key)}) occurs more than once in the rows; "
        + _some([key_text(table, row) for row in repeated])
    )


def _row(arrow: pa.Table, index: int) -> Mapping[str, object]:
    found: Mapping[str, object] = arrow.slice(index, 1).to_pylist()[0]
    return found


def _some(items: Sequence[str]) -> str:
    more = f" and {len(items) - _SHOWN} more" if len(items) > _SHOWN else ""
    return f"rows: {'; '.join(items[:_SHOWN])}{more}"
