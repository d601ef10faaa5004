"""Quantities that need more than one series: study, regions, clinical values, visits."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Final

from schemas.errors import RejectedObjectError
from tasks.protocol.quantity import (
    NO_ACTIVITY,
    NO_UPTAKE,
    NO_WEIGHT,
    Facts,
    Missing,
    Quantity,
    Scope,
    number,
    percent_change,
    positive,
)
from tasks.quantify.body import normalising_mass_kg

#: Volumes (ml) of a region that pass for a sphere of 3 cm (14.1 ml): the liver's coefficient of
#: variation is defined in one; over the whole organ it measures vessels and lesions.
_SPHERE_ML: Final = (5.0, 30.0)
_NO_LIVER: Final = "no ROI labelled liver"


def _attenuation_corrected(facts: Facts) -> bool:
    stated = facts.get("attenuation_corrected")
    if stated is None:
        raise Missing("nothing says whether the series is attenuation corrected")
    return bool(stated)


def _calibration(facts: Facts) -> float:
    return number(
        facts, "scanner_calibration_factor", "no cylinder of the scanner in quality control"
    )


def _standards_met(facts: Facts) -> frozenset[str]:
    met = facts.get("standards_met")
    if not isinstance(met, (list, tuple)):
        raise Missing("no image quality phantom of the reconstruction in quality control")
    return frozenset(str(name).upper() for name in met)


def _liver_mean(facts: Facts) -> float:
    return number(facts, "liver_suv_mean", _NO_LIVER)


def _liver_cov(facts: Facts) -> float:
    volume = number(facts, "liver_volume_ml", _NO_LIVER)
    if not _SPHERE_ML[0] <= volume <= _SPHERE_ML[1]:
        raise Missing("the liver ROI is no sphere of 3 cm")
    mean = positive(facts, "liver_suv_mean", _NO_LIVER)
    return 100.0 * number(facts, "liver_suv_sd", _NO_LIVER) / mean


def _liver_sul(facts: Facts, prefix: str = "") -> float:
    """SUVmean to SULmean: times lean body mass (Janmahasatian) over weight."""
    where = " at the first visit" if prefix else ""
    mean = number(facts, f"{prefix}liver_suv_mean", _NO_LIVER + where)
    weight = positive(facts, f"{prefix}patient_weight_kg", NO_WEIGHT + where)
    size = positive(facts, f"{prefix}patient_size_m", "no height in the header" + where)
    sex = str(facts.get(f"{prefix}patient_sex") or "")
    try:
        lean = normalising_mass_kg("LBMJANMA", weight, 100.0 * size, sex)
    except RejectedObjectError as error:
        raise Missing("no sex in the header" + where) from error
    return mean * lean / weight


def _liver_sul_change(facts: Facts) -> float:
    return abs(_liver_sul(facts) - _liver_sul(facts, "first_"))


def _liver_sul_change_percent(facts: Facts) -> float:
    return percent_change(_liver_sul(facts), _liver_sul(facts, "first_"))


def _uptake_change(facts: Facts) -> float:
    now = number(facts, "uptake_time_s", NO_UPTAKE)
    return abs(now - number(facts, "first_uptake_time_s", f"{NO_UPTAKE} at the first visit")) / 60


def _change(column: str, what: str) -> Callable[[Facts], float]:
    def value(facts: Facts) -> float:
        now = number(facts, column, what)
        return percent_change(now, positive(facts, f"first_{column}", f"{what} (first visit)"))

    return value


def _same(column: str, what: str) -> Callable[[Facts], bool]:
    def value(facts: Facts) -> bool:
        now, first = facts.get(column), facts.get(f"first_{column}")
        if now is None or first is None:
            raise Missing(f"the {what} is not known{'' if now is None else ' at the first visit'}")
        return now == first

    return value


def clinical(facts: Facts, item: str) -> float:
    """Return the clinical value nearest to the study, if it lies inside the rule's window."""
    what = f"no {item.replace('_', ' ')} in the clinical data"
    value = number(facts, f"clinical_{item}", what)
    window, distance = facts.get("window_days"), facts.get(f"clinical_{item}_days")
    if not isinstance(distance, int):
        raise Missing(f"the {item.replace('_', ' ')} in the clinical data has no date")
    if isinstance(window, int) and distance > window:
        raise Missing(f"{what} within {window} day{'' if window == 1 else 's'} of the study")
    return value


