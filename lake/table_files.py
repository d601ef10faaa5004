"""The Parquet files behind the tables: which ones any snapshot needs, and their digests.

DuckLake's own tables say which files there are, for all snapshots at once; asking snapshot by
snapshot takes a second for every few. Digests are kept beside them, in a table of our own in the
same database, which costs no snapshot.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import duckdb

from lake.catalog import READER, WRITER, postgres_schema, quoted
from lake.folder import LakeFolder
from lake.snapshots import pins

if TYPE_CHECKING:
    from lake.lake import Lake

DIGESTS: Final = "tracerlake_file_digests"


@dataclass(frozen=True, slots=True)
class TableFile:
    """A Parquet file that a snapshot of the lake needs.

    Parameters
    ----------
    file_id : int
        Number in the catalog.
    path : str
        Absolute path or URL.
    table : str
        Table whose rows, or whose deleted rows, it holds.
    size_bytes, n_rows : int
        As the catalog says.
    begin, end : int
        First snapshot that needs it, and the first one after that does not (None: still needed).
    deletes_from : int or None
        Number of the data file whose deleted rows it lists; None for a data file.
    is_merged : bool
        It holds rows of several snapshots.
    sha256 : str or None
        Digest, if it has been taken.
    """

    file_id: int
    path: str
    table: str
    size_bytes: int
    n_rows: int
    begin: int
    end: int | None
    deletes_from: int | None
    is_merged: bool
    sha256: str | None

    @property
    def is_local(self) -> bool:
        """True if it lies in a folder, not in an object store."""
        return "://" not in self.path

    def is_needed_at(self, snapshot: int) -> bool:
        """Say whether the snapshot needs it."""
        return self.begin <= snapshot and (self.end is None or snapshot < self.end)


def table_files(lk: Lake) -> list[TableFile]:
    """All Parquet files that any snapshot needs."""
    place = _metadata(lk.folder, READER)
    has_digests = _has_digests(lk)
    digest = "d.sha256" if has_digests else "NULL"
    joined = f"LEFT JOIN {place}.{DIGESTS} d ON d.file_id = f.file_id" if has_digests else ""
    rows = lk.internal_rows(
        f"""
        WITH files AS (
            SELECT data_file_id AS file_id, table_id, path, path_is_relative, file_size_bytes,
                   record_count AS n_rows, begin_snapshot, end_snapshot, NULL AS deletes_from,
                   partial_max IS NOT NULL AS is_merged
            FROM {place}.ducklake_data_file
            UNION ALL
            SELECT delete_file_id, table_id, path, path_is_relative, file_size_bytes,
                   delete_count, begin_snapshot, end_snapshot, data_file_id, false
            FROM {place}.ducklake_delete_file),
        tables AS (
            SELECT table_id, any_value(table_name) AS name, any_value(t.path) AS path,
                   bool_and(t.path_is_relative::BOOLEAN) AS is_relative,
                   any_value(s.path) AS above, bool_and(s.path_is_relative::BOOLEAN) AS is_below
            FROM {place}.ducklake_table t JOIN {place}.ducklake_schema s USING (schema_id)
            GROUP BY table_id)
        SELECT f.file_id, CASE WHEN f.path_is_relative::BOOLEAN THEN
                 CASE WHEN t.is_relative THEN
                   CASE WHEN t.is_below THEN $$root$$ ELSE '' END || t.above || t.path
                 ELSE t.path END || f.path ELSE f.path END,
               t.name, f.file_size_bytes, f.n_rows, f.begin_snapshot, f.end_snapshot,
               f.deletes_from, f.is_merged, {digest}
        FROM files f JOIN tables t USING (table_id) {joined} ORDER BY 2
        """.replace("$$root$$", quoted(lk.folder.tables_root))  # noqa: S608 - names of ours
    )
    return [TableFile(*row) for row in rows]  # type: ignore[arg-type]


def expected_names(lk: Lake) -> set[str]:
    """Names of all Parquet files that the catalog knows, those included that wait for removal.

    DuckLake gives every file a name of its own (a UUID), so the name alone tells them apart.
    """
    place = _metadata(lk.folder, READER)
    rows = lk.internal_rows(
        f"SELECT path FROM {place}.ducklake_data_file "  # noqa: S608
        f"UNION ALL SELECT path FROM {place}.ducklake_delete_file "
        f"UNION ALL SELECT path FROM {place}.ducklake_files_scheduled_for_deletion"
    )
    return {str(path).rpartition("/")[2] for (path,) in rows}


def files_on_disk(lk: Lake) -> list[Path]:
    """All Parquet files below the lake's tables; none for an object store."""
    root = lk.folder.tables_root
    return [] if "://" in root else sorted(Path(root).rglob("*.parquet"))


