"""Changed objects that a person accepts in place of those that the lake uses.

Under one SOP Instance UID the lake uses one content; what comes later with other content is in
conflict, and stays so until somebody decides. Accepting makes the new content the one in use: its
series is converted again, the content used before is set aside as ``superseded``, and the volume
made of it stays in the snapshots before.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from typing import Final

from flows.growing import Content, KnownObject
from flows.work.ingest import StoredSeries
from lake import Lake, Transaction
from schemas.errors import InvalidInputError
from schemas.reasons import Outcome
from schemas.records import Row
from tasks.ingest.outcomes import reason_tags, reason_text

CONFLICTING: Final = "conflicting_duplicate"
SUPERSEDED: Final = "superseded"
#: Why an object is in quarantine that can be accepted.
ACCEPTABLE: Final = frozenset({CONFLICTING, SUPERSEDED})

#: Outcomes of what a volume is made of, and of its copies, in other encodings perhaps.
_IN_USE: Final = frozenset({Outcome.INGESTED, Outcome.DUPLICATE})

#: Series and SOP Instance UID, pseudonymised.
_Instance = tuple[str, str | None]


@dataclass(frozen=True)
class Acceptance:
    """What is accepted.

    Parameters
    ----------
    contents : frozenset of Content
        At most one for each instance.
    file_keys : frozenset of str
        Objects that hold it.
    """

    contents: frozenset[Content] = frozenset()
    file_keys: frozenset[str] = frozenset()

    @property
    def instances(self) -> set[_Instance]:
        """Series and SOP Instance UIDs that get other content."""
        return {(series, sop) for series, sop, _ in self.contents}

    def applied(self, known: Iterable[KnownObject]) -> list[KnownObject]:
        """Return what the lake knows as if it used the accepted content already."""
        instances = self.instances
        return [
            replace(k, is_used=k.content in self.contents, is_copy=False)
            if (k.series_instance_uid, k.sop_instance_uid) in instances
            else k
            for k in known
        ]


#: Nothing is accepted.
NOTHING: Final = Acceptance()


def acceptance_of(lk: Lake, file_keys: Iterable[str]) -> Acceptance:
    """Read from table `files` what accepting some objects means.

    Raises
    ------
    InvalidInputError
        Two of them hold different content of one instance, or none is in conflict.
    """
    rows = lk.sql(
        "SELECT series_instance_uid, sop_instance_uid, content_blake3, file_key, reason_code "
        "FROM files WHERE list_contains($keys, file_key)",
        {"keys": sorted(file_keys)},
    ).fetchall()
    chosen = [row for row in rows if row[4] in ACCEPTABLE and row[2] is not None]
    if not chosen:
        raise InvalidInputError("none of these objects is in conflict with one that the lake uses")
    contents = frozenset((series, sop, digest) for series, sop, digest, *_ in chosen)
    found = Acceptance(contents, frozenset(row[3] for row in chosen))
    if len(found.instances) < len(contents):
        raise InvalidInputError(
            "some of these objects hold different content under one SOP Instance UID; name the one "
            "to accept with --object"
        )
    return found


def with_superseded(
    tx: Transaction, series: StoredSeries, used: Collection[Content], accepted: Acceptance
) -> StoredSeries:
    """Set aside what accepted content replaces, and copies of what was set aside before.

    Parameters
    ----------
    tx : Transaction
        In which the series is published.
    series : StoredSeries
        About to be published.
    used : collection of Content
        What the lake used of it before.
    accepted : Acceptance
        What a person accepted.
    """
    files = series.rows.get("files", [])
    taken = {_content(r) for r in files if r["outcome"] == Outcome.INGESTED} & accepted.contents
    if series.leaves_series or not taken:
        return _with_files(series, _known_as_superseded(tx, files))
    instances = {(uid, sop) for uid, sop, _ in taken}
    before = _rows_of(tx, series.series_instance_uid)
    former = {*used, *(_content(r) for r in before if r["outcome"] in _IN_USE)}
    replaced = {c for c in former if (c[0], c[1]) in instances} - taken
    written = {str(row["file_key"]) for row in files}
    elsewhere = [row for row in before if row["file_key"] not in written]
    own = (_superseded(r) if _is_in_conflict(r) and _content(r) in replaced else r for r in files)
    others = [
        *(_superseded(r) for r in elsewhere if _content(r) in replaced),
        *(_copy(r) for r in elsewhere if _content(r) in taken),
    ]
    return _with_files(series, [*own, *others])


def _rows_of(tx: Transaction, series_uid: str) -> list[Row]:
    rows: list[Row] = tx.sql(
        "SELECT * FROM files WHERE series_instance_uid = $uid AND content_blake3 IS NOT NULL",
        {"uid": series_uid},
    ).to_pylist()
    return rows


def _known_as_superseded(tx: Transaction, files: list[Row]) -> list[Row]:
    """Say of content that was superseded before that it still is."""
    in_conflict = [row for row in files if _is_in_conflict(row)]
    if not in_conflict:
        return files
    before = {
        _content(row)
        for row in tx.sql(
            "SELECT series_instance_uid, sop_instance_uid, content_blake3 FROM files "
            "WHERE reason_code = $reason AND series_instance_uid = $uid",
            {"reason": SUPERSEDED, "uid": in_conflict[0]["series_instance_uid"]},
        ).to_pylist()
    }
    return [_superseded(r) if _is_in_conflict(r) and _content(r) in before else r for r in files]


def _is_in_conflict(row: Row) -> bool:
    return row["reason_code"] == CONFLICTING


def _with_files(series: StoredSeries, files: list[Row]) -> StoredSeries:
    return replace(series, rows={**series.rows, "files": files})


def _superseded(row: Row) -> Row:
    return {
        **row,
        "outcome": str(Outcome.QUARANTINED),
        "reason_code": SUPERSEDED,
        "reason_text": reason_text(SUPERSEDED),
        "reason_tags": reason_tags(SUPERSEDED),
    }


def _copy(row: Row) -> Row:
    return {
        **row, "outcome": str(Outcome.DUPLICATE),
        "reason_code": None, "reason_text": None, "reason_tags": None,
    }  # fmt: skip


def _content(row: Row) -> Content:
    sop, digest = row["sop_instance_uid"], row["content_blake3"]
    return (
        str(row["series_instance_uid"]),
        None if sop is None else str(sop),
        None if digest is None else str(digest),
    )
