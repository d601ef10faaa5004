"""Findings as a person asks for them: of a centre, from a severity on, new since the last check."""

from __future__ import annotations

from datetime import datetime
from typing import Final

import pyarrow as pa

from lake import Lake
from schemas.errors import InvalidInputError
from tasks.findings.row import SEVERITIES

_CHECKS: Final = (
    "SELECT started_at FROM runs WHERE flow_name = 'check_protocol' AND run_state = 'completed' "
    "ORDER BY started_at DESC LIMIT 2"
)

#: A finding is as old as the run that found it first.
FINDINGS: Final = """
SELECT f.severity, f.centre, f.rule_id AS rule, f.message, f.limit_text AS "limit", f.patient_key,
       f.subject_kind, f.subject_id, f.protocol_id AS protocol, r.started_at AS first_seen
FROM findings f LEFT JOIN runs r ON r.run_id = coalesce(f.first_run_id, f.run_id)
WHERE ($since::TIMESTAMP IS NULL OR r.started_at > $since)
  AND ($centre::VARCHAR IS NULL OR f.centre = $centre)
  AND list_contains($severities, f.severity)
  AND (NOT $only_protocol OR f.protocol_digest IS NOT NULL)
ORDER BY list_position(['fail', 'warn', 'info'], f.severity), f.centre, f.rule_id, f.finding_id
"""


def last_check(lk: Lake) -> datetime | None:
    """Start of the check before the latest one: what is younger is new. None: all of it is.

    A night ends with a check (`flows.check_protocol`), so findings of its earlier stages are new
    too, and those of an ingestion by hand since then.
    """
    found = [row[0] for row in lk.sql(_CHECKS).fetchall()]
    return found[1] if len(found) == 2 else None


def findings(
    lk: Lake,
    *,
    is_new: bool = False,
    centre: str | None = None,
    severity: str = "info",
    only_protocol: bool = False,
) -> pa.Table:
    """Ask for findings, the worst first.

    Parameters
    ----------
    is_new : bool
        Only those found since the check before the latest one.
    centre : str or None
        Only of this centre.
    severity : str
        From this severity on.
    only_protocol : bool
        Only those of protocol rules.

    Raises
    ------
    InvalidInputError
        Unknown severity.
    """
    if severity not in SEVERITIES:
        raise InvalidInputError(f"severity: expected {', '.join(SEVERITIES)}, got {severity!r}")
    wanted = list(SEVERITIES[SEVERITIES.index(severity) :])
    values = {
        "since": last_check(lk) if is_new else None, "centre": centre, "severities": wanted,
        "only_protocol": only_protocol,
    }  # fmt: skip
    table: pa.Table = lk.sql(FINDINGS, values).to_arrow_table()
    return table
