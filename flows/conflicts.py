"""Findings on series under whose SOP Instance UIDs other content came."""

from __future__ import annotations

from collections.abc import Iterable

from flows.runs import RunLog
from lake import Transaction
from tasks.ingest.findings import CONFLICT_RULE, conflict_finding


def note_conflicts(tx: Transaction, log: RunLog, series_uids: Iterable[str]) -> None:
    """Make the conflict finding of each series say what is in quarantine now.

    Parameters
    ----------
    series_uids : iterable of str
        Series that may have conflicts, pseudonymised.
    """
    uids = sorted(set(series_uids))
    if not uids:
        return
    rows = tx.sql(
        "SELECT s.series_instance_uid, s.patient_key, s.centre, count(*) AS n "
        "FROM files f JOIN series s USING (series_instance_uid) "
        "WHERE f.reason_code = 'conflicting_duplicate' "
        "AND f.series_instance_uid IN (SELECT unnest($uids)) GROUP BY ALL",
        {"uids": uids},
    ).to_pylist()
    tx.delete("findings", {"rule_id": [CONFLICT_RULE], "subject_id": uids})
    if rows:
        findings = [conflict_finding(row, row["n"]) for row in rows]
        tx.replace("findings", log.stamp(findings), scope=("finding_id",))
