"""Results of a phantom scan as rows of the lake, and what has to be said about them."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from schemas.records import Row
from tasks.findings.row import finding_row
from tasks.phantom.analysis import MOST_COV, PhantomResult
from tasks.phantom.limits import FAILED, NO_LIMIT, NOT_MEASURED, Verdict, verdict_of
from tasks.phantom.model import Cylinder, IqPhantom

#: Rules of this subject; their findings are renewed with the phantom scan.
RULES: Final = ("CAL-1", "COV-1", "RC-1", "PHANTOM-SPHERE", "PHANTOM-TRUTH", "PHANTOM-PSF")
NOT_FOUND: Final = "PHANTOM-NOT-FOUND"
_COV_SOURCE: Final = "EANM 2.0 and EARL; limit unverified: wording not re-read"


def phantom_scan_id(series_instance_uid: str) -> str:
    """Key of the phantom scan of a series."""
    return "PH-" + hashlib.sha256(series_instance_uid.encode()).hexdigest()[:16]


def scan_row(result: PhantomResult, value_unit: str) -> Row:
    """Columns of `phantom_scans` that come from the image."""
    found, psf, nema = result.found, result.psf, result.nema
    row: Row = {
        "phantom_kind": result.kind,
        "phantom_verdict": result.verdict,
        "declared_standard": result.declared,
        "standards_met": list(result.standards_met),
        "limit_status": result.limit_status,
        "truth_source": result.truth.source,
        "true_ratio": result.truth.ratio,
        "calibration_factor": result.calibration_factor,
        "value_unit": value_unit,
        "background_cov_percent": 100.0 * result.cov,
        "lung_residual_percent": nema.lung_residual_percent if nema else None,
    }
    if isinstance(found, Cylinder):
        row |= {
            "background_value": found.mean,
            "axial_deviation_percent": 100.0 * found.axial_deviation,
            "radial_deviation_percent": 100.0 * found.radial_deviation,
        }
    else:
        row |= {"background_value": found.background, "n_hot_spheres": len(found.hot)}
    if psf is not None:
        for axis, width, error in zip("zyx", psf.fwhm_mm, psf.error_mm, strict=True):
            row |= {f"psf_fwhm_{axis}_mm": width, f"psf_error_{axis}_mm": error}
        row["psf_contrast"] = psf.contrast
    return row


def recovery_rows(result: PhantomResult) -> list[Row]:
    """Rows of `phantom_recovery` without the key of the scan."""
    rows = [
        _recovery_row(verdict, standard)
        for standard, verdicts in (result.verdicts or {}).items()
        for verdict in verdicts
    ]
    if not result.verdicts:
        rows = list(_unjudged_rows(result))
    return [*rows, *_nema_rows(result)]


def _unjudged_rows(result: PhantomResult) -> Iterator[Row]:
    """Recovery where no standard has limits for the nuclide."""
    for sphere in result.recovery:
        for metric, value in sphere.coefficients.items():
            yield {
                "sphere_mm": sphere.diameter_mm,
                "recovery_metric": metric,
                "recovery_standard": "none",
                "value": value,
                "limit_status": "none",
                "recovery_verdict": NO_LIMIT,
            }


def _recovery_row(verdict: Verdict, standard: str) -> Row:
    limit = verdict.limit
    return {
        "sphere_mm": verdict.sphere_mm,
        "recovery_metric": verdict.metric,
        "recovery_standard": standard,
        "value": verdict.value,
        "limit_min": limit.low if limit else None,
        "limit_max": limit.high if limit else None,
        "limit_status": verdict.limit_status,
        "recovery_verdict": verdict.verdict,
    }


def _nema_rows(result: PhantomResult) -> Iterator[Row]:
    nema = result.nema
    if nema is None or not isinstance(result.found, IqPhantom):
        return
    for name, values in (
        ("NEMA_contrast", nema.contrast_percent),
        ("NEMA_background_variability", nema.background_variability_percent),
    ):
        for diameter, value in zip(result.found.diameters_mm, values, strict=True):
            is_known = not math.isnan(value)
            yield {
                "sphere_mm": diameter,
                "recovery_metric": name,
                "recovery_standard": "none",
                "value": value if is_known else None,
                "limit_status": "none",
                "recovery_verdict": NO_LIMIT if is_known else NOT_MEASURED,
            }


@dataclass(frozen=True)
class _Said:
    """What one finding says."""

    rule_id: str
    severity: str
    message: str
    observed_value: float | None = None
    limit_text: str | None = None
    finding_source: str = "EARL; tracerlake"


def finding_rows(result: PhantomResult, series_instance_uid: str, centre: object) -> list[Row]:
    """Rows of `findings` about a phantom scan; limits that are not verified are marked."""
    found = [*_calibration(result), *_noise(result), *_spheres(result), *_bands(result)]
    return [
        finding_row(
            rule_id=said.rule_id,
            severity=said.severity,
            subject_kind="series",
            subject_id=series_instance_uid,
            message=said.message,
            centre=centre,
            observed_value=said.observed_value,
            limit_text=said.limit_text,
            finding_source=said.finding_source,
        )
        for said in found
    ]


def _calibration(result: PhantomResult) -> Iterator[_Said]:
    limit, factor = result.calibration, result.calibration_factor
    if result.kind == "cylinder" and verdict_of(factor, limit) == FAILED:
        yield _Said(
            "CAL-1", "fail", "the cylinder is off in calibration", factor,
            f"{limit.low:g} to {limit.high:g}", _source(limit.source, limit.is_verified),
        )  # fmt: skip
    if result.truth_problem:
        yield _Said(
            "PHANTOM-TRUTH", "warn",
            f"what the phantom was filled with cannot be used: {result.truth_problem}",
        )  # fmt: skip
    elif result.kind == "iq" and result.truth.ratio is None and result.truth.sphere is None:
        yield _Said(
            "PHANTOM-TRUTH", "info",
            "recovery is not judged: give the ratio of the filling, or activities and volumes",
        )  # fmt: skip


def _noise(result: PhantomResult) -> Iterator[_Said]:
    if result.cov > MOST_COV:
        yield _Said(
            "COV-1", "fail", "the uniform region of the phantom is too noisy",
            100.0 * result.cov, f"at most {100 * MOST_COV:g} %", _COV_SOURCE,
        )  # fmt: skip


def _spheres(result: PhantomResult) -> Iterator[_Said]:
    if not isinstance(result.found, IqPhantom):
        return
    for diameter, state in zip(result.found.diameters_mm, result.found.states, strict=True):
        if state != "hot":
            yield _Said("PHANTOM-SPHERE", "warn", f"the sphere of {diameter:g} mm is {state}")
    for problem in (result.psf_problem, result.nema_problem):
        if problem:
            yield _Said("PHANTOM-PSF", "warn", problem)


def _bands(result: PhantomResult) -> Iterator[_Said]:
    """RC-1: each value outside the declared standard, or that no standard is met."""
    verdicts = result.verdicts or {}
    if result.recovery and not verdicts:
        yield _Said(
            "RC-1", "info", "recovery is not judged: no limits are known for the nuclide"
        )  # fmt: skip
    if result.declared is None:
        if verdicts and not result.standards_met:
            names = ", ".join(
                f"{name} ({sum(v.verdict == FAILED for v in held)} values outside"
                f"{'' if _verified(held) else '; limits unverified'})"
                for name, held in verdicts.items()
            )
            yield _Said("RC-1", "warn", f"the recovery meets none of the standards: {names}")
        return
    for v in verdicts.get(result.declared, ()):
        limit = v.limit
        if v.verdict == FAILED and limit is not None:
            yield _Said(
                "RC-1", "fail",
                f"{v.metric} of the sphere of {v.sphere_mm:g} mm is outside {result.declared}",
                v.value, f"{limit.low:g} to {limit.high:g}",
                _source(limit.source, limit.is_verified),
            )  # fmt: skip


def _verified(held: tuple[Verdict, ...]) -> bool:
    return all(v.limit.is_verified for v in held if v.limit is not None and v.limit.low is not None)


def _source(source: str, is_verified: bool) -> str:
    return source if is_verified else f"limit unverified ({source})"
