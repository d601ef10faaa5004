"""What a physicist should look at although a series was taken in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from schemas.records import Row
from tasks.findings.row import finding_row

_SOURCE: Final = "tracerlake ingestion rules"


def series_finding(
    series: Row,
    rule_id: str,
    severity: str,
    message: str,
    *,
    observed_value: float | None = None,
    limit_text: str | None = None,
    source: str = _SOURCE,
) -> Row:
    """Make a finding about a series from its row; parameters as of `finding_row`."""
    return finding_row(
        rule_id=rule_id,
        severity=severity,
        subject_kind="series",
        subject_id=str(series["series_instance_uid"]),
        message=message,
        patient_key=series["patient_key"],
        centre=series["centre"],
        observed_value=observed_value,
        limit_text=limit_text,
        finding_source=source,
    )


def partial_series_findings(
    series: Row, rejected: Mapping[str, int], n_declared: int | None, n_used: int
) -> list[Row]:
    """Note that a volume was made without all objects of its series.

    Parameters
    ----------
    series : Row
        Its row.
    rejected : mapping
        Reason code to number of objects that were quarantined.
    n_declared : int or None
        Number of Slices (0054,0081).
    n_used : int
        Slices of the volume.
    """
    rows = []
    if rejected:
        text = ", ".join(f"{n} {code}" for code, n in sorted(rejected.items()))
        rows.append(
            series_finding(
                series, "ingest.partial_series", "warn",
                f"The volume was made without objects of its series: {text}.",
                observed_value=float(sum(rejected.values())), limit_text="0 objects",
            )
        )  # fmt: skip
    if n_declared and n_declared != n_used:
        rows.append(
            series_finding(
                series, "ingest.slice_count", "warn",
                f"The header announces {n_declared} slices, the volume has {n_used}.",
                observed_value=float(n_used), limit_text=f"{n_declared} slices",
                source="DICOM PS3.3 C.8.9.1, Number of Slices (0054,0081)",
            )
        )  # fmt: skip
    return rows
