"""One finding as a row of the `findings` table."""

from __future__ import annotations

import hashlib

from schemas.records import Row

SEVERITIES = ("info", "warn", "fail")


def finding_row(
    *,
    rule_id: str,
    severity: str,
    subject_kind: str,
    subject_id: str,
    message: str,
    patient_key: object = None,
    centre: object = None,
    observed_value: float | None = None,
    limit_text: str | None = None,
    finding_source: str = "tracerlake",
) -> Row:
    """Make a finding with a key that is the same whenever the same thing is found.

    Parameters
    ----------
    rule_id, severity, message
        Which rule, how bad (``info``, ``warn``, ``fail``), and the sentence.
    subject_kind, subject_id : str
        What it is about: series, volume, roi, patient or model, and its key.
    observed_value, limit_text
        The value in the rule's unit and the limit that it was held against.
    finding_source : str
        Guideline or standard behind the limit.

    Raises
    ------
    ValueError
        Unknown severity.
    """
    if severity not in SEVERITIES:
        raise ValueError(f"severity: expected one of {SEVERITIES}, got {severity!r}")
    text = f"{rule_id}|{subject_kind}|{subject_id}|{message}"
    return {
        "finding_id": "F-" + hashlib.sha256(text.encode()).hexdigest()[:20],
        "rule_id": rule_id,
        "severity": severity,
        "subject_kind": subject_kind,
        "subject_id": subject_id,
        "patient_key": patient_key,
        "centre": centre,
        "message": message,
        "observed_value": observed_value,
        "limit_text": limit_text,
        "finding_source": finding_source,
    }


def series_finding(
    series: Row,
    rule_id: str,
    severity: str,
    message: str,
    *,
    observed_value: float | None = None,
    limit_text: str | None = None,
    source: str = "tracerlake ingestion rules",
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
