"""Which reports of runs maintenance removes: old ones that no pinned snapshot needs."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest

import lake
from flows.run_reports import prune_run_reports
from lake.snapshots import pin, unpin

_START = datetime.fromisoformat("2026-01-01T02:00:00")


@pytest.fixture
def lk(tmp_path: Path) -> lake.Lake:
    """A lake with six nightly runs; each took in a series and has a report."""
    made = lake.create(tmp_path / "lake")
    folder = made.folder.reports / "runs"
    folder.mkdir(parents=True)
    for night in range(6):
        run = f"run{night}"
        with made.transaction(message=run) as tx:
            started = _START + timedelta(days=night)
            tx.insert("runs", [{"run_id": run, "flow_name": "ingest", "started_at": started}])
            tx.insert("series", [{"series_instance_uid": str(night), "run_id": run}])
        (folder / f"{run}.html").write_text("report")
    (folder / "latest.html").write_text("report")
    (folder / "notes.html").write_text("somebody's own")
    return made


def _left(lk: lake.Lake) -> set[str]:
    return {path.stem for path in (lk.folder.reports / "runs").iterdir()}


def test_the_last_reports_and_foreign_files_stay(lk: lake.Lake) -> None:
    assert prune_run_reports(lk, 6) == 0
    assert prune_run_reports(lk, 2) == 4
    assert _left(lk) == {"run4", "run5", "latest", "notes"}
    assert prune_run_reports(lk, 2) == 0


def test_reports_of_what_a_pinned_snapshot_holds_stay_until_it_is_unpinned(lk: lake.Lake) -> None:
    with lk.transaction(message="the series of run 1 goes") as tx:
        tx.delete("series", {"series_instance_uid": ["1"]})
    third = next(s.snapshot_id for s in lk.snapshots() if s.message == "run2")
    pin(lk, "release-1", third)
    assert prune_run_reports(lk, 1) == 2
    assert _left(lk) == {"run0", "run1", "run2", "run5", "latest", "notes"}
    unpin(lk, "release-1")
    assert prune_run_reports(lk, 1) == 3
    assert _left(lk) == {"run5", "latest", "notes"}
