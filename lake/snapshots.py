"""States of the lake that can be gone back to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import duckdb

from schemas.errors import InvalidInputError, NotFoundInLakeError


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A state of the whole lake: when it was made, by whom, and what was done.

    Parameters
    ----------
    snapshot_id : int
        Counted up by every transaction.
    time : datetime
        Of the commit, UTC.
    author, message : str or None
        As given to the transaction.
    extra : str or None
        JSON, as given to the transaction.
    """

    snapshot_id: int
    time: datetime
    author: str | None
    message: str | None
    extra: str | None


def list_snapshots(connection: duckdb.DuckDBPyConnection, alias: str) -> list[Snapshot]:
    """All snapshots that have not expired, oldest first."""
    rows = connection.execute(
        "SELECT snapshot_id, snapshot_time AT TIME ZONE 'UTC', author, commit_message, "  # noqa: S608
        f"commit_extra_info FROM {alias}.snapshots() ORDER BY snapshot_id"
    ).fetchall()
    return [Snapshot(int(i), time.replace(tzinfo=UTC), *rest) for i, time, *rest in rows]


def snapshot_at(
    snapshots: Sequence[Snapshot], snapshot: int | None, timestamp: datetime | str | None
) -> int:
    """Find the snapshot of a number, or the newest that is not after a time.

    Raises
    ------
    InvalidInputError
        Unless exactly one of the two is given, or the time cannot be read.
    NotFoundInLakeError
        If there is none.
    """
    if (snapshot is None) == (timestamp is None):
        raise InvalidInputError("give either a snapshot or a timestamp")
    if timestamp is not None:
        moment = _moment(timestamp)
        found = [s.snapshot_id for s in snapshots if s.time <= moment]
    else:
        found = [s.snapshot_id for s in snapshots if s.snapshot_id == snapshot]
    if not found:
        first, last = snapshots[0], snapshots[-1]
        raise NotFoundInLakeError(
            f"there is no snapshot {snapshot if timestamp is None else timestamp}; there are "
            f"{first.snapshot_id} ({first.time:%Y-%m-%d %H:%M}) to {last.snapshot_id} "
            f"({last.time:%Y-%m-%d %H:%M} UTC)"
        )
    return found[-1]


def _moment(timestamp: datetime | str) -> datetime:
    if isinstance(timestamp, str):
        try:
            timestamp = datetime.fromisoformat(timestamp)
        except ValueError as error:
            raise InvalidInputError(
                f"timestamp {timestamp!r} is not like 2026-01-31 or 2026-01-31T18:00:00+01:00"
            ) from error
    return timestamp if timestamp.tzinfo else timestamp.replace(tzinfo=UTC)
