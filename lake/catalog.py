"""The DuckLake catalog of a lake: attaching it and making its tables and views."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import duckdb
import pyarrow as pa

from lake import extensions, views
from lake.folder import LakeFolder
from schemas.errors import StorageError
from schemas.tables import STORED, TABLES, VIEWS, Table

logger = logging.getLogger(__name__)

#: Names under which a lake is attached: read-only for queries, writable for transactions.
READER: Final = "lake"
WRITER: Final = "writer"
#: Our own tables (pins, column descriptions), apart from what users query.
INTERNAL_SCHEMA: Final = "tracerlake"

_SQL_TYPES: Final[dict[pa.DataType, str]] = {
    pa.string(): "VARCHAR",
    pa.int64(): "BIGINT",
    pa.float64(): "DOUBLE",
    pa.bool_(): "BOOLEAN",
    pa.date32(): "DATE",
    pa.timestamp("us"): "TIMESTAMP",
    pa.list_(pa.string()): "VARCHAR[]",
    pa.list_(pa.float64()): "DOUBLE[]",
    pa.list_(pa.int64()): "BIGINT[]",
}


def quoted(text: str) -> str:
    """Write text as an SQL string literal."""
    return "'" + text.replace("'", "''") + "'"


def connect(folder: LakeFolder) -> duckdb.DuckDBPyConnection:
    """Open DuckDB with what the lake's catalog and data need."""
    connection = extensions.connect()
    names = ["ducklake", "postgres_scanner" if folder.settings.catalog else "sqlite_scanner"]
    if "://" in folder.tables_root:
        names.append("httpfs")
    extensions.load(connection, *names)
    return connection


def attach(
    connection: duckdb.DuckDBPyConnection,
    folder: LakeFolder,
    alias: str,
    *,
    read_only: bool,
    create: bool = False,
    snapshot: int | None = None,
) -> None:
    """Attach the lake's catalog under a name.

    Parameters
    ----------
    connection : duckdb.DuckDBPyConnection
        From `connect`.
    folder : LakeFolder
        Whose catalog.
    alias : str
        Name to attach it under.
    read_only, create : bool
        Whether writing is allowed; whether the catalog may be made.
    snapshot : int or None
        Attach it as it was then.

    Raises
    ------
    StorageError
        If the catalog cannot be reached.
    """
    options = [f"DATA_PATH {quoted(folder.tables_root)}", "OVERRIDE_DATA_PATH true"]
    options.append(f"CREATE_IF_NOT_EXISTS {str(create).lower()}")
    if read_only:
        options.append("READ_ONLY")
    if snapshot is not None:
        options.append(f"SNAPSHOT_VERSION {int(snapshot)}")
    if folder.settings.catalog is None:
        # Write-ahead logging lets people query while a flow commits.
        options += ["META_BUSY_TIMEOUT 5000", "META_JOURNAL_MODE 'WAL'"]
    else:
        options.append(f"METADATA_SCHEMA {quoted(postgres_schema(folder))}")
    statement = f"ATTACH {quoted(_address(folder))} AS {alias} ({', '.join(options)})"
    try:
        connection.execute(statement)
    except duckdb.Error as error:
        raise StorageError(_unreachable(folder, error)) from error


def postgres_schema(folder: LakeFolder) -> str:
    """Name the schema of the lake's catalog tables: several lakes may share a database."""
    return f"tracerlake_{folder.settings.lake_id}"


def create(folder: LakeFolder) -> None:
    """Make the catalog with all tables, views and descriptions, as one snapshot.

    Raises
    ------
    StorageError
        If the catalog cannot be made.
    """
    connection = connect(folder)
    try:
        attach(connection, folder, WRITER, read_only=False, create=True)
        connection.execute(f"CALL {WRITER}.set_option('data_inlining_row_limit', 0)")
        connection.execute(f"USE {WRITER}")
        with _one_snapshot(connection, "Lake created"):
            connection.execute(f"CREATE SCHEMA {INTERNAL_SCHEMA}")
            connection.execute(
                f"CREATE TABLE {INTERNAL_SCHEMA}.pins ("
                "name VARCHAR NOT NULL, snapshot_id BIGINT NOT NULL, note VARCHAR)"
            )
            for table in STORED:
                connection.execute(_create_table(table))
                _comment(connection, "TABLE", table)
            for view in VIEWS:
                _create_view(connection, view)
            _describe_columns(connection)
    except duckdb.Error as error:
        raise StorageError(_unreachable(folder, error)) from error
    finally:
        connection.close()


