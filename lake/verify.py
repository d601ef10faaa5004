"""Checks that all the catalog speaks of is on disk and whole, and nothing else is there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from lake.snapshots import pins
from lake.volumes import stores
from lake.volumes.read import volume_digest
from schemas.errors import NotFoundInLakeError, StorageError
from schemas.tables import STORED

if TYPE_CHECKING:
    from lake.lake import Lake


@dataclass(frozen=True, slots=True)
class Problem:
    """Something about the lake that is not as it should be.

    Parameters
    ----------
    kind : str
        ``missing_volume``, ``damaged_volume``, ``digest_mismatch``, ``orphan_volume``,
        ``unfinished_volume``, ``missing_file`` or ``wrong_size``.
    subject : str
        Path of the volume or file.
    detail : str
        What it means and what to do.
    """

    kind: str
    subject: str
    detail: str


def verify(lk: Lake, *, deep: bool = True) -> list[Problem]:
    """Hold the catalog against what is on disk.

    Parameters
    ----------
    lk : Lake
        The lake.
    deep : bool
        Read every volume of the present state and compare its digest (otherwise only whether it
        is there).

    Returns
    -------
    list of Problem
        Empty if all is well.
    """
    return [*_files(lk), *_volumes(lk, deep=deep), *_strays(lk)]


def live_paths(lk: Lake) -> set[str]:
    """Paths of the volumes that any snapshot of the lake refers to."""
    found: set[str] = set()
    for snapshot in lk.snapshots():
        found.update(_paths_at(lk, snapshot.snapshot_id))
    return found


def _paths_at(lk: Lake, snapshot: int) -> set[str]:
    if snapshot == 0:  # the empty catalog, before it had tables
        return set()
    rows = lk.internal_rows(
        f"SELECT DISTINCT volume_path FROM main.volumes AT (VERSION => {int(snapshot)})"  # noqa: S608
    )
    return {str(path) for (path,) in rows}


def _volumes(lk: Lake, *, deep: bool) -> Iterator[Problem]:
    rows = lk.internal_rows("SELECT volume_path, content_blake3 FROM main.volumes ORDER BY ALL")
    for path, expected in rows:
        problem = _volume_problem(lk.volumes_root, str(path), str(expected), deep=deep)
        if problem is not None:
            yield problem


def _volume_problem(root: str, path: str, expected: str, *, deep: bool) -> Problem | None:
    try:
        if not deep:
            stores.open_group(root, path)
            return None
        found = volume_digest(root, path)
    except NotFoundInLakeError:
        return Problem("missing_volume", path, "not on disk; ingest or standardise it again")
    except StorageError as error:
        return Problem("damaged_volume", path, str(error))
    if found == expected:
        return None
    return Problem(
        "digest_mismatch",
        path,
        f"expected BLAKE3 {expected[:12]}..., found {found[:12]}...; remove it and ingest again",
    )


def _strays(lk: Lake) -> Iterator[Problem]:
    present = list(stores.list_volumes(lk.volumes_root))  # before the catalog is asked
    live = live_paths(lk)
    for path, _, finished in present:
        if not finished:
            yield Problem("unfinished_volume", path, "left by a process that died; run vacuum")
        elif path not in live:
            yield Problem("orphan_volume", path, "no snapshot refers to it; run vacuum")


def _files(lk: Lake) -> Iterator[Problem]:
    wanted: dict[str, int] = {}
    for number in {lk.snapshot, *(p.snapshot_id for p in pins(lk))}:
        for table in STORED:
            with suppress(duckdb.CatalogException):  # the table is younger than the snapshot
                wanted.update(_table_files(lk, table.name, number))
    for name, size in sorted(wanted.items()):
        if "://" in name:
            continue
        path = Path(name)
        if not path.is_file():
            yield Problem("missing_file", name, "a table has lost rows; restore it from a backup")
        elif path.stat().st_size != size:
            yield Problem("wrong_size", name, f"expected {size} bytes, found {path.stat().st_size}")


def _table_files(lk: Lake, table: str, snapshot: int) -> dict[str, int]:
    rows = lk.internal_rows(
        "SELECT data_file, data_file_size_bytes, delete_file, delete_file_size_bytes "  # noqa: S608
        f"FROM ducklake_list_files('lake', '{table}', schema => 'main', "
        f"snapshot_version => {int(snapshot)})"
    )
    pairs = [(data, size) for data, size, _, _ in rows] + [
        (gone, size) for _, _, gone, size in rows
    ]
    return {str(name): int(str(size)) for name, size in pairs if name is not None}
