"""The single write point: rows into tables, all of a transaction or nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import duckdb
import pyarrow as pa

from lake.rows import key_text, stored_table, to_arrow
from schemas.errors import SchemaViolationError
from schemas.records import Row
from schemas.tables import Table

_OFFERED: Final = "tracerlake_offered"
_INCOMING: Final = "temp.tracerlake_incoming"
_SHOWN: Final = 5


class Transaction:
    """Changes that become one snapshot; made by `Lake.transaction` and `Lake.commit`.

    Parameters
    ----------
    cursor : duckdb.DuckDBPyConnection
        With the writable catalog in use and a transaction begun.
    """

    def __init__(self, cursor: duckdb.DuckDBPyConnection) -> None:
        self._cursor = cursor
        self.changed = False
        #: Snapshot made by the commit; None before it, or if nothing changed.
        self.snapshot: int | None = None

    def replace(
        self,
        table: str,
        rows: pa.Table | Sequence[Row],
        scope: Sequence[str],
        *,
        skip_unchanged: bool = True,
        compared: Sequence[str] = (),
    ) -> int:
        """Replace all rows that share their scope with the rows given.

        Parameters
        ----------
        table : str
            A stored table.
        rows : pyarrow.Table or sequence of dict
            New rows; columns that are absent become null.
        scope : sequence of str
            Columns whose combination of values names what is replaced, such as the series.
        skip_unchanged : bool
            Leave a scope alone if its rows differ in volatile columns (run, times) at most, so
            that running again changes nothing.
        compared : sequence of str
            Volatile columns that count as a change all the same.

        Returns
        -------
        int
            Rows written.

        Raises
        ------
        SchemaViolationError
            If the rows do not fit the table, or a key is taken by a row outside the scope.
        """
        declared = stored_table(table)
        _check_columns(declared, scope)
        incoming = to_arrow(declared, rows)
        if incoming.num_rows == 0:
            return 0
        self._stage(incoming)
        if self._has_scope(declared, scope):
            if skip_unchanged:
                self._drop_unchanged(declared, scope, compared)
            self._cursor.execute(
                f"DELETE FROM {table} WHERE EXISTS (SELECT 1 FROM {_INCOMING} AS i "  # noqa: S608
                f"WHERE {_same(scope, 'i', table)})"
            )
        elif set(scope) <= set(declared.key):  # nobody has the scope, so nobody has the key
            return self._insert_free(declared)
        return self._insert_staged(declared)

    def insert(self, table: str, rows: pa.Table | Sequence[Row]) -> int:
        """Add rows; returns how many.

        Raises
        ------
        SchemaViolationError
            If the rows do not fit the table, or a key is in it already.
        """
        declared = stored_table(table)
        incoming = to_arrow(declared, rows)
        if incoming.num_rows == 0:
            return 0
        self._stage(incoming)
        return self._insert_staged(declared)

    def delete(self, table: str, where: Mapping[str, Sequence[object]]) -> int:
        """Remove the rows whose columns have one of the values given; returns how many.

        Parameters
        ----------
        table : str
            A stored table.
        where : mapping of column to values
            All conditions must hold. None among the values means null.

        Raises
        ------
        SchemaViolationError
            For an unknown table or column, or no condition at all.
        """
        declared = stored_table(table)
        _check_columns(declared, list(where))
        types = {c.name: c.arrow_type for c in declared.fields}
        conditions = []
        for number, (name, values) in enumerate(where.items()):
            wanted = f"{_OFFERED}_{number}"
            column = pa.array(list(values), type=types[name])
            self._cursor.register(wanted, pa.table({name: column}))
            conditions.append(
                f"EXISTS (SELECT 1 FROM {wanted} AS w WHERE {_same([name], 'w', table)})"  # noqa: S608
            )
        deleted = self._count(f"DELETE FROM {table} WHERE {' AND '.join(conditions)}")  # noqa: S608
        for number in range(len(where)):
            self._cursor.unregister(f"{_OFFERED}_{number}")
        self.changed = self.changed or deleted > 0
        return deleted

    def sql(
        self, query: str, params: Sequence[object] | Mapping[str, object] | None = None
    ) -> pa.Table:
        """Read the lake as this transaction sees it, its own changes included."""
        found: pa.Table = self._cursor.execute(query, params).to_arrow_table()
        return found

    def pin(self, name: str, snapshot: int, note: str | None = None) -> None:
        """Give a snapshot a name, under which it never expires; see `lake.snapshots.pin`."""
        self._cursor.execute(
            "INSERT INTO tracerlake.pins VALUES (?, ?, ?)", [name, int(snapshot), note]
        )
        self.changed = True

    def unpin(self, name: str) -> None:
        """Take the name of a snapshot away."""
        self._cursor.execute("DELETE FROM tracerlake.pins WHERE name = ?", [name])
        self.changed = True

    def _stage(self, incoming: pa.Table) -> None:
        self._cursor.register(_OFFERED, incoming)
        self._cursor.execute(f"CREATE OR REPLACE TEMP TABLE {_INCOMING} AS FROM {_OFFERED}")
        self._cursor.unregister(_OFFERED)

    def _drop_unchanged(self, table: Table, scope: Sequence[str], also: Sequence[str]) -> None:
        counting = {*table.key, *also}
        compared = ", ".join(c.name for c in table.fields if not c.volatile or c.name in counting)
        scoped = ", ".join(scope)
        present = (
            f"SELECT {compared} FROM {table.name} WHERE EXISTS "  # noqa: S608
            f"(SELECT 1 FROM {_INCOMING} AS i WHERE {_same(scope, 'i', table.name)})"
        )
        offered = f"SELECT {compared} FROM {_INCOMING}"  # noqa: S608
        self._cursor.execute(
            "CREATE OR REPLACE TEMP TABLE temp.tracerlake_changed AS "  # noqa: S608
            f"SELECT DISTINCT {scoped} FROM (({offered} EXCEPT ALL {present}) "
            f"UNION ALL ({present} EXCEPT ALL {offered}))"
        )
        self._cursor.execute(
            f"DELETE FROM {_INCOMING} AS t WHERE NOT EXISTS "  # noqa: S608
            f"(SELECT 1 FROM temp.tracerlake_changed AS i WHERE {_same(scope, 'i', 't')})"
        )

    def _has_scope(self, table: Table, scope: Sequence[str]) -> bool:
        """Tell whether anything is to be replaced: usually all is new, and one look is enough."""
        found = self._cursor.execute(
            f"SELECT 1 FROM {table.name} WHERE EXISTS "  # noqa: S608
            f"(SELECT 1 FROM {_INCOMING} AS i WHERE {_same(scope, 'i', table.name)}) LIMIT 1"
        ).fetchone()
        return found is not None

    def _insert_staged(self, table: Table) -> int:
        self._refuse_taken_keys(table)
        return self._insert_free(table)

    def _insert_free(self, table: Table) -> int:
        written = self._count(f"INSERT INTO {table.name} BY NAME FROM {_INCOMING}")
        self._cursor.execute(f"DROP TABLE {_INCOMING}")
        self.changed = self.changed or written > 0
        return written

    def _refuse_taken_keys(self, table: Table) -> None:
        keys = ", ".join(table.key)
        taken = self._cursor.execute(
            f"SELECT {keys} FROM {_INCOMING} SEMI JOIN {table.name} USING ({keys}) "  # noqa: S608
            f"ORDER BY {keys} LIMIT {_SHOWN}"
        ).fetchall()
        if taken:
            rows = "; ".join(
                key_text(table, dict(zip(table.key, row, strict=True))) for row in taken
            )
            raise SchemaViolationError(
                f"table {table.name}: key ({keys}) is in the table already; rows: {rows}"
            )

    def _count(self, statement: str) -> int:
        row = self._cursor.execute(statement).fetchone()
        return int(row[0]) if row else 0


def _check_columns(table: Table, names: Sequence[str]) -> None:
    unknown = [name for name in names if name not in table.columns]
    if unknown or not names:
        raise SchemaViolationError(
            f"table {table.name}: needs one or more of its columns, got {list(names)}; it has "
            f"{', '.join(table.columns)}"
        )


def _same(columns: Sequence[str], left: str, right: str) -> str:
    return " AND ".join(f"{left}.{c} IS NOT DISTINCT FROM {right}.{c}" for c in columns)
