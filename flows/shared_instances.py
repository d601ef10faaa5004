"""Findings on series that use the same SOP Instance UIDs as others.

A SOP Instance UID is unique, wherever the object lies. Tools that copy images into a new series
(some anonymisers, some exports of research archives) keep it nevertheless. Each series is used as
it came, since nothing says which one is meant, and a finding on each names the others.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Final

from flows.runs import RunLog, author
from lake import Lake, Transaction
from schemas.reasons import Outcome
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


#: Series of runs that died: nobody looked for what they share.
_LEFT: Final = """
SELECT series_instance_uid FROM series JOIN runs USING (run_id)
WHERE run_id <> $run AND run_state <> 'completed'
"""


def note_shared_instances(lk: Lake, log: RunLog, series_uids: Iterable[str]) -> None:
    """Make the findings of series, and of those they share instances with, say how it is now.

    Once for a run, since it looks at all objects that there are.

    Parameters
    ----------
    series_uids : iterable of str
        Series that the run converted, pseudonymised.
    """
    left = lk.sql(_LEFT, {"run": log.run_id}).fetchall()
    uids = {*series_uids, *(str(uid) for (uid,) in left)}
    if not uids:
        return
    shared = _shared(lk, uids)
    named = _with_finding_about(lk, uids)
    concerned = uids | named | {other for others in shared.values() for other in others}
    if not shared and not named:
        return
    found = _shared(lk, concerned)
    series = lk.sql(
        "SELECT series_instance_uid, patient_key, centre FROM series "
        "WHERE series_instance_uid IN (SELECT unnest($uids))",
        {"uids": sorted(found)},
    ).to_arrow_table().to_pylist()  # fmt: skip
    findings = [shared_finding(row, found[row["series_instance_uid"]]) for row in series]

    def write(tx: Transaction) -> None:
        tx.delete("findings", {"rule_id": [SHARED_RULE], "subject_id": sorted(concerned)})
        if findings:
            stamped = [{**row, "first_run_id": log.run_id} for row in log.stamp(findings)]
            tx.replace("findings", stamped, scope=("finding_id",))

    what = f"{len(findings)} series share instances with others"
    lk.commit(write, message=log.message(what), author=author())


def _shared(lk: Lake, uids: Iterable[str]) -> dict[str, dict[str, int]]:
    """Instances shared with other series: their number, by series and other series."""
    rows = lk.sql(_SHARED, {"uids": sorted(uids), "outcome": str(Outcome.INGESTED)}).fetchall()
    shared: dict[str, dict[str, int]] = defaultdict(dict)
    for uid, other, n in rows:
        shared[str(uid)][str(other)] = int(n)
    return dict(shared)


def _with_finding_about(lk: Lake, uids: set[str]) -> set[str]:
    """Series whose finding is on, or names, one of some series: it may not be so any more."""
    rows = lk.sql(
        "SELECT subject_id, message FROM findings WHERE rule_id = $rule", {"rule": SHARED_RULE}
    ).fetchall()
    return {
        str(subject)
        for subject, message in rows
        if subject in uids or any(uid in message for uid in uids)
    }
