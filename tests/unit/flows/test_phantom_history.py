"""Which scan is current, how long it counts, and when it has run out."""

from __future__ import annotations

from datetime import date

import pytest

from flows.phantom_history import expired_findings, last_valid_day, with_history
from schemas.records import Row


def scan(day: date | None, *, kind: str = "cylinder", scanner: str | None = "SC-1",
         recon: str = "OSEM") -> Row:  # fmt: skip
    return {
        "phantom_scan_id": f"PH-{kind}-{day}", "scanner_key": scanner,
        "reconstruction_key": recon, "phantom_kind": kind, "measured_on": day, "centre": "A",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("day", "kind", "until"),
    [
        (date(2025, 1, 15), "cylinder", date(2025, 4, 15)),
        (date(2025, 11, 30), "cylinder", date(2026, 2, 28)),
        (date(2024, 2, 29), "iq", date(2025, 2, 28)),
        (date(2025, 12, 1), "iq", date(2026, 12, 1)),
    ],
)
def test_calibration_counts_three_months_and_image_quality_a_year(
    day: date, kind: str, until: date
) -> None:
    assert last_valid_day(day, kind) == until


def test_the_later_scan_supersedes_the_earlier_one_of_its_kind_and_reconstruction() -> None:
    rows = with_history(
        [
            scan(date(2025, 1, 1)),
            scan(date(2025, 4, 1)),
            scan(date(2025, 1, 2), recon="PSF"),
            scan(date(2025, 1, 3), kind="iq"),
            scan(None),
            scan(date(2024, 1, 1), scanner=None),
        ]
    )
    assert [row["is_superseded"] for row in rows] == [True, False, False, False, False, False]
    assert rows[4]["valid_until_day"] is None


def test_what_has_run_out_is_said_once_per_scanner_and_kind() -> None:
    rows = with_history(
        [
            scan(date(2025, 1, 1)),
            scan(date(2025, 4, 1), recon="PSF"),
            scan(date(2024, 3, 1), kind="iq"),
            scan(date(2025, 3, 1), kind="iq", recon="PSF"),
        ]
    )
    found = expired_findings(rows, date(2025, 6, 1))
    # the calibration of April counts for the scanner; only the image quality of OSEM is too old
    assert [(f["rule_id"], f["subject_id"], f["limit_text"]) for f in found] == [
        ("CAL-2", "SC-1", "valid until 2025-03-01")
    ]
    assert "OSEM" in str(found[0]["message"])
    assert len(expired_findings(rows, date(2026, 6, 1))) == 3
