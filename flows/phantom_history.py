"""History of phantom scans: which is the current one, how long it counts, what has run out."""

from __future__ import annotations

import calendar
from collections import defaultdict
from datetime import date
from typing import Final

from schemas.records import Row
from tasks.findings.row import finding_row

#: Months for which a scan counts (CAL-2): calibration quarterly, image quality yearly.
_VALID_MONTHS: Final = {"cylinder": 3, "iq": 12}
_WHAT: Final = {"cylinder": "calibration check", "iq": "image quality check"}
EXPIRED: Final = "CAL-2"
_SOURCE: Final = "EARL: calibration QC quarterly, image quality yearly"


def last_valid_day(measured_on: date, kind: str) -> date:
    """Return the last day on which a scan counts.

    Examples
    --------
    >>> last_valid_day(date(2025, 11, 30), "cylinder")
    datetime.date(2026, 2, 28)
    """
    months = measured_on.month - 1 + _VALID_MONTHS[kind]
    year, month = measured_on.year + months // 12, months % 12 + 1
    return date(year, month, min(measured_on.day, calendar.monthrange(year, month)[1]))


def with_history(rows: list[Row]) -> list[Row]:
    """Return the rows with the end of their validity, and which of them are superseded.

    The latest scan of a scanner, reconstruction and kind is current. Scans whose day or scanner is
    not known neither supersede nor are superseded.
    """
    latest: dict[tuple[object, ...], date] = {}
    for row in rows:
        day, group = row["measured_on"], _group(row)
        if isinstance(day, date) and group is not None:
            latest[group] = max(day, latest.get(group, day))
    completed = []
    for row in rows:
        day, group = row["measured_on"], _group(row)
        until = last_valid_day(day, str(row["phantom_kind"])) if isinstance(day, date) else None
        superseded = group is not None and isinstance(day, date) and day < latest[group]
        completed.append({**row, "valid_until_day": until, "is_superseded": superseded})
    return completed


def _group(row: Row) -> tuple[object, ...] | None:
    if row["scanner_key"] is None:
        return None
    return row["scanner_key"], row["reconstruction_key"], row["phantom_kind"]


def expired_findings(rows: list[Row], today: date) -> list[Row]:
    """CAL-2: per scanner and kind, that the last scan no longer counts.

    A calibration belongs to the scanner, so its reconstruction does not matter; an image quality
    check belongs to the reconstruction, too.
    """
    last: dict[tuple[object, ...], date] = defaultdict(lambda: date.min)
    centres: dict[tuple[object, ...], object] = {}
    for row in rows:
        until, kind = row["valid_until_day"], str(row["phantom_kind"])
        if row["scanner_key"] is None or not isinstance(until, date):
            continue
        of = (row["scanner_key"], kind, row["reconstruction_key"] if kind == "iq" else None)
        last[of] = max(last[of], until)
        centres[of] = row["centre"]
    return [
        finding_row(
            rule_id=EXPIRED,
            severity="warn",
            subject_kind="scanner",
            subject_id=str(scanner),
            message=f"the last {_WHAT[str(kind)]}{f' of {recon}' if recon else ''} has run out",
            centre=centres[scanner, kind, recon],
            limit_text=f"valid until {until.isoformat()}",
            finding_source=_SOURCE,
        )
        for (scanner, kind, recon), until in sorted(last.items(), key=str)
        if until < today
    ]