def upgrade(connection: duckdb.DuckDBPyConnection) -> None:
    """Add tables and columns that this version declares and the lake does not have yet.

    Nothing is ever dropped or renamed here: that would be a new lake format.
    """
    found = columns_of(connection, WRITER)
    missing = [t for t in STORED if t.name not in found]
    grown = {
        t: [c for c in t.fields if c.name not in found[t.name]] for t in STORED if t.name in found
    }
    grown = {t: columns for t, columns in grown.items() if columns}
    renewed = [v for v in VIEWS if found.get(v.name, ()) != v.columns or grown or missing]
    if not (missing or grown or renewed):
        return
    names = [t.name for t in (*missing, *grown, *renewed)]
    logger.info("adding to the lake what this version declares: %s", ", ".join(names))
    connection.execute(f"USE {WRITER}")
    with _one_snapshot(connection, f"Schema extended: {', '.join(names)}"):
        for table in missing:
            connection.execute(_create_table(table))
            _comment(connection, "TABLE", table)
        for table, columns in grown.items():
            for column in columns:
                kind = _SQL_TYPES[column.arrow_type]
                connection.execute(f"ALTER TABLE {table.name} ADD COLUMN {column.name} {kind}")
            _comment(connection, "TABLE", table)
        for view in renewed:
            _create_view(connection, view)
        _describe_columns(connection)


def columns_of(connection: duckdb.DuckDBPyConnection, alias: str) -> dict[str, tuple[str, ...]]:
    """Columns of every table and view of an attached lake, in order."""
    found = connection.execute(
        "SELECT table_name, list(column_name ORDER BY column_index) FROM duckdb_columns() "
        "WHERE database_name = ? AND schema_name = 'main' GROUP BY table_name",
        [alias],
    ).fetchall()
    return {name: tuple(columns) for name, columns in found}


def _create_table(table: Table) -> str:
    lines = [
        f"{c.name} {_SQL_TYPES[c.arrow_type]}{' NOT NULL' if c.name in table.key else ''}"
        for c in table.fields
    ]
    return f"CREATE TABLE {table.name} ({', '.join(lines)})"


def _create_view(connection: duckdb.DuckDBPyConnection, view: Table) -> None:
    connection.execute(f"CREATE OR REPLACE VIEW {view.name} AS {views.SQL[view.name]}")
    _comment(connection, "VIEW", view)


def _comment(connection: duckdb.DuckDBPyConnection, kind: str, table: Table) -> None:
    connection.execute(f"COMMENT ON {kind} {table.name} IS {quoted(table.description)}")
    if kind == "TABLE":  # DuckDB has no comments on the columns of a view
        for c in table.fields:
            connection.execute(f"COMMENT ON COLUMN {table.name}.{c.name} IS {quoted(c.comment)}")


def _describe_columns(connection: duckdb.DuckDBPyConnection) -> None:
    """Keep what every column means in a table too: views cannot carry column comments."""
    rows = [
        {
            "table_name": t.name,
            "column_name": c.name,
            "type": c.type,
            "unit": c.unit,
            "description": c.description,
            "source": c.source,
        }
        for t in TABLES.values()
        for c in t.fields
    ]
    text = pa.string()
    schema = pa.schema([(name, text) for name in rows[0]])
    connection.register("described", pa.Table.from_pylist(rows, schema=schema))
    connection.execute(f"CREATE OR REPLACE TABLE {INTERNAL_SCHEMA}.columns AS FROM described")
    connection.unregister("described")


@contextmanager
def _one_snapshot(connection: duckdb.DuckDBPyConnection, message: str) -> Iterator[None]:
    connection.execute("BEGIN")
    try:
        yield
        connection.execute(f"CALL {WRITER}.set_commit_message('tracerlake', {quoted(message)})")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def _address(folder: LakeFolder) -> str:
    if folder.settings.catalog:
        return f"ducklake:postgres:{folder.settings.catalog}"
    return f"ducklake:sqlite:{folder.catalog_file}"


def _unreachable(folder: LakeFolder, error: duckdb.Error) -> str:
    where = folder.settings.catalog or str(folder.catalog_file)
    return f"the catalog {where} cannot be used: {str(error).splitlines()[0]}"
