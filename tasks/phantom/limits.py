"""Limits of EARL for recovery and calibration, and what a phantom's results are against them."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Final

from schemas.errors import InvalidInputError
from tasks.phantom.recovery import SphereRecovery

#: Status of a limit that was read in its source; all others are marked wherever they are used.
VERIFIED: Final = "verified"
_COLUMNS: Final = {
    "standard", "tracer", "metric", "sphere_mm", "rc_min", "rc_max", "status", "source",
}  # fmt: skip
_CALIBRATION: Final = ("EARL_CAL", "calibration_factor")

#: What a value is against its limit; ``no_limit`` where the standard's limit is not known.
PASSED, FAILED, NO_LIMIT, NOT_MEASURED = "pass", "fail", "no_limit", "not_measured"


@dataclass(frozen=True)
class Limit:
    """The band of one metric of one sphere.

    Parameters
    ----------
    standard, metric : str
        As in the file: ``EARL1``, ``SUVmax``.
    sphere_mm : float or None
        Inner diameter; None for limits of other phantoms.
    low, high : float or None
        The band; None where it is not known.
    status : str
        ``verified``: read in its source. ``recalled``: from memory, to be checked before use.
        ``missing``: exists, but is not known here.
    source : str
        Where it is from.
    tracer : str
        Nuclide, or nuclide and tracer, that it was made for: ``18F-FDG``.
    """

    standard: str
    metric: str
    sphere_mm: float | None
    low: float | None
    high: float | None
    status: str
    source: str
    tracer: str = "18F"

    @property
    def is_verified(self) -> bool:
        """True if the limit was read in its source."""
        return self.status == VERIFIED


@dataclass(frozen=True)
class Verdict:
    """One coefficient held against its limit."""

    sphere_mm: float
    metric: str
    value: float | None
    limit: Limit | None
    verdict: str

    @property
    def limit_status(self) -> str:
        """Status of the limit; ``missing`` without one."""
        return "missing" if self.limit is None else self.limit.status


def read_limits(path: Path | None = None) -> tuple[Limit, ...]:
    """Read the limits that come with tracerlake, or a site's own file of the same columns.

    Raises
    ------
    InvalidInputError
        Columns are missing or a number is none.
    """
    if path is None:
        return _shipped()
    return _parsed(path.read_text(encoding="utf-8"), path.name)


@cache
def _shipped() -> tuple[Limit, ...]:
    text = files("tasks.phantom").joinpath("earl_limits.csv").read_text(encoding="utf-8")
    return _parsed(text, "earl_limits.csv")


def _parsed(text: str, name: str) -> tuple[Limit, ...]:
    rows = list(csv.DictReader(text.splitlines()))
    missing = _COLUMNS - set(rows[0] if rows else {})
    if missing:
        raise InvalidInputError(f"{name}: columns missing: {', '.join(sorted(missing))}")
    try:
        return tuple(_limit(row) for row in rows)
    except ValueError as error:
        raise InvalidInputError(f"{name}: {error}") from error


def _limit(row: dict[str, str]) -> Limit:
    def number(column: str) -> float | None:
        return float(row[column]) if row[column].strip() else None

    low, high = number("rc_min"), number("rc_max")
    if (low is None) != (high is None) or (low is not None and high is not None and low >= high):
        raise ValueError(f"{row['standard']} {row['metric']}: rc_min and rc_max are no band")
    return Limit(
        row["standard"], row["metric"], number("sphere_mm"), low, high, row["status"],
        row["source"], row["tracer"],
    )  # fmt: skip


def _of(known: Iterable[Limit] | None) -> Iterable[Limit]:
    return read_limits() if known is None else known


def for_nuclide(known: Iterable[Limit], radionuclide: str | None) -> tuple[Limit, ...]:
    """Leave out limits for spheres that were made for another nuclide.

    Parameters
    ----------
    radionuclide : str or None
        Such as ``F-18``; None (not known) leaves nothing out.

    Examples
    --------
    >>> len(standards(for_nuclide(read_limits(), "F-18")))
    2
    >>> standards(for_nuclide(read_limits(), "Lu-177"))
    ()
    """
    return tuple(
        limit
        for limit in known
        if limit.sphere_mm is None or radionuclide is None
        or _nuclide(limit.tracer) == radionuclide
    )  # fmt: skip


def _nuclide(tracer: str) -> str:
    """Nuclide of a tracer as the lake writes it.

    Examples
    --------
    >>> _nuclide("177Lu-SPECT")
    'Lu-177'
    """
    found = re.match(r"(\d+)([A-Z][a-z]?)", tracer)
    return f"{found[2]}-{found[1]}" if found else tracer


def standards(known: Iterable[Limit] | None = None) -> tuple[str, ...]:
    """Names of the standards that have limits for spheres, in the order of the file."""
    named = [limit.standard for limit in _of(known) if limit.sphere_mm is not None]
    return tuple(dict.fromkeys(named))


def limits(standard: str, metric: str, known: Iterable[Limit] | None = None) -> dict[float, Limit]:
    """Bands of a metric by the diameter of the sphere; empty if the standard has none.

    Examples
    --------
    >>> band = limits("EARL1", "SUVmax")[10.0]
    >>> band.low, band.high, band.status
    (0.34, 0.57, 'verified')
    """
    return {
        limit.sphere_mm: limit
        for limit in _of(known)
        if limit.standard == standard and limit.metric == metric and limit.sphere_mm is not None
    }


def calibration_limit(known: Iterable[Limit] | None = None) -> Limit:
    """Band of measured over true concentration in a uniform cylinder."""
    for limit in _of(known):
        if (limit.standard, limit.metric) == _CALIBRATION:
            return limit
    raise InvalidInputError("the limits hold no calibration_factor of EARL_CAL")


def verdict_of(value: float | None, limit: Limit | None) -> str:
    """``pass`` or ``fail``; ``no_limit`` or ``not_measured`` where nothing can be said."""
    if value is None or math.isnan(value):
        return NOT_MEASURED
    if limit is None or limit.low is None or limit.high is None:
        return NO_LIMIT
    # the file gives two decimals: rounding to them would widen the band, so nothing is rounded
    return PASSED if limit.low <= value <= limit.high else FAILED


def judge(
    recovery: Iterable[SphereRecovery], standard: str, known: Iterable[Limit] | None = None
) -> tuple[Verdict, ...]:
    """Hold every coefficient against the band of a standard.

    Returns
    -------
    tuple of Verdict
        One per sphere and metric; metrics without any limit of this standard say ``no_limit``.
    """
    known = tuple(_of(known))
    verdicts = []
    for sphere in recovery:
        metrics = sphere.coefficients or {
            limit.metric: 0.0 for limit in known if limit.standard == standard
        }
        for metric in metrics:
            limit = limits(standard, metric, known).get(sphere.diameter_mm)
            value = sphere.coefficients.get(metric)
            verdicts.append(
                Verdict(sphere.diameter_mm, metric, value, limit, verdict_of(value, limit))
            )
    return tuple(verdicts)


def overall(verdicts: Iterable[Verdict]) -> str:
    """Verdict of a phantom: ``fail`` if any value is outside or a sphere with a limit is missing.

    ``pass`` needs at least one band; ``no_limit`` otherwise.
    """
    held = [v for v in verdicts if v.verdict in {PASSED, FAILED} or _lacks(v)]
    if not held:
        return NO_LIMIT
    return PASSED if all(v.verdict == PASSED for v in held) else FAILED


def _lacks(verdict: Verdict) -> bool:
    limit = verdict.limit
    return verdict.verdict == NOT_MEASURED and limit is not None and limit.low is not None
