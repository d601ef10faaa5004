"""Matches of images to target resolutions as rows and findings, and volumes that may not be."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import lake
from flows.runs import RunLog, author
from flows.standard_jobs import Planned
from schemas.records import Row
from tasks.findings.row import finding_row
from tasks.standardise.matching import Match, Widths

#: Rules of this module: an image that cannot have the target resolution; an estimate was used.
TOO_COARSE, UNKNOWN, OUTSIDE, ESTIMATED = "STD-2", "STD-3", "STD-4", "STD-5"
#: Nobody measured the calibration that a profile asks for.
UNCALIBRATED: Final = "STD-6"
#: The ROI that a scale of intensity refers to was not drawn.
NO_REFERENCE: Final = "STD-7"
_RULES: Final = (TOO_COARSE, UNKNOWN, OUTSIDE, ESTIMATED, UNCALIBRATED, NO_REFERENCE)
_RULE_OF: Final = {"too_coarse": TOO_COARSE, "unknown": UNKNOWN, "outside": OUTSIDE}


def match_rows(plans: Iterable[Planned]) -> tuple[list[Row], list[Row]]:
    """Rows of `resolution_matches` and of `findings`."""
    rows, findings = [], []
    for plan in plans:
        if plan.lacks_calibration:
            findings.append(_uncalibrated(plan))
        if plan.lacks_reference:
            findings.append(_without_reference(plan))
        if plan.match is None:
            continue
        rows.append(_row(plan, plan.match))
        findings += _findings(plan, plan.match)
    return rows, findings


def refused_volumes(lk: lake.Lake, plans: Iterable[Planned]) -> list[str]:
    """List standard volumes that were made once and may not be any more."""
    refused = {
        (p.image.series_instance_uid, p.image.part.index, p.profile.profile_id)
        for p in plans
        if p.job is None
    }
    made = lk.sql(
        "SELECT volume_id, series_instance_uid, coalesce(part_index, 1), profile_id FROM volumes "
        "WHERE zone = 'standard' ORDER BY volume_id"
    ).fetchall()
    return [volume_id for volume_id, *of in made if tuple(of) in refused]


def publish_matches(lk: lake.Lake, log: RunLog, rows: list[Row], findings: list[Row]) -> None:
    """Commit matches and findings; what no longer holds goes."""
    known = lk.sql(
        "SELECT finding_id FROM findings WHERE list_contains($rules, rule_id)",
        {"rules": list(_RULES)},
    ).fetchall()
    profiles = sorted({str(row["profile_id"]) for row in rows})
    keys = {(r["series_instance_uid"], r["part_index"], r["profile_id"]) for r in rows}
    old = lk.sql("SELECT series_instance_uid, part_index, profile_id FROM resolution_matches")
    stale = [k for k in old.fetchall() if k not in keys and k[2] in profiles]
    gone = sorted({key for (key,) in known} - {str(f["finding_id"]) for f in findings})
    new = {str(f["finding_id"]) for f in findings} - {str(key) for (key,) in known}
    if not rows and not gone and not new:
        return

    def write(tx: lake.Transaction) -> None:
        for uid, part, profile in stale:
            of = {"series_instance_uid": [uid], "part_index": [part], "profile_id": [profile]}
            tx.delete("resolution_matches", of)
        tx.delete("findings", {"finding_id": gone})
        scope = ("series_instance_uid", "part_index", "profile_id")
        tx.replace("resolution_matches", log.stamp(rows), scope=scope)
        tx.replace("findings", log.stamp(findings), scope=("finding_id",))

    lk.commit(write, message=log.message(f"{len(rows)} matches"), author=author())


def _row(plan: Planned, match: Match) -> Row:
    known = match.resolution
    return {
        "series_instance_uid": plan.image.series_instance_uid,
        "part_index": plan.image.part.index,
        "profile_id": plan.profile.profile_id,
        "scanner_key": plan.image.scanner_key,
        "reconstruction_key": plan.image.reconstruction_key,
        "match_status": match.status,
        "match_target": match.target,
        "match_detail": match.detail or None,
        "resolution_source": None if known is None else known.source,
        **_widths("own", match.own_fwhm_mm),
        **_widths("target", match.target_fwhm_mm),
        **_widths("filter", match.filter_fwhm_mm),
        "filter_low_mm": match.low_mm,
        "filter_high_mm": match.high_mm,
        "limit_status": match.limit_status,
        "phantom_series_uid": None if known is None else known.phantom_series_uid,
    }


def _widths(what: str, widths: Widths | None) -> Row:
    values = (None, None, None) if widths is None else widths
    return {f"{what}_fwhm_{axis}_mm": v for axis, v in zip("zyx", values, strict=True)}


def _findings(plan: Planned, match: Match) -> list[Row]:
    found = []
    profile = plan.profile.profile_id
    if not match.is_matched:
        made = "no volume was made" if plan.job is None else "the volume was made without matching"
        message = f"cannot be brought to {match.target} ({profile}): {match.detail}; {made}"
        found.append(_finding(plan, _RULE_OF[match.status], "warn", message))
    if match.resolution is not None and match.resolution.source == "estimated":
        message = (
            f"its resolution for {match.target} ({profile}) is estimated from patient images, not "
            "measured in a phantom"
        )
        found.append(_finding(plan, ESTIMATED, "info", message))
    return found


def _uncalibrated(plan: Planned) -> Row:
    made = "no volume was made" if plan.job is None else "the volume was made without it"
    message = (
        f"{plan.profile.profile_id} asks for the scanner's calibration, which no phantom shows; "
        f"{made}"
    )
    return _finding(plan, UNCALIBRATED, "warn", message)


def _without_reference(plan: Planned) -> Row:
    message = (
        f"{plan.profile.profile_id} refers to the ROI {plan.profile.reference_roi!r}, which nobody "
        "drew on this series; no volume was made"
    )
    return _finding(plan, NO_REFERENCE, "warn", message)


def _finding(plan: Planned, rule: str, severity: str, message: str) -> Row:
    image = plan.image
    return finding_row(
        rule_id=rule,
        severity=severity,
        subject_kind="series",
        subject_id=image.series_instance_uid,
        message=message,
        patient_key=image.patient_key,
        centre=image.centre,
    )
