"""The lake's own record of each run: who, when, which version, what came of it."""

from __future__ import annotations

import getpass
import json
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version

from flows.stage_clock import StageClock
from lake import Lake, Transaction
from lake.table_files import record_digests
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
#: Stages whose time has a column; all of them are stages of ingestion.
_TIMED = ("discover", "retrieve", "scan", "convert", "commit")


@dataclass
class SourceTally:
    """What one source of a run had: a row of `run_sources`.

    Parameters
    ----------
    name : str
        The user's own name for it, or its kind; never a path.
    error : str or None
        Why it could not be taken in to its end; see `told`.
    """

    name: str
    n_changed: int = 0
    n_unchanged: int = 0
    error: str | None = None

    def row(self, number: int) -> Row:
        """Columns of `run_sources` except the run."""
        return {
            "source_number": number,
            "source_name": self.name,
            "n_files": self.n_changed + self.n_unchanged,
            "n_changed": self.n_changed,
            "n_unchanged": self.n_unchanged,
            "source_error": self.error,
        }


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
    outcomes : Counter
        New and changed input objects by outcome and reason code (empty: none).
    sources : list of SourceTally
        In the order of the call.
    n_series, input_bytes : int
        Converted series and size of the new and changed objects, for the rates.
    clock : StageClock
        Wall time by stage.
    """

    run_id: str
    flow_name: str
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(_COUNTERS, 0))
    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)
    sources: list[SourceTally] = field(default_factory=list)
    n_series: int = 0
    input_bytes: int = 0
    clock: StageClock = field(default_factory=StageClock)

    def count(self, counter: str, n: int = 1) -> None:
        """Add `n` to a counter."""
        self.counts[counter] += n

    def count_outcome(self, outcome: str, reason_code: str | None) -> None:
        """Count one new or changed input object by where it ended."""
        self.count(f"n_{outcome}")
        self.outcomes[outcome, reason_code or ""] += 1

    def measures(self) -> Row:
        """Return times and rates up to now, for `runs`; empty for flows without timed stages."""
        if not self.clock.seconds:
            return {}
        elapsed = self.clock.elapsed_s
        changed = self.counts["n_files"] - self.counts["n_unchanged"]
        return {
            "n_series": self.n_series,
            "input_bytes": self.input_bytes,
            "elapsed_s": elapsed,
            **{f"{name}_s": self.clock.seconds.get(name, 0.0) for name in _TIMED},
            "objects_per_s": changed / elapsed,
            "series_per_s": self.n_series / elapsed,
            "megabytes_per_s": self.input_bytes / 1e6 / elapsed,
        }

    def details(self) -> dict[str, list[Row]]:
        """Rows of `run_sources` and `run_outcomes`."""
        outcomes: list[Row] = [
            {"outcome": outcome, "reason_code": reason, "n_objects": n}
            for (outcome, reason), n in sorted(self.outcomes.items())
        ]
        sources = [source.row(number) for number, source in enumerate(self.sources, start=1)]
        return {"run_sources": self.stamp(sources), "run_outcomes": self.stamp(outcomes)}

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
        record_digests(lk)
    except BaseException:
        _write(lk, log, row | log.counts | log.measures() | _end("failed"), "failed")
        raise
    _write(lk, log, row | log.counts | log.measures() | _end("completed"), "completed")


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)


def _end(state: str) -> Row:
    return {"run_state": state, "finished_at": _now()}


def _write(lk: Lake, log: RunLog, row: Row, what: str) -> None:
    def change(tx: Transaction) -> None:
        tx.replace("runs", [row], scope=("run_id",), skip_unchanged=False)
        for table, rows in log.details().items():
            tx.replace(table, rows, scope=("run_id",), skip_unchanged=False)

    lk.commit(change, message=log.message(what), author=author())
