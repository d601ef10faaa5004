"""Checks that all the catalog speaks of is on disk and whole, and nothing else is there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from lake.table_files import (
    TableFile,
    expected_names,
    file_digest,
    files_on_disk,
    live_volumes,
    table_files,
)
from lake.volumes import stores
from lake.volumes.read import volume_digest
from schemas.errors import NotFoundInLakeError, StorageError

if TYPE_CHECKING:
    from lake.lake import Lake

_RESTORE: Final = "restore it from a backup"


@dataclass(frozen=True, slots=True)
class Problem:
    """Something about the lake that is not as it should be.

    Parameters
    ----------
    kind : str
        ``missing_volume``, ``damaged_volume``, ``digest_mismatch``, ``orphan_volume``,
        ``unfinished_volume``; of table files ``missing_file``, ``wrong_size``, ``damaged_file``,
        ``orphan_file``; or ``unreadable_table``.
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
        Read every volume of the present state and every table file of any snapshot, and compare
        digests (otherwise only whether they are there, and the size of files).

    Returns
    -------
    list of Problem
        Empty if all is well.
    """
    problems = [*_files(lk, deep=deep), *_stray_files(lk)]
    try:
        return [*problems, *_volumes(lk, deep=deep), *_strays(lk)]
    except duckdb.Error as error:
        detail = f"cannot be read ({type(error).__name__}), so volumes were not looked at"
        return [*problems, Problem("unreadable_table", "volumes", detail)]


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
    live = live_volumes(lk)
    for path, _, finished in present:
        if not finished:
            yield Problem("unfinished_volume", path, "left by a process that died; run vacuum")
        elif path not in live:
            yield Problem("orphan_volume", path, "no snapshot refers to it; run vacuum")


def _stray_files(lk: Lake) -> Iterator[Problem]:
    present = files_on_disk(lk)  # before the catalog is asked
    expected = expected_names(lk)
    for path in present:
        if path.name not in expected:
            yield Problem("orphan_file", str(path), "no snapshot refers to it; run vacuum")


def _files(lk: Lake, *, deep: bool) -> Iterator[Problem]:
    for file in table_files(lk):
        problem = _file_problem(file, deep=deep) if file.is_local else None
        if problem is not None:
            yield problem


def _file_problem(file: TableFile, *, deep: bool) -> Problem | None:
    path = Path(file.path)
    try:
        size = path.stat().st_size
    except OSError:
        return Problem("missing_file", file.path, f"table {file.table} lost rows; {_RESTORE}")
    if size != file.size_bytes:
        detail = f"expected {file.size_bytes} bytes, found {size}; {_RESTORE}"
        return Problem("wrong_size", file.path, detail)
    if not deep or _is_whole(file, path):
        return None
    return Problem(
        "damaged_file", file.path, f"table {file.table}: not what was written; {_RESTORE}"
    )


def _is_whole(file: TableFile, path: Path) -> bool:
    """Compare with the digest, or where none has been taken yet read it all and count."""
    if file.sha256 is not None:
        return file_digest(path) == file.sha256
    try:
        batches = pq.ParquetFile(path).iter_batches()
        return bool(sum(batch.num_rows for batch in batches) == file.n_rows)
    except (OSError, pa.ArrowException):
        return False