def live_volumes(lk: Lake) -> set[str]:
    """Paths of the volumes that any snapshot of the lake refers to.

    A row is deleted by a file that lists it, which later snapshots heed; the data file stays. So
    the rows of a data file that were there for its first snapshot are all that any later one can
    see. Where nothing was deleted by then, the file itself is read, all such files in one query;
    otherwise that snapshot is asked, which happens only where snapshots before it have expired.

    Raises
    ------
    duckdb.Error
        If a file is missing or damaged.
    """
    whole, moments = _sources_of_rows(lk)
    moments |= {p.snapshot_id for p in pins(lk)} | {lk.snapshot}
    found: set[str] = set()
    if whole:
        paths = ", ".join(map(quoted, whole))
        found |= _volumes_of(lk, f"read_parquet([{paths}], union_by_name => true)")
    for moment in sorted(moments):
        if moment > 0:  # 0 is the empty catalog, before it had tables
            found |= _volumes_of(lk, f"main.volumes AT (VERSION => {int(moment)})")
    return found


def record_digests(lk: Lake) -> int:
    """Take the digests of table files that have none yet, and forget those of files that are gone.

    Returns
    -------
    int
        Digests taken.

    Raises
    ------
    ConflictError, StorageError
        As `Lake.transaction`.
    """
    with lk.maintenance() as cursor:
        digests = f"{_metadata(lk.folder, WRITER)}.{DIGESTS}"
        cursor.execute(f"CREATE TABLE IF NOT EXISTS {digests} (file_id BIGINT, sha256 VARCHAR)")
        present = table_files(lk)
        new = [
            (f.file_id, file_digest(Path(f.path)))
            for f in present
            if f.sha256 is None and f.is_local and Path(f.path).is_file()
        ]
        known = {row[0] for row in cursor.execute(f"SELECT file_id FROM {digests}").fetchall()}  # noqa: S608
        gone = sorted(known - {f.file_id for f in present})
        _write_digests(cursor, digests, new, gone)
    return len(new)


def file_digest(path: Path) -> str:
    """SHA-256 (hexadecimal) of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _write_digests(
    cursor: duckdb.DuckDBPyConnection, table: str, new: list[tuple[int, str]], gone: list[int]
) -> None:
    cursor.execute("BEGIN")
    try:
        if new:
            values = ", ".join(f"({int(number)}, '{digest}')" for number, digest in new)
            cursor.execute(f"INSERT INTO {table} VALUES {values}")  # noqa: S608
        if gone:
            numbers = ", ".join(str(int(number)) for number in gone)
            cursor.execute(f"DELETE FROM {table} WHERE file_id IN ({numbers})")  # noqa: S608
        cursor.execute("COMMIT")
    except BaseException:
        cursor.execute("ROLLBACK")
        raise


def _sources_of_rows(lk: Lake) -> tuple[list[str], set[int]]:
    """Files of table `volumes` to be read whole, and snapshots to be asked."""
    files = [f for f in table_files(lk) if f.table == "volumes"]
    deletes: dict[int, list[TableFile]] = {}
    for file in files:
        if file.deletes_from is not None:
            deletes.setdefault(file.deletes_from, []).append(file)
    snapshots = [s.snapshot_id for s in lk.snapshots()]
    whole, moments = [], set()
    for file in _data_files(files):
        position = bisect_left(snapshots, file.begin)
        first = snapshots[position] if position < len(snapshots) else None
        listed = deletes.get(file.file_id, [])
        if first is None or file.is_merged or not any(d.is_needed_at(first) for d in listed):
            whole.append(file.path)
        else:
            moments.add(first)
    return whole, moments


def _data_files(files: list[TableFile]) -> Iterator[TableFile]:
    return (file for file in files if file.deletes_from is None)


def _volumes_of(lk: Lake, relation: str) -> set[str]:
    rows = lk.internal_rows(f"SELECT DISTINCT volume_path FROM {relation}")  # noqa: S608
    return {str(path) for (path,) in rows}


def _has_digests(lk: Lake) -> bool:
    try:
        lk.internal_rows(f"FROM {_metadata(lk.folder, READER)}.{DIGESTS} LIMIT 0")
    except (duckdb.CatalogException, duckdb.InvalidInputException):
        # No run of a version that takes digests has ended yet. (The second error comes from
        # DuckDB looking for similar names in a snapshot that is attached and has expired.)
        return False
    return True


def _metadata(folder: LakeFolder, alias: str) -> str:
    schema = postgres_schema(folder) if folder.settings.catalog else "main"
    return f"__ducklake_metadata_{alias}.{schema}"
