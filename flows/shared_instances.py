"""Findings on series that use the same SOP Instance UIDs as others.

A SOP Instance UID is unique, wherever the object lies. Tools that copy images into a new series
(some anonymisers, some exports of research archives) keep it nevertheless. Each series is used as
it came, since nothing says which one is meant, and a finding on each names the others.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Final

from flows.runs import RunLog
from lake import Transaction
from schemas.reasons import Outcome
from schemas.records import Row
from tasks.ingest.findings import SHARED_RULE, shared_finding

#: Other series with which some series share instances: objects in use, each instance once.
_SHARED: Final = """
SELECT ours.series_instance_uid AS series_instance_uid,
       others.series_instance_uid AS other_uid, count(DISTINCT others.sop_instance_uid) AS n
FROM files ours JOIN files others USING (sop_instance_uid)
WHERE ours.series_instance_uid IN (SELECT unnest($uids)) AND ours.outcome = $outcome
  AND others.outcome = $outcome AND others.series_instance_uid <> ours.series_instance_uid
GROUP BY ALL ORDER BY ALL
"""


def note_shared_instances(tx: Transaction, log: RunLog, series_uids: Iterable[str]) -> None:
    """Make the findings of series, and of those they share instances with, say how it is now.

    Parameters
    ----------
    series_uids : iterable of str
        Series that were converted, pseudonymised.
    """
    uids = set(series_uids)
    if not uids:
        return
    concerned = uids | {other for shared in _shared(tx, uids).values() for other in shared}
    concerned |= _with_finding_about(tx, uids)
    found = _shared(tx, concerned)
    tx.delete("findings", {"rule_id": [SHARED_RULE], "subject_id": sorted(concerned)})
    if found:
        rows = tx.sql(
            "SELECT series_instance_uid, patient_key, centre FROM series "
            "WHERE series_instance_uid IN (SELECT unnest($uids))",
            {"uids": sorted(found)},
        ).to_pylist()
        findings = [shared_finding(row, found[row["series_instance_uid"]]) for row in rows]
        tx.replace("findings", log.stamp(findings), scope=("finding_id",))


def _shared(tx: Transaction, uids: Iterable[str]) -> dict[str, dict[str, int]]:
    """Instances shared with other series: their number, by series and other series."""
    rows: list[Row] = tx.sql(
        _SHARED, {"uids": sorted(uids), "outcome": str(Outcome.INGESTED)}
    ).to_pylist()
    shared: dict[str, dict[str, int]] = defaultdict(dict)
    for row in rows:
        shared[str(row["series_instance_uid"])][str(row["other_uid"])] = int(str(row["n"]))
    return shared


def _with_finding_about(tx: Transaction, uids: set[str]) -> set[str]:
    """Series whose finding names one of some series: it may not be so any more."""
    rows = tx.sql(
        "SELECT subject_id, message FROM findings WHERE rule_id = $rule", {"rule": SHARED_RULE}
    ).to_pylist()
    return {r["subject_id"] for r in rows if any(uid in r["message"] for uid in uids)}
