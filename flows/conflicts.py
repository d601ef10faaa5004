"""Findings on series under whose SOP Instance UIDs other content came, or was accepted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from flows.runs import RunLog
from lake import Transaction
from schemas.records import Row
from tasks.ingest.findings import (
    CONFLICT_RULE,
    SUPERSEDED_RULE,
    conflict_finding,
    superseded_finding,
)

_FINDINGS: Final[Mapping[str, Callable[[Row, int], Row]]] = {
    "conflicting_duplicate": conflict_finding,
    "superseded": superseded_finding,
}


def note_conflicts(tx: Transaction, log: RunLog, series_uids: Iterable[str]) -> None:
    """Make the findings of each series say which other content is in quarantine now.

    Parameters
    ----------
    series_uids : iterable of str
        Series that may have conflicts, pseudonymised.
    """
    uids = sorted(set(series_uids))
    if not uids:
        return
    rows = tx.sql(
        "SELECT s.series_instance_uid, s.patient_key, s.centre, f.reason_code, "
        "count(DISTINCT f.sop_instance_uid) AS n "
        "FROM files f JOIN series s USING (series_instance_uid) "
        "WHERE list_contains($reasons, f.reason_code) "
        "AND f.series_instance_uid IN (SELECT unnest($uids)) GROUP BY ALL",
        {"uids": uids, "reasons": list(_FINDINGS)},
    ).to_pylist()
    tx.delete("findings", {"rule_id": [CONFLICT_RULE, SUPERSEDED_RULE], "subject_id": uids})
    if rows:
        findings = [_FINDINGS[row["reason_code"]](row, row["n"]) for row in rows]
        tx.replace("findings", log.stamp(findings), scope=("finding_id",))
