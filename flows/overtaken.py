"""Several runs at once: what one converted, held against what another published meanwhile.

A run looks at what the lake uses of a series, converts for minutes, and publishes. Another run may
have published objects of the same series in between. Publishing then must neither take those away
nor count an object twice.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import replace

from flows.growing import Content
from flows.work.ingest import StoredSeries
from lake import Transaction
from schemas.reasons import Outcome
from schemas.records import Row
from tasks.ingest.outcomes import reason_text


def settle(
    tx: Transaction, stored: Collection[StoredSeries], assumed: Mapping[str, Collection[Content]]
) -> list[StoredSeries]:
    """Bring converted series into line with what the lake uses of them now.

    Parameters
    ----------
    stored : collection of StoredSeries
        About to be published.
    assumed : mapping
        What the lake used of a series when it was looked at, by pseudonymised UID.

    Returns
    -------
    list of StoredSeries
        Those that nobody else touched as they were. Where another run published the same content
        from another place, ours is a duplicate of it. Where it published objects that ours does not
        have, ours is left for the next run (``overtaken``).
    """
    rows = tx.sql(
        "SELECT * FROM files WHERE outcome = $outcome "
        "AND series_instance_uid IN (SELECT unnest($uids))",
        {"outcome": str(Outcome.INGESTED), "uids": [s.series_instance_uid for s in stored]},
    ).to_pylist()
    added: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if _content(row) not in assumed.get(row["series_instance_uid"], ()):
            added[row["series_instance_uid"]].append(row)
    return [_settled(s, added.get(s.series_instance_uid, [])) for s in stored]


def _settled(series: StoredSeries, added: list[Row]) -> StoredSeries:
    if not added:
        return series
    files = series.rows.get("files", [])
    ours = {_content(row) for row in files if row["outcome"] == Outcome.INGESTED}
    theirs = {str(row["file_key"]): row for row in added}
    if series.leaves_series or not {_content(row) for row in added} <= ours:
        kept = [theirs.get(str(row["file_key"]), _postponed(row)) for row in files]
        return replace(series, rows={"files": kept}, leaves_series=True, identity={})
    elsewhere = {_content(row) for row in added} - {
        _content(row) for row in files if str(row["file_key"]) in theirs
    }
    return replace(series, rows={**series.rows, "files": [_twin(r, elsewhere) for r in files]})


def _content(row: Row) -> Content:
    sop, digest = row["sop_instance_uid"], row["content_blake3"]
    return str(row["series_instance_uid"]), sop and str(sop), digest and str(digest)  # type: ignore[return-value]


def _postponed(row: Row) -> Row:
    if row["outcome"] != Outcome.INGESTED:
        return row
    reason = "overtaken"
    return {
        **row,
        "outcome": str(Outcome.QUARANTINED),
        "reason_code": reason,
        "reason_text": reason_text(reason),
    }


def _twin(row: Row, elsewhere: Collection[Content]) -> Row:
    if row["outcome"] != Outcome.INGESTED or _content(row) not in elsewhere:
        return row
    return {**row, "outcome": str(Outcome.DUPLICATE)}
