"""Injected activity, weight and size in their units, with the usual entry errors put right."""

from __future__ import annotations

from typing import Final

from schemas.errors import RejectedObjectError
from tasks.quantify.facts import Facts
from tasks.quantify.trail import Trail

#: Below: MBq. Between the two: kBq or uCi are as likely. From the second on: Bq.
_MBQ_BELOW: Final = 1e4
_BQ_FROM: Final = 1e6
_WEIGHT_RANGE_KG: Final = (1.0, 500.0)
_HEIGHT_RANGE_CM: Final = (30.0, 260.0)


def activity_bq(dose: float | None) -> tuple[float, bool]:
    """Injected activity in Bq, and whether it was given in MBq.

    Raises
    ------
    RejectedObjectError
        `suv_dose_missing`, `suv_dose_ambiguous`.

    Examples
    --------
    >>> activity_bq(368.08)
    (368080000.0, True)
    >>> activity_bq(3.6808e8)
    (368080000.0, False)
    """
    return dose_in_bq(dose, _MBQ_BELOW, "Bq (>= 1e6) or MBq (< 1e4)")


def dose_in_bq(dose: float | None, mbq_below: float, expected: str) -> tuple[float, bool]:
    """Tell Bq from MBq by the number; errors as `activity_bq`.

    Parameters
    ----------
    dose : float or None
        As it stands in the header.
    mbq_below : float
        MBq below; Bq from 1e6 on; refused between.
    expected : str
        These limits in words.

    Returns
    -------
    float, bool
        Activity in Bq, and whether it was given in MBq.
    """
    if dose is None or dose <= 0:
        raise RejectedObjectError(
            "suv_dose_missing",
            "Radionuclide Total Dose (0018,1074): expected > 0 and it is absent or not positive",
        )
    if dose >= _BQ_FROM:
        return dose, False
    if dose < mbq_below:
        return dose * 1e6, True
    raise RejectedObjectError(
        "suv_dose_ambiguous", f"Radionuclide Total Dose (0018,1074): expected {expected}"
    )


def require_one_administration(facts: Facts) -> None:
    """Refuse series with several radiopharmaceuticals: `suv_several_radiopharmaceuticals`."""
    if facts.n_administrations > 1:
        raise RejectedObjectError(
            "suv_several_radiopharmaceuticals",
            f"expected 1 item in (0054,0016), got {facts.n_administrations}",
        )


def injected_activity(facts: Facts, trail: Trail) -> float:
    """Injected activity D0 in Bq; notes a correction of its unit."""
    require_one_administration(facts)
    activity, was_mbq = activity_bq(facts.dose)
    if was_mbq:
        trail.find("SUV-DOSE", "warn", f"(0018,1074) = {facts.dose:g} taken as MBq, not Bq")
    trail.note(f"D0 = Radionuclide Total Dose (0018,1074) = {activity:.9g} Bq")
    trail.injected_activity_bq = activity
    return activity


def mass_kg(weight: float | None) -> tuple[float, bool]:
    """Weight in kg, and whether it was given in grams.

    Raises
    ------
    RejectedObjectError
        `suv_weight_missing`, `suv_weight_implausible`.

    Examples
    --------
    >>> mass_kg(70000)
    (70.0, True)
    """
    if weight is None or weight <= 0:
        raise RejectedObjectError(
            "suv_weight_missing",
            "Patient's Weight (0010,1030): expected > 0 kg and it is absent or not positive",
        )
    in_grams = weight > 1000
    kilograms = weight / 1000 if in_grams else weight
    low, high = _WEIGHT_RANGE_KG
    if not low <= kilograms <= high:
        raise RejectedObjectError(
            "suv_weight_implausible", f"Patient's Weight (0010,1030): expected {low:g}-{high:g} kg"
        )
    return kilograms, in_grams


def weight_kg(facts: Facts, trail: Trail) -> float:
    """Patient weight W in kg; notes a correction of its unit."""
    weight, in_grams = mass_kg(facts.weight)
    if in_grams:
        trail.find("SUV-WEIGHT", "warn", "Patient's Weight (0010,1030) taken as g, not kg")
    trail.note(f"W = Patient's Weight (0010,1030) = {weight:g} kg = {weight * 1000:g} g")
    trail.weight_kg = weight
    return weight


def body_height_cm(size: float | None) -> tuple[float, bool]:
    """Height in cm, and whether it was given in cm instead of m.

    Raises
    ------
    RejectedObjectError
        `suv_size_missing`, `suv_size_implausible`.

    Examples
    --------
    >>> body_height_cm(1.75), body_height_cm(175)
    ((175.0, False), (175.0, True))
    """
    if size is None or size <= 0:
        raise RejectedObjectError(
            "suv_size_missing",
            "Patient's Size (0010,1020): expected > 0 m and it is absent or not positive",
        )
    in_cm = size >= 3
    height = float(size) if in_cm else size * 100
    low, high = _HEIGHT_RANGE_CM
    if not low <= height <= high:
        raise RejectedObjectError(
            "suv_size_implausible", f"Patient's Size (0010,1020): expected {low:g}-{high:g} cm"
        )
    return height, in_cm


def height_cm(facts: Facts, trail: Trail) -> float:
    """Patient height H in cm; notes a correction of its unit."""
    height, in_cm = body_height_cm(facts.size)
    if in_cm:
        trail.find("SUV-SIZE", "warn", "Patient's Size (0010,1020) taken as cm, not m")
    trail.note(f"H = Patient's Size (0010,1020) = {height:g} cm")
    return height
