"""Comparing lakes: a digest per table that depends on the data and not on the run."""

from __future__ import annotations

import duckdb

from schemas.tables import STORED, Table

#: Tables whose rows describe runs rather than data.
EXCLUDED = ("runs", "run_sources", "run_outcomes")


def content_digest(connection: duckdb.DuckDBPyConnection, alias: str) -> dict[str, str]:
    """Digest of every stored table over its non-volatile columns, whatever the order of rows.

    Parameters
    ----------
    connection : duckdb.DuckDBPyConnection
        With the lake attached.
    alias : str
        Name it is attached under.

    Returns
    -------
    dict of str to str
        Table name to SHA-256 (hexadecimal).
    """
    cursor = connection.cursor()
    cursor.execute("BEGIN")  # all tables at one snapshot, whoever writes meanwhile
    try:
        return {
            table.name: _table_digest(cursor, alias, table)
            for table in STORED
            if table.name not in EXCLUDED
        }
    finally:
        cursor.execute("ROLLBACK")
        cursor.close()


def _table_digest(connection: duckdb.DuckDBPyConnection, alias: str, table: Table) -> str:
    columns = ", ".join(c.name for c in table.fields if not c.volatile)
    row = connection.execute(
        "SELECT sha256(coalesce(string_agg(digest, '' ORDER BY digest), '')) FROM ("  # noqa: S608
        f"SELECT sha256(CAST(struct_pack({columns}) AS VARCHAR)) AS digest "
        f"FROM {alias}.{table.name})"
    ).fetchone()
    return str(row[0]) if row else ""
