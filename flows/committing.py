"""Publishing finished work: many series per transaction, everything of a series in the same one."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Final, TypeVar

from flows.runs import RunLog, author
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
    "findings": ("finding_id",),
}
#: Tables of which a series may have no rows any more when it is converted again.
_MAY_GO: Final = ("measurements", "evaluations", "real_world_values")


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


def publish_series(lk: Lake, log: RunLog, stored: list[StoredSeries]) -> None:
    """Commit everything that a batch of series became in one transaction."""
    tables = _merge(stored)
    uids = sorted({s.series_instance_uid for s in stored})

    def write(tx: Transaction) -> None:
        _forget_withdrawn(tx, stored)
        tx.delete("findings", {"subject_id": uids})
        for name, rows in tables.items():
            if rows:
                tx.replace(name, _stamped(log, name, rows), scope=_SCOPES[name])

    with log.clock.measuring("commit"):
        lk.commit(write, message=log.message(f"{len(stored)} series"), author=author())


def publish_files(lk: Lake, log: RunLog, rows: list[Row]) -> None:
    """Commit the outcomes of objects that are part of no series."""
    stamped = _stamped(log, "files", rows)
    with log.clock.measuring("commit"):
        lk.commit(
            lambda tx: tx.replace("files", stamped, scope=_SCOPES["files"]),
            message=log.message(f"{len(rows)} objects without a series"),
            author=author(),
        )


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
