"""Reports of ingestion runs that nobody needs any more."""

from __future__ import annotations

from pathlib import Path

from lake import Lake
from lake.snapshots import pins
from schemas.errors import StorageError


def prune_run_reports(lk: Lake, keep: int) -> int:
    """Remove ``reports/runs/<run>.html`` of older runs; return how many.

    Kept are the reports of the last runs, and those of every run that took in a series of a pinned
    snapshot: they say what a release was made of. Files that are no report of a run of this lake
    are left alone, as is ``latest.html``. A report that was removed can be written again:
    `tracerlake report --run`.

    Parameters
    ----------
    lk : Lake
        The lake.
    keep : int
        Reports of so many of the last runs stay.

    Raises
    ------
    StorageError
        A report cannot be removed.
    """
    runs = [
        str(run)
        for (run,) in lk.sql("SELECT run_id FROM runs ORDER BY started_at DESC, run_id").fetchall()
    ]
    known = set(runs)
    folder = lk.folder.reports / "runs"
    there = {path.stem: path for path in folder.glob("*.html") if path.stem in known}
    reported = [run for run in runs if run in there]
    needless = set(reported[keep:])
    if needless:
        needless -= _of_pinned_snapshots(lk)
    for run in needless:
        _remove(there[run])
    return len(needless)


def _of_pinned_snapshots(lk: Lake) -> set[str]:
    """Return the runs that wrote the rows of the series of pinned snapshots."""
    found: set[str] = set()
    for snapshot in sorted({pin.snapshot_id for pin in pins(lk)}):
        then = lk.at(snapshot=snapshot)
        rows = then.sql("SELECT DISTINCT run_id FROM series WHERE run_id IS NOT NULL").fetchall()
        found.update(str(run) for (run,) in rows)
    return found


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise StorageError(f"cannot remove {path}: {error.strerror}") from error
