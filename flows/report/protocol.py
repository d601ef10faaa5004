"""The part of the report that warns: what broke the protocol, where, and how values drift."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import numpy as np
import pyarrow as pa

from flows.new_findings import findings, last_check
from flows.protocols import protocols_of
from lake import Lake
from tasks.pictures.protocol_trend import Bounds, TrendPanel, trend_png
from tasks.protocol.evaluate import Protocols
from tasks.protocol.model import Rule
from tasks.protocol.quantities import QUANTITIES

_MAX_LISTED: Final = 60
#: Studies of a centre in a picture; the latest ones.
_MAX_POINTS: Final = 120

_COVERAGE: Final = """
SELECT centre, rule_id AS rule, n_studies AS studies, n_studies - n_not_checkable AS checked,
       n_warn AS warn, n_fail AS fail,
       CASE WHEN n_studies > n_not_checkable
            THEN round(100.0 * (n_warn + n_fail) / (n_studies - n_not_checkable))::INT || ' %' END
         AS share_of_checked
FROM protocol_coverage WHERE n_warn + n_fail > 0
ORDER BY n_fail DESC, n_warn DESC, centre, rule_id LIMIT 80
"""

_UNCHECKED: Final = """
SELECT rule_id AS rule, sum(n_studies)::BIGINT AS studies,
       sum(n_not_checkable)::BIGINT AS not_checkable,
       string_agg(DISTINCT centre, ', ' ORDER BY centre) AS centres,
       list(DISTINCT reason ORDER BY reason) AS because
FROM (SELECT *, unnest(list_transform(not_checkable_because,
                lambda r: regexp_replace(r, ': \\d+$', ''))) AS reason
      FROM (SELECT * FROM protocol_coverage WHERE n_not_checkable > 0))
GROUP BY rule_id ORDER BY rule_id
"""

# Dates of studies are shifted patient by patient, so that they tell nothing about what came before
# what; the night in which a study came into the lake does. A study is one point, its worst.
_POINTS: Final = """
WITH arrivals AS (
    SELECT f.series_instance_uid, min(r.started_at) AS arrived
    FROM files f JOIN runs r ON r.run_id = coalesce(f.first_run_id, f.run_id)
    WHERE f.outcome = 'ingested' GROUP BY f.series_instance_uid
)
SELECT rule_id, coalesce(centre, 'unknown') AS centre, observed_value, check_outcome, arrived
FROM protocol_checks LEFT JOIN arrivals USING (series_instance_uid)
WHERE observed_value IS NOT NULL AND list_contains($rules, rule_id)
QUALIFY row_number() OVER (
    PARTITION BY rule_id, coalesce(study_instance_uid, series_instance_uid)
    ORDER BY list_position(['fail', 'warn', 'info', 'passed'], check_outcome),
             series_instance_uid) = 1
