"""From the units that the scanner stored to SUVbw."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from schemas.errors import RejectedObjectError
from tasks.quantify.body import (
    MASS_FORMULAS,
    body_mass_index,
    body_surface_m2,
    normalising_mass_kg,
)
from tasks.quantify.concentration import concentration_factors
from tasks.quantify.dose import height_cm, weight_kg
from tasks.quantify.facts import Facts
from tasks.quantify.trail import Trail

#: Refusals after which Philips' own SUV factor still stands: values that it already contains.
_FACTOR_KNOWS: Final = frozenset(
    {
        "suv_weight_missing", "suv_weight_implausible", "suv_dose_missing", "suv_dose_ambiguous",
        "suv_half_life_missing", "suv_injection_time_missing", "suv_injection_time_implausible",
        "suv_frame_duration_missing", "suv_decay_reference_missing",
        "suv_decay_reference_ambiguous",
    }
)  # fmt: skip

Factors = tuple[list[float], str]


def value_unit(units: str, suv_type: str) -> str:
    """Name the unit of the rescaled values by Units (0054,1001) and SUV Type (0054,1006).

    Examples
    --------
    >>> [value_unit(u, t) for u, t in (("BQML", ""), ("GML", ""), ("GML", "IBW"), ("", ""))]
    ['Bq/ml', 'SUVbw', 'g/ml', '1']
    """
    if units == "GML":
        return "SUVbw" if suv_type in {"", "BW"} else "g/ml"
    known = {"BQML": "Bq/ml", "CNTS": "CNTS", "CM2ML": "cm2/ml", "CPS": "cps", "": "1"}
    return known.get(units, units)


def unit_factors(facts: Facts, trail: Trail) -> Factors:
    """Factors that turn the rescaled values into SUVbw, one per slice, and the rule.

    Raises
    ------
    RejectedObjectError
        With the reason why SUV cannot be had.
    """
    branches: dict[str, Callable[[Facts, Trail], Factors]] = {
        "BQML": concentration_factors, "CNTS": _from_counts, "GML": _from_gml, "CM2ML": _from_cm2ml,
    }  # fmt: skip
    if not facts.units:
        raise RejectedObjectError("suv_units_missing", "Units (0054,1001) is absent")
    branch = branches.get(facts.units)
    if branch is None:
        raise RejectedObjectError(
            "suv_units_unsupported",
            f"Units (0054,1001): expected {', '.join(branches)}, got {facts.units}",
        )
    unit = value_unit(facts.units, facts.suv_type)
    trail.note(
        "U = stored value x Rescale Slope (0028,1053), slice by slice; "
        f"Units (0054,1001) = {facts.units}: U in {unit}"
    )
    factors, rule = branch(facts, trail)
    return factors, f"{facts.units}/{rule}"


def _from_counts(facts: Facts, trail: Trail) -> Factors:
    """Philips counts: by the activity factor, else by the SUV factor."""
    to_activity, to_suv = facts.philips_activity, facts.philips_suv
    if to_activity is None and to_suv is None:
        raise RejectedObjectError(
            "suv_counts_without_factor",
            "CNTS need a Philips factor (7053,xx09) or (7053,xx00) other than 0",
        )
    if to_activity is not None:
        trail.note(f"U x Activity Concentration Scale Factor (7053,xx09) = U x {to_activity:g}")
        try:
            factors, rule = _concentration_factors(facts, trail, to_activity)
        except RejectedObjectError as error:
            if to_suv is None or error.reason_code not in _FACTOR_KNOWS:
                raise
            trail.find("SUV-PHILIPS", "warn", f"no factor by formula: {error.detail}")
        else:
            low, high = min(factors), max(factors)
            of_counts = f"{low:.9g}" if low == high else f"{low:.9g} to {high:.9g}"
            trail.note(f"factor of counts = {to_activity:g} x factor = {of_counts}")
            return factors, f"activity_factor/{rule}"
    return _from_suv_factor(facts, trail, to_suv or 0.0)


def _concentration_factors(facts: Facts, trail: Trail, per_count: float) -> Factors:
    """Factors of counts by way of Bq/ml; those of the decay references as well."""
    try:
        factors, rule = concentration_factors(facts, trail)
    finally:
        trail.candidates = [
            c if c.factor is None else replace(c, factor=per_count * c.factor)
            for c in trail.candidates
        ]
    return [per_count * f for f in factors], rule


def _from_suv_factor(facts: Facts, trail: Trail, factor: float) -> Factors:
    trail.note(f"SUVbw = U x SUV Scale Factor (7053,xx00) = U x {factor:g}")
    _describe(facts, trail)
    if facts.decay_correction == "NONE":
        trail.find("SUV-PHILIPS", "warn", "one SUV factor for slices that are not decay corrected")
    return [factor] * len(facts.frames), "suv_factor"


def _describe(facts: Facts, trail: Trail) -> None:
    """Weight, dose and times for the record, where the factor itself needs none of them."""
    spare = Trail()
    try:
        concentration_factors(facts, spare)
    except RejectedObjectError as error:
        trail.note(f"not needed here, and not to be had by formula: {error.detail}")
    trail.half_life_s, trail.injected_activity_bq = spare.half_life_s, spare.injected_activity_bq
    trail.weight_kg, trail.uptake_time_s = spare.weight_kg, spare.uptake_time_s
    trail.injection, trail.spread_percent = spare.injection, spare.spread_percent


def _from_gml(facts: Facts, trail: Trail) -> Factors:
    """Values already normalised, by body weight or by another mass."""
    kind = facts.suv_type or "BW"
    count = len(facts.frames)
    _describe(facts, trail)
    if kind == "BW":
        trail.note("SUV Type (0054,1006) = BW or empty: SUVbw = U, factor = 1")
        return [1.0] * count, "BW"
    if kind not in MASS_FORMULAS:
        raise RejectedObjectError(
            "suv_units_unsupported",
            f"SUV Type (0054,1006) with GML: expected BW, {', '.join(MASS_FORMULAS)}, got {kind}",
        )
    weight, height = weight_kg(facts, trail), height_cm(facts, trail)
    mass = normalising_mass_kg(kind, weight, height, facts.sex)
    if kind in {"LBM", "LBMJAMES128"} and body_mass_index(weight, height) > 35:
        trail.find("SUV-LBM", "warn", f"BMI above 35: {kind} is not reliable")
    factor = weight / mass
    trail.note(f"SUV Type (0054,1006) = {kind}, Sex (0010,0040) = {facts.sex}: mass {mass:.6g} kg")
    trail.note(f"factor = W / mass = {factor:.9g}")
    return [factor] * count, kind


def _from_cm2ml(facts: Facts, trail: Trail) -> Factors:
    """Values normalised by body surface: SUVbsa = A x BSA[cm2] / D."""
    if facts.suv_type not in {"", "BSA"}:
        raise RejectedObjectError(
            "suv_units_unsupported",
            f"SUV Type (0054,1006) with CM2ML: expected BSA, got {facts.suv_type}",
        )
    _describe(facts, trail)
    weight, height = weight_kg(facts, trail), height_cm(facts, trail)
    surface = body_surface_m2(weight, height)
    factor = weight * 1000 / (surface * 1e4)
    trail.note(f"body surface (Du Bois) = {surface:.6g} m2 = {surface * 1e4:.6g} cm2")
    trail.note(f"factor = W[g] / surface[cm2] = {factor:.9g} g/cm2")
    return [factor] * len(facts.frames), "BSA"
