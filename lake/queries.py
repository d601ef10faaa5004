"""Questions of users: their SQL, and what the tables and columns mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import duckdb

from schemas.errors import InvalidInputError, NotFoundInLakeError, StorageError
from schemas.tables import TABLES

#: What DuckDB raises for a fault of the machine rather than of the query.
_NOT_THE_USER = (duckdb.IOException, duckdb.InternalException, duckdb.FatalException)


@dataclass(frozen=True, slots=True)
class TableInfo:
    """A table or view of the lake: its name, what it holds, its number of rows."""

    name: str
    description: str
    rows: int
    is_view: bool = False


@dataclass(frozen=True, slots=True)
class ColumnInfo:
    """A column: its name, type, unit, meaning and source, and whether it is part of the key."""

    name: str
    type: str
    unit: str | None
    description: str
    source: str
    is_key: bool


def run_sql(
    connection: duckdb.DuckDBPyConnection,
    query: str,
    params: Sequence[object] | Mapping[str, object] | None = None,
) -> duckdb.DuckDBPyRelation:
    """Run a user's SQL.

    Raises
    ------
    InvalidInputError
        For a mistake in it, with DuckDB's words (line, caret, candidates).
    StorageError
        If the lake's files cannot be read.
    """
    try:
        relation = connection.sql(query, params=params)
        # a statement without rows (SET, COPY, CREATE TEMP TABLE) still answers with a relation
        return relation if relation is not None else connection.sql("SELECT true AS done")
    except _NOT_THE_USER as error:
        raise StorageError(f"the lake cannot be read: {error}") from error
    except duckdb.Error as error:
        raise InvalidInputError(_with_caret(connection, query, error)) from error


def _with_caret(connection: duckdb.DuckDBPyConnection, query: str, error: duckdb.Error) -> str:
    """Message with the line and caret that DuckDB leaves out when it builds a relation."""
    binding = isinstance(error, (duckdb.BinderException, duckdb.CatalogException))
    if "LINE " in str(error) or not binding or len(connection.extract_statements(query)) != 1:
        return str(error)
    try:
        connection.execute(query)  # fails while it is bound, as before: nothing is executed
    except duckdb.Error as again:
        return str(again)
    return str(error)


def list_tables(connection: duckdb.DuckDBPyConnection, alias: str) -> list[TableInfo]:
    """All tables and views, with their number of rows."""
    counts = " UNION ALL ".join(
        f"SELECT {position} AS i, count(*) AS n FROM {alias}.{name}"  # noqa: S608
        for position, name in enumerate(TABLES)
    )
    found = dict(connection.execute(counts).fetchall())
    return [
        TableInfo(t.name, t.description, int(found[position]), t.is_view)
        for position, t in enumerate(TABLES.values())
    ]


def describe_table(name: str) -> list[ColumnInfo]:
    """Say what the columns of a table or view mean.

    Raises
    ------
    NotFoundInLakeError
        If there is no such table.
    """
    if name not in TABLES:
        raise NotFoundInLakeError(f"there is no table {name!r}; there are: {', '.join(TABLES)}")
    table = TABLES[name]
    return [
        ColumnInfo(c.name, c.type, c.unit, c.description, c.source, c.name in table.key)
        for c in table.fields
    ]
