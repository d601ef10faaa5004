"""What a physicist should look at although a series was taken in."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Final

from schemas.records import Row

_SOURCE: Final = "tracerlake ingestion rules"


def finding_row(
    series: Row,
    rule_id: str,
    severity: str,
    message: str,
    *,
    observed_value: float | None = None,
    limit_text: str | None = None,
    source: str = _SOURCE,
) -> Row:
    """Row of the `findings` table about a series.

    Parameters
    ----------
    series : Row
        Its row of the `series` table.
    rule_id, severity, message : str
        Severity ``info``, ``warn`` or ``fail``; no patient values in the message.
    observed_value : float or None
        The value that led to the finding.
    limit_text : str or None
        What it was held against.
    source : str
        Where the limit comes from.
    """
    subject = str(series["series_instance_uid"])
    digest = hashlib.sha256(f"{rule_id}\n{subject}\n{message}".encode()).hexdigest()
    return {
        "finding_id": digest[:32],
        "rule_id": rule_id,
        "severity": severity,
        "subject_kind": "series",
        "subject_id": subject,
        "patient_key": series["patient_key"],
        "centre": series["centre"],
        "message": message,
        "observed_value": observed_value,
        "limit_text": limit_text,
        "finding_source": source,
    }


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
            finding_row(
                series, "ingest.partial_series", "warn",
                f"The volume was made without objects of its series: {text}.",
                observed_value=float(sum(rejected.values())), limit_text="0 objects",
            )
        )  # fmt: skip
    if n_declared and n_declared != n_used:
        rows.append(
            finding_row(
                series, "ingest.slice_count", "warn",
                f"The header announces {n_declared} slices, the volume has {n_used}.",
                observed_value=float(n_used), limit_text=f"{n_declared} slices",
                source="DICOM PS3.3 C.8.9.1, Number of Slices (0054,0081)",
            )
        )  # fmt: skip
    return rows
