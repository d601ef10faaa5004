"""Publishing finished work: many series per transaction, everything of a series in the same one."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, TypeVar

from flows.accepting import NOTHING, Acceptance, with_superseded
from flows.conflicts import note_conflicts
from flows.growing import Content
from flows.overtaken import settle
from flows.runs import RunLog, author
from flows.used_content import set_aside
from flows.work.ingest import StoredSeries
from lake import Lake, Transaction
from schemas.records import Row
from schemas.tables import TABLES

T = TypeVar("T")

#: A commit is published after this many series or input objects, or this long after the last one.
#: Every commit looks at all that were before it, so many small ones cost more and more.
BATCH_SERIES: Final = 64
BATCH_OBJECTS: Final = 20_000
BATCH_SECONDS: Final = 20.0

#: Rows with the same values in these columns are replaced as a whole.
_SCOPES: Final[dict[str, tuple[str, ...]]] = {
    "files": ("file_key",),
    "series": ("series_instance_uid",),
    "volumes": ("series_instance_uid", "zone"),
    "segments": ("segmentation_series_uid",),
    "contours": ("segmentation_series_uid",),
    "measurements": ("report_series_uid",),
    "evaluations": ("report_series_uid",),
    "real_world_values": ("mapping_series_uid",),
    "suv_factors": ("series_instance_uid",),
    "decay_references": ("series_instance_uid",),
    "spect_acquisitions": ("series_instance_uid",),
    "findings": ("finding_id",),
}
#: Tables of which a series may have no rows any more when it is converted again.
_MAY_GO: Final = (
    "measurements", "evaluations", "real_world_values", "suv_factors", "decay_references",
    "spect_acquisitions",
)  # fmt: skip


def timed_batches(
    items: Iterable[T], size: int, seconds: float, weigh: Callable[[T], int] = lambda _: 1
) -> Iterator[list[T]]:
    """Collect items until their weights add up to `size`, or `seconds` after the last batch."""
    batch: list[T] = []
    weight, since = 0, time.monotonic()
    for item in items:
        batch.append(item)
        weight += weigh(item)
        if weight >= size or time.monotonic() - since > seconds:
            yield batch
            batch, weight, since = [], 0, time.monotonic()
    if batch:
        yield batch


@dataclass
class LookedAt:
    """What a run saw of the lake and of its sources when it began to convert.

    Parameters
    ----------
    source_names : dict
        Name of the source of every new or changed object, by file key.
    replaced : set
        File keys among them that had an outcome before.
    used : dict
        Content that the lake used of known series, by pseudonymised UID.
    accepted : Acceptance
        Changed content that a person accepted.
    converted : set
        Pseudonymised UIDs of the series that were published.
    """

    source_names: dict[str, str] = field(default_factory=dict)
    replaced: set[str] = field(default_factory=set)
    used: dict[str, set[Content]] = field(default_factory=dict)
    accepted: Acceptance = NOTHING
    converted: set[str] = field(default_factory=set)


def publish_series(
    lk: Lake, log: RunLog, stored: list[StoredSeries], seen: LookedAt
) -> list[StoredSeries]:
    """Commit everything that a batch of series became in one transaction; returns what that was."""

    def write(tx: Transaction) -> list[StoredSeries]:
        own = [_without_known(s, seen) for s in settle(tx, stored, seen.used)]
        settled = [
            with_superseded(tx, s, seen.used.get(s.series_instance_uid, ()), seen.accepted)
            for s in own
        ]
        remade = [s for s in settled if not s.leaves_series]
        tables = _merge(settled)
        set_aside(tx, tables["files"], seen.replaced)
        _forget_withdrawn(tx, remade)
        uids = sorted({s.series_instance_uid for s in remade})
        found = with_first_run(tx, _stamped(log, "findings", tables["findings"]), uids)
        tables["findings"] = found
        tx.delete("findings", {"subject_id": uids})
        tables["files"] = _first_seen(tx, _stamped(log, "files", tables["files"]), seen)
        for name, rows in tables.items():
            if rows:
                kept = rows if name == "findings" else _stamped(log, name, rows)
                _replace(tx, name, kept)
        note_conflicts(tx, log, _perhaps_in_conflict(settled, seen))
        return settled

    with log.clock.measuring("commit"):
        n_accepted = len(seen.accepted.file_keys)
        what = f"{len(stored)} series"
        if n_accepted:
            what += f", {n_accepted} changed objects accepted"
        return lk.commit(write, message=log.message(what), author=author())


def publish_files(lk: Lake, log: RunLog, rows: list[Row], seen: LookedAt) -> None:
    """Commit the outcomes of objects that are part of no series."""
    stamped = _stamped(log, "files", rows)

    def write(tx: Transaction) -> None:
        set_aside(tx, stamped, seen.replaced)
        _replace(tx, "files", _first_seen(tx, stamped, seen))

    with log.clock.measuring("commit"):
        message = log.message(f"{len(rows)} objects without a series")
        lk.commit(write, message=message, author=author())


def _replace(tx: Transaction, table: str, rows: list[Row]) -> None:
    # A file that was merely touched needs its new time in the table, or it is read every night.
    compared = ("modified_ns",) if table == "files" else ()
    tx.replace(table, rows, scope=_SCOPES[table], compared=compared)


def _first_seen(tx: Transaction, rows: list[Row], seen: LookedAt) -> list[Row]:
    """Keep the name of the run that saw an object first."""
    known = [
        key
        for row in rows
        if (key := str(row["file_key"])) in seen.replaced or key not in seen.source_names
    ]
    if not known:
        return rows
    found = tx.sql(
        "SELECT file_key, first_run_id FROM files WHERE file_key IN (SELECT unnest($keys))",
        {"keys": known},
    ).to_pylist()
    first = {row["file_key"]: {"first_run_id": row["first_run_id"]} for row in found}
    return [{**row, **first.get(row["file_key"], {})} for row in rows]


def with_first_run(tx: Transaction, rows: list[Row], subject_ids: Sequence[str]) -> list[Row]:
    """Keep the name of the run that found something first, where it is found again."""
    if not rows:
        return rows
    known = tx.sql(
        "SELECT finding_id, coalesce(first_run_id, run_id) AS first_run_id FROM findings "
        "WHERE subject_id IN (SELECT unnest($subjects))",
        {"subjects": list(subject_ids)},
    ).to_pylist()
    first = {row["finding_id"]: row["first_run_id"] for row in known}
    return [
        {**row, "first_run_id": first.get(row["finding_id"], row["first_run_id"])} for row in rows
    ]


def _without_known(series: StoredSeries, seen: LookedAt) -> StoredSeries:
    """Known objects of a series that stays as it is keep the outcome that they have."""
    if not series.leaves_series:
        return series
    fresh = [r for r in series.rows.get("files", []) if str(r["file_key"]) in seen.source_names]
    return replace(series, rows={"files": fresh}, identity={})


def _perhaps_in_conflict(stored: Iterable[StoredSeries], seen: LookedAt) -> set[str]:
    return {
        s.series_instance_uid
        for s in stored
        if s.series_instance_uid in seen.used
        or any(r["reason_code"] == "conflicting_duplicate" for r in s.rows.get("files", []))
    }


def _merge(stored: Iterable[StoredSeries]) -> dict[str, list[Row]]:
    tables: dict[str, list[Row]] = defaultdict(list)
    for series in stored:
        for name, rows in series.rows.items():
            tables[name].extend(rows)
    return tables


def _forget_withdrawn(tx: Transaction, stored: list[StoredSeries]) -> None:
    """Drop the current rows of series that cannot be used any more (history keeps them)."""
    gone = sorted({s.series_instance_uid for s in stored if not s.rows.get("series")})
    if gone:
        tx.delete("protocol_checks", {"series_instance_uid": gone})
        tx.delete("series", {"series_instance_uid": gone})
        tx.delete("volumes", {"series_instance_uid": gone})
        tx.delete("segments", {"segmentation_series_uid": gone})
        tx.delete("contours", {"segmentation_series_uid": gone})
    for table in _MAY_GO:
        without = sorted({s.series_instance_uid for s in stored if not s.rows.get(table)})
        if without:
            tx.delete(table, {_SCOPES[table][0]: without})


def _stamped(log: RunLog, table: str, rows: list[Row]) -> list[Row]:
    columns = TABLES[table].columns
    stamp: Row = {c: log.run_id for c in ("run_id", "first_run_id") if c in columns}
    return [stamp | row for row in rows]
