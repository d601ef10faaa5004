"""Keeping a lake small: compaction, expiry of old snapshots, removal of what nothing refers to."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import duckdb

from lake.catalog import WRITER
from lake.snapshots import pins
from lake.table_files import live_volumes
from lake.volumes import stores

if TYPE_CHECKING:
    from lake.lake import Lake

logger = logging.getLogger(__name__)

#: Longer than any run: what is younger may belong to a transaction that is yet to come.
DEFAULT_GRACE: Final = timedelta(days=1)
#: Rewrite a Parquet file once this part of its rows is deleted.
_REWRITE_ABOVE: Final = 0.3


@dataclass(frozen=True, slots=True)
class Vacuumed:
    """What was removed: paths of volumes and of Parquet files."""

    volumes: tuple[str, ...]
    files: tuple[str, ...]


def compact(lk: Lake) -> int:
    """Merge small Parquet files and rewrite those with many deleted rows.

    Time travel still works afterwards: old files stay until their snapshots expire.

    Returns
    -------
    int
        Files that were merged or rewritten.

    Raises
    ------
    ConflictError, StorageError
        As `Lake.transaction`.
    """
    with lk.maintenance() as cursor:
        rewritten = _processed(
            cursor,
            f"CALL ducklake_rewrite_data_files('{WRITER}', delete_threshold => {_REWRITE_ABOVE})",
        )
        merged = _processed(cursor, f"CALL ducklake_merge_adjacent_files('{WRITER}')")
    logger.info("%d files rewritten, %d merged", rewritten, merged)
    return rewritten + merged


def expire(lk: Lake, *, older_than: datetime | timedelta) -> list[int]:
    """Forget snapshots, except pinned ones and the present one.

    Parameters
    ----------
    lk : Lake
        Open for writing.
    older_than : datetime or timedelta
        Time (UTC if without zone) or age.

    Returns
    -------
    list of int
        Snapshots that can no longer be gone back to.

    Raises
    ------
    ConflictError, StorageError
        As `Lake.transaction`.
    """
    limit = _moment(older_than)
    with lk.maintenance() as cursor:
        kept = {p.snapshot_id for p in pins(lk)} | {lk.snapshot}
        gone = [
            s.snapshot_id for s in lk.snapshots() if s.time < limit and s.snapshot_id not in kept
        ]
        if gone:
            cursor.execute(f"CALL ducklake_expire_snapshots('{WRITER}', versions => {gone})")
    logger.info("%d snapshots expired", len(gone))
    return gone


def vacuum(lk: Lake, *, grace: timedelta = DEFAULT_GRACE) -> Vacuumed:
    """Remove volumes and Parquet files that no snapshot refers to.

    Parameters
    ----------
    lk : Lake
        Open for writing.
    grace : timedelta
        Leave alone what is younger: a run may have written it and not committed yet, or a reader
        may still be at it.

    Returns
    -------
    Vacuumed
        What was removed.

    Raises
    ------
    ConflictError, StorageError
        As `Lake.transaction`.
    """
    with lk.maintenance() as cursor:
        limit = time.time() - grace.total_seconds()
        present = list(stores.list_volumes(lk.volumes_root))  # before the catalog is asked
        live = live_volumes(lk)
        doomed = [
            path
            for path, changed, finished in present
            if changed < limit and not (finished and path in live)
        ]
        # A run may have found one meanwhile that an earlier run left, and be about to publish it.
        doomed = [p for p in doomed if stores.discard(lk.volumes_root, p, before=limit)]
        older = f"older_than => now() - to_seconds({grace.total_seconds()})"
        files = [
            str(row[0])
            for function in ("ducklake_cleanup_old_files", "ducklake_delete_orphaned_files")
            for row in cursor.execute(f"CALL {function}('{WRITER}', {older})").fetchall()
        ]
    logger.info("%d volumes and %d files removed", len(doomed), len(files))
    return Vacuumed(tuple(doomed), tuple(files))


def _processed(cursor: duckdb.DuckDBPyConnection, statement: str) -> int:
    # one row per table: schema, table, files processed, files created
    return sum(int(row[2]) for row in cursor.execute(statement).fetchall())


def _moment(older_than: datetime | timedelta) -> datetime:
    if isinstance(older_than, timedelta):
        return datetime.now(UTC) - older_than
    return older_than if older_than.tzinfo else older_than.replace(tzinfo=UTC)
