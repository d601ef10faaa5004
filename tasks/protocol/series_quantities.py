"""Quantities of one series, known at its ingestion."""

from __future__ import annotations

import math
from typing import Final

from tasks.protocol.quantity import (
    NO_ACTIVITY,
    NO_UPTAKE,
    NO_WEIGHT,
    Facts,
    Missing,
    NotApplicable,
    Quantity,
    number,
    positive,
)
from tasks.quantify.halflife import nuclide_by_name


def _uptake_min(facts: Facts) -> float:
    return round(number(facts, "uptake_time_s", NO_UPTAKE) / 60, 3)


def _uptake_s(facts: Facts) -> float:
    return number(facts, "uptake_time_s", NO_UPTAKE)


def _activity_per_weight(facts: Facts) -> float:
    activity = number(facts, "injected_activity_bq", NO_ACTIVITY)
    return activity / 1e6 / positive(facts, "patient_weight_kg", NO_WEIGHT)


def _activity_mbq(facts: Facts) -> float:
    return number(facts, "injected_activity_bq", NO_ACTIVITY) / 1e6


def _weight(facts: Facts) -> float:
    return number(facts, "patient_weight_kg", NO_WEIGHT)


def _half_life_deviation(facts: Facts) -> float:
    value = positive(facts, "half_life_s", "no half-life in the header")
    nuclide = nuclide_by_name(str(facts.get("radionuclide") or ""))
    if nuclide is None:
        raise Missing("the radionuclide is not known")
    if value < nuclide.shortest_s:
        return 100.0 * (nuclide.shortest_s - value) / nuclide.shortest_s
    return 100.0 * max(0.0, value - nuclide.longest_s) / nuclide.longest_s


def _reference_spread_percent(facts: Facts) -> float:
    return number(facts, "decay_reference_spread_percent", "fewer than two decay references")


def _reference_spread_s(facts: Facts) -> float:
    percent = _reference_spread_percent(facts)
    half_life = positive(facts, "half_life_s", "no half-life in the header")
    if percent >= 100:
        raise Missing("the decay references are further apart than the half-life allows")
    return -half_life * math.log2(1 - percent / 100)


def _corrections(facts: Facts) -> frozenset[str]:
    stated = facts.get("corrected_image")
    if not isinstance(stated, (list, tuple)) or not stated:
        raise Missing("Corrected Image (0028,0051) is absent")
    done = {str(word).upper() for word in stated}
    if any(word.startswith("RAN") for word in done):  # GE: RANSNG, randoms from singles
        done.add("RAN")
    return frozenset(done)


def _voxel_mm(facts: Facts) -> float:
    no_volume = "no volume of the series"
    return max(number(facts, f"spacing_{axis}_mm", no_volume) for axis in "zyx")


def _body_mean(facts: Facts) -> float:
    if facts.get("suv_status") != "suv":
        raise Missing("no SUV")
    return number(facts, "body_suv_mean", "no single image to measure the body in")


def _activity_in_view(facts: Facts) -> float:
    if facts.get("suv_status") != "suv":
        raise Missing("no SUV")
    return number(facts, "activity_in_view_percent", "no single image to add up, or no weight")


def _standard_value_is_there(facts: Facts) -> bool:
    status = facts.get("suv_status")
    if status == "not_applicable" or status is None:
        raise NotApplicable
    return status == "suv"


SERIES: Final = (
    Quantity(
        "uptake_time_min", "min", "series",
        "Injection to decay reference (for START-corrected series the start of the scan).",
        _uptake_min,
    ),
    Quantity(
        "decay_reference_after_injection_s", "s", "series",
        "The same in seconds; negative if the scan's clock is before that of the injection.",
        _uptake_s,
    ),
    Quantity("activity_mbq_per_kg", "MBq/kg", "series", "Injected activity by weight.",
             _activity_per_weight),
    Quantity("injected_activity_mbq", "MBq", "series", "Injected activity.", _activity_mbq),
    Quantity("weight_kg", "kg", "series", "Weight in the header.", _weight),
    Quantity(
        "half_life_deviation_percent", "%", "series",
        "How far the half-life lies outside the values evaluations give for the nuclide.",
        _half_life_deviation,
    ),
    Quantity(
        "decay_reference_spread_s", "s", "series",
        "How far apart the possible decay reference times are.", _reference_spread_s,
    ),
    Quantity(
        "decay_reference_spread_percent", "%", "series",
        "Spread of SUV over the possible decay references.", _reference_spread_percent,
    ),
    Quantity(
        "corrections", "", "series",
        "Words of Corrected Image (0028,0051); GE's RANSNG counts as RAN.", _corrections, "words",
    ),
    Quantity("voxel_size_max_mm", "mm", "series", "Longest edge of a voxel.", _voxel_mm),
    Quantity(
        "body_suv_mean", "g/ml", "series",
        "Mean SUVbw over the body: voxels above a fifth of that mean.", _body_mean,
    ),
    Quantity(
        "activity_in_view_percent", "%", "series",
        "Sum of SUVbw times voxel volume over the whole image by weight: the part of the "
        "decay-corrected injected activity that the image shows.",
        _activity_in_view,
    ),
    Quantity("has_suv", "", "series", "SUV could be derived.", _standard_value_is_there, "truth"),
)  # fmt: skip
