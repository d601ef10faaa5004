"""States of the lake that can be gone back to, and the names that keep them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import duckdb

from schemas.errors import ConflictError, InvalidInputError, NotFoundInLakeError

if TYPE_CHECKING:
    from lake.lake import Lake
    from lake.transactions import Transaction


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


@dataclass(frozen=True, slots=True)
class Pin:
    """A named snapshot, such as a cohort release."""

    name: str
    snapshot_id: int
    note: str | None


def pins(lk: Lake) -> list[Pin]:
    """All named snapshots."""
    rows = lk.internal_rows("SELECT name, snapshot_id, note FROM pins ORDER BY name")
    return [
        Pin(str(name), int(str(number)), None if note is None else str(note))
        for name, number, note in rows
    ]


def pin(lk: Lake, name: str, snapshot: int | None = None, note: str | None = None) -> Pin:
    """Name a snapshot, so that it never expires.

    Parameters
    ----------
    lk : Lake
        Open for writing.
    name : str
        Letters, digits, ``-``, ``_`` and ``.``, such as ``release-1``.
    snapshot : int or None
        Which; the present one by default.
    note : str or None
        What it is for.

    Raises
    ------
    InvalidInputError
        For a name of other characters.
    NotFoundInLakeError
        If there is no such snapshot (any more).
    ConflictError
        If the name is taken by another snapshot.
    """
    if not name or not all(c.isalnum() or c in "-_." for c in name):
        raise InvalidInputError(f"the name {name!r} must consist of letters, digits, '-', '_', '.'")
    number = lk.snapshot if snapshot is None else snapshot
    snapshot_at(lk.snapshots(), number, None)
    taken = {p.name: p for p in pins(lk)}
    if name in taken:
        if taken[name].snapshot_id == number:
            return taken[name]
        raise ConflictError(
            f"{name!r} already names snapshot {taken[name].snapshot_id}; unpin it first or choose "
            "another name"
        )

    def change(transaction: Transaction) -> None:
        transaction.pin(name, number, note)

    lk.commit(change, message=f"Snapshot {number} pinned as {name}")
    return Pin(name, number, note)


def unpin(lk: Lake, name: str) -> None:
    """Take a name away; its snapshot may expire from now on.

    Raises
    ------
    NotFoundInLakeError
        If there is no such name.
    """
    if name not in {p.name for p in pins(lk)}:
        raise NotFoundInLakeError(f"no snapshot is named {name!r}")
    lk.commit(lambda transaction: transaction.unpin(name), message=f"Pin {name} removed")


def _moment(timestamp: datetime | str) -> datetime:
    if isinstance(timestamp, str):
        try:
            timestamp = datetime.fromisoformat(timestamp)
        except ValueError as error:
            raise InvalidInputError(
                f"timestamp {timestamp!r} is not like 2026-01-31 or 2026-01-31T18:00:00+01:00"
            ) from error
    return timestamp if timestamp.tzinfo else timestamp.replace(tzinfo=UTC)
