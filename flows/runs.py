"""The lake's own record of each run: who, when, which version, what came of it."""

from __future__ import annotations

import getpass
import json
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version

from lake import Lake
from schemas.records import Row

_COUNTERS = (
    "n_files",
    "n_unchanged",
    "n_ingested",
    "n_duplicate",
    "n_quarantined",
    "n_ignored",
    "n_written",
)


def code_version() -> str:
    """Version of the installed tracerlake."""
    try:
        return version("tracerlake")
    except PackageNotFoundError:
        return "unknown"


def author() -> str:
    """Account that runs this process; containers without a name for it give its absence."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


@dataclass
class RunLog:
    """Counters of a run in progress.

    Parameters
    ----------
    run_id : str
        Key of the run; also in the commit message of every snapshot it makes.
    counts : dict
        Counter columns of the `runs` table.
    """

    run_id: str
    flow_name: str
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(_COUNTERS, 0))

    def count(self, counter: str, n: int = 1) -> None:
        """Add `n` to a counter."""
        self.counts[counter] += n

    def message(self, what: str) -> str:
        """Commit message of a snapshot of this run."""
        return f"{self.flow_name} {self.run_id}: {what}"

    def stamp(self, rows: list[Row]) -> list[Row]:
        """Return the rows with this run as their writer."""
        return [{**row, "run_id": self.run_id} for row in rows]


@contextmanager
def run_record(
    lk: Lake, flow_name: str, parameters: Mapping[str, object], *, prefect_id: str | None = None
) -> Iterator[RunLog]:
    """Keep a `runs` row from start to end; a run that dies keeps ``running`` and no end.

    Parameters
    ----------
    parameters : mapping
        Recorded as JSON: names, profiles and options, never paths or secrets.
    """
    log = RunLog(uuid.uuid4().hex[:12], flow_name)
    row: Row = {
        "run_id": log.run_id,
        "flow_name": flow_name,
        "run_state": "running",
        "started_at": _now(),
        "run_author": author(),
        "code_version": code_version(),
        "parameters_json": json.dumps(dict(parameters), sort_keys=True, default=str),
        "prefect_flow_run_id": prefect_id,
        **log.counts,
    }
    _write(lk, log, row, "started")
    try:
        yield log
    except BaseException:
        _write(lk, log, row | log.counts | _end("failed"), "failed")
        raise
    _write(lk, log, row | log.counts | _end("completed"), "completed")


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)


def _end(state: str) -> Row:
    return {"run_state": state, "finished_at": _now()}


def _write(lk: Lake, log: RunLog, row: Row, what: str) -> None:
    lk.commit(
        lambda tx: tx.replace("runs", [row], scope=("run_id",), skip_unchanged=False),
        message=log.message(what),
        author=author(),
    )