ORDER BY rule_id, centre, arrived NULLS FIRST, study_instance_uid, series_instance_uid
"""


@dataclass(frozen=True)
class ProtocolPart:
    """What the report shows of the protocol.

    Parameters
    ----------
    protocols : list of str
        Which centre is held to which, in words.
    rules_off : list of str
        Rules that are switched off, with the reason.
    since : datetime or None
        What is younger is new; None: this is the first check.
    new : list of dict
        New violations by centre and rule.
    violated, unchecked : pyarrow.Table
        Rules that were broken; rules that could not be checked, and why.
    pictures : list of bytes
        PNG.
    """

    protocols: list[str]
    rules_off: list[str]
    since: datetime | None
    new: list[dict[str, Any]]
    n_new: int
    violated: pa.Table
    unchecked: pa.Table
    pictures: list[bytes]


def protocol_part(lk: Lake) -> ProtocolPart | None:
    """Ask the lake about its protocol; None if nothing was held against one yet."""
    row = lk.sql("SELECT count(*) FROM protocol_checks").fetchone()
    if row is None or row[0] == 0:
        return None
    protocols = protocols_of(lk)
    since = last_check(lk)
    new = _new_by_centre(lk)
    return ProtocolPart(
        protocols=_named(lk, protocols),
        rules_off=_rules_off(protocols),
        since=since,
        new=new[:_MAX_LISTED],
        n_new=sum(int(r["studies"]) for r in new),
        violated=lk.sql(_COVERAGE).to_arrow_table(),
        unchecked=lk.sql(_UNCHECKED).to_arrow_table(),
        pictures=_pictures(lk, protocols, since),
    )


def _new_by_centre(lk: Lake) -> list[dict[str, Any]]:
    new = findings(lk, is_new=True, severity="warn", only_protocol=True)
    grouped: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for row in new.to_pylist():
        grouped[row["centre"] or "unknown", row["severity"], row["rule"]].append(row["message"])
    rows = [
        {"centre": c, "severity": s, "rule": r, "studies": len(m), "example": min(m)}
        for (c, s, r), m in grouped.items()
    ]
    return sorted(rows, key=lambda r: (r["centre"], r["severity"] != "fail", r["rule"]))


def _named(lk: Lake, protocols: Protocols) -> list[str]:
    """Say who is held to what; a centre without studies may be a misspelt one."""
    known = {centre for (centre,) in lk.sql("SELECT DISTINCT centre FROM series").fetchall()}
    others = [
        f"{centre}{'' if centre in known else ' (no studies)'}: {p.protocol_id}"
        for centre, p in sorted(protocols.centres.items())
    ]
    first = protocols.default.protocol_id
    return [f"all other centres: {first}" if others else f"all centres: {first}", *others]


def _rules_off(protocols: Protocols) -> list[str]:
    return [
        f"{rule_id} ({protocol.protocol_id}): {rule.reason}"
        for protocol in protocols.all()
        for rule_id, rule in protocol.rules.items()
        if not rule.enabled
    ]


def _pictures(lk: Lake, protocols: Protocols, since: datetime | None) -> list[bytes]:
    """Draw every rule that asks for it and has values."""
    drawn = {
        rule_id: rule
        for protocol in protocols.all()
        for rule_id, rule in protocol.active().items()
        if rule.trend and QUANTITIES[rule.quantity].kind == "number"
    }
    points: dict[str, dict[str, list[dict[str, Any]]]] = defaultdict(lambda: defaultdict(list))
    for row in lk.sql(_POINTS, {"rules": list(drawn)}).to_arrow_table().to_pylist():
        points[row["rule_id"]][row["centre"]].append(row)
    return [
        trend_png(
            [_panel(c, rows, protocols, rule_id, since) for c, rows in points[rule_id].items()],
            f"{rule_id}: {rule.title}",
            QUANTITIES[rule.quantity].unit,
        )
        for rule_id, rule in drawn.items()
        if points[rule_id]
    ]


def _panel(
    centre: str,
    rows: Sequence[dict[str, Any]],
    protocols: Protocols,
    rule_id: str,
    since: datetime | None,
) -> TrendPanel:
    latest = rows[-_MAX_POINTS:]
    nights: list[tuple[int, str]] = []
    for place, row in enumerate(latest):
        day = f"{row['arrived']:%d %b %y}" if row["arrived"] else ""
        if day and (not nights or nights[-1][1] != day):
            nights.append((place, day))
    rule = protocols.of(centre).rules.get(rule_id)
    return TrendPanel(
        centre,
        np.asarray([row["observed_value"] for row in latest], dtype=np.float64),
        [row["check_outcome"] for row in latest],
        [since is not None and row["arrived"] is not None and row["arrived"] > since
         for row in latest],
        nights,
        _bounds(rule, "warn"),
        _bounds(rule, "fail"),
    )  # fmt: skip


def _bounds(rule: Rule | None, severity: str) -> Bounds:
    limit = None if rule is None else getattr(rule, severity)
    return (None, None) if limit is None else (limit.min, limit.max)