def _clinical(item: str) -> Callable[[Facts], float]:
    return lambda facts: clinical(facts, item)


def _weight_difference(facts: Facts) -> float:
    return percent_change(number(facts, "patient_weight_kg", NO_WEIGHT), clinical(facts, "weight"))


def _activity_difference(facts: Facts) -> float:
    header = number(facts, "injected_activity_bq", NO_ACTIVITY) / 1e6
    stated = clinical(facts, "injected_activity")
    if stated <= 0:
        raise Missing("no injected activity in the clinical data")
    return percent_change(header, stated)


def _residual(facts: Facts) -> float:
    injected = positive(facts, "injected_activity_bq", NO_ACTIVITY) / 1e6
    return 100.0 * clinical(facts, "residual_activity") / injected


def _injection_difference(facts: Facts) -> float:
    """Difference of times of day, the short way around midnight."""
    moment = facts.get("injection_datetime")
    if not isinstance(moment, datetime):
        raise Missing("no time of injection in the header")
    header = moment.hour * 60 + moment.minute + moment.second / 60
    apart = abs(header - 60 * clinical(facts, "injection_time")) % 1440
    return min(apart, 1440 - apart)


def _q(
    name: str, unit: str, scope: Scope, description: str, value: Callable[[Facts], float]
) -> Quantity:
    return Quantity(name, unit, scope, description, value)


STUDY: Final = (
    Quantity(
        "attenuation_corrected", "", "study",
        "The measured series of the study is attenuation corrected (an uncorrected reconstruction "
        "beside it does not matter).",
        _attenuation_corrected, "truth",
    ),
    _q("scanner_calibration_factor", "1", "study",
       "Measured over true concentration of the scanner's last calibration cylinder.",
       _calibration),
    Quantity(
        "standards_met", "", "study",
        "Standards (EARL1, EARL2, ...) that the last image quality phantom of scanner and "
        "reconstruction meets.",
        _standards_met, "words",
    ),
    _q("liver_suv_mean", "g/ml", "roi", "Mean SUVbw of the ROI labelled liver.", _liver_mean),
    _q("liver_suv_cov_percent", "%", "roi",
       "Coefficient of variation of SUVbw in a liver ROI of 5 to 30 ml (a sphere of 3 cm).",
       _liver_cov),
    _q("glucose_mmol_l", "mmol/l", "clinical", "Blood glucose in the clinical data.",
       _clinical("glucose")),
    _q("fasting_h", "h", "clinical", "Hours of fasting in the clinical data.",
       _clinical("fasting")),
    _q("residual_percent", "%", "clinical",
       "Residual activity in the clinical data, of the activity in the header.", _residual),
    _q("weight_difference_percent", "%", "clinical",
       "Weight in the header against the clinical data, of the latter.", _weight_difference),
    _q("injected_activity_difference_percent", "%", "clinical",
       "Injected activity in the header against the clinical data, of the latter.",
       _activity_difference),
    _q("injection_time_difference_min", "min", "clinical",
       "Time of injection in the header against the clinical data.", _injection_difference),
    _q("uptake_change_min", "min", "visits", "Change of the uptake time.", _uptake_change),
    _q("injected_activity_change_percent", "%", "visits", "Change of the injected activity.",
       _change("injected_activity_bq", NO_ACTIVITY)),
    _q("weight_change_percent", "%", "visits", "Change of the weight.",
       _change("patient_weight_kg", NO_WEIGHT)),
    _q("liver_sul_change_percent", "%", "visits",
       "Change of SULmean (Janmahasatian) of the liver ROI.", _liver_sul_change_percent),
    _q("liver_sul_change", "g/ml", "visits", "The same as a difference.", _liver_sul_change),
    Quantity("same_scanner", "", "visits", "The same scanner.",
             _same("scanner_key", "scanner"), "truth"),
    Quantity("same_reconstruction", "", "visits", "The same reconstruction and filter.",
             _same("reconstruction_key", "reconstruction"), "truth"),
)  # fmt: skip
