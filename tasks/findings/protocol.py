"""Protocol rules held against one imaging series: data plus small predicates.

Limits are defaults with their source, meant to be configured; see each rule's `finding_source`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from schemas.records import Row
from tasks.findings.row import finding_row
from tasks.quantify.halflife import nuclide_by_name

EANM: Final = "EANM FDG 2.0, doi:10.1007/s00259-014-2961-x"
QIBA: Final = "QIBA FDG-PET/CT profile 1.05"
OURS: Final = "tracerlake plausibility"
_ROUNDING_MM: Final = 0.05


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a predicate found: how bad, in words, and the value."""

    severity: str
    message: str
    observed: float | None = None


Predicate = Callable[[Row, Row | None], Iterable[Verdict]]


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule as data: its limit in words, its source, and the predicate that checks it."""

    rule_id: str
    limit_text: str
    finding_source: str
    check: Predicate


def protocol_findings(series_row: Row, volume_row: Row | None) -> list[Row]:
    """Hold one series against the protocol rules.

    Parameters
    ----------
    series_row : dict
        Row of table `series`. Only PET (and SPECT stored as PET) is looked at.
    volume_row : dict or None
        Row of table `volumes` of its raw volume, for rules on voxels.

    Returns
    -------
    list of dict
        Rows of table `findings`, without run columns; in the order of the rules.

    Examples
    --------
    >>> row = {"series_instance_uid": "1", "modality": "PT", "radiopharmaceutical": "FDG",
    ...        "uptake_time_s": 2700.0 * 2.8, "corrected_image": ["ATTN", "DECY", "SCAT", "RAN",
    ...        "DTIM", "NORM"]}
    >>> [(f["rule_id"], f["severity"], f["observed_value"]) for f in protocol_findings(row, None)]
    [('UPT-1', 'fail', 126.0)]
    """
    if series_row.get("modality") != "PT" or series_row.get("series_kind", "image") != "image":
        return []
    return [
        finding_row(
            rule_id=rule.rule_id,
            severity=verdict.severity,
            subject_kind="series",
            subject_id=str(series_row["series_instance_uid"]),
            message=verdict.message,
            patient_key=series_row.get("patient_key"),
            centre=series_row.get("centre"),
            observed_value=verdict.observed,
            limit_text=rule.limit_text,
            finding_source=rule.finding_source,
        )
        for rule in RULES
        for verdict in rule.check(series_row, volume_row)
    ]


def _number(row: Row | None, column: str) -> float | None:
    value = None if row is None else row.get(column)
    if isinstance(value, (int, float)) and math.isfinite(value):
        return float(value)
    return None


def _is_fdg(series: Row) -> bool:
    return str(series.get("radiopharmaceutical") or "").upper() == "FDG"


def _uptake(series: Row, volume: Row | None) -> Iterable[Verdict]:
    seconds = _number(series, "uptake_time_s")
    if seconds is None or not _is_fdg(series) or (volume or {}).get("frame_kind") == "time":
        return  # a dynamic series follows the uptake from the injection on
    minutes = round(seconds / 60, 3)
    if not 55 <= minutes <= 75:
        severity = "warn" if 45 <= minutes <= 110 else "fail"
        yield Verdict(severity, f"FDG uptake time is {minutes:.1f} min", minutes)


def _activity_per_weight(series: Row, _volume: Row | None) -> Iterable[Verdict]:
    activity, weight = _number(series, "injected_activity_bq"), _number(series, "patient_weight_kg")
    if activity is None or not weight or not _is_fdg(series):
        return
    per_kg = activity / 1e6 / weight
    if not 1.5 <= per_kg <= 7:
        yield Verdict("warn", f"FDG activity is {per_kg:.2f} MBq/kg", per_kg)


def _activity_range(series: Row, _volume: Row | None) -> Iterable[Verdict]:
    activity = _number(series, "injected_activity_bq")
    if activity is None or series.get("is_spect"):  # therapies are imaged by SPECT: GBq are usual
        return
    if not 1e6 <= activity <= 4e9:
        yield Verdict("fail", f"injected activity is {activity / 1e6:.3g} MBq", activity)


def _half_life(series: Row, _volume: Row | None) -> Iterable[Verdict]:
    value = _number(series, "half_life_s")
    nuclide = nuclide_by_name(str(series.get("radionuclide") or ""))
    if value is not None and nuclide is not None and not nuclide.fits(value):
        message = f"half-life is {value:g} s, {nuclide.name} has {nuclide.longest_s:g} s"
        yield Verdict("fail", message, value)


def _decay_reference(series: Row, _volume: Row | None) -> Iterable[Verdict]:
    percent, half_life = (
        _number(series, "decay_reference_spread_percent"),
        _number(series, "half_life_s"),
    )
    if percent is None or half_life is None or percent >= 100:
        return
    seconds = -half_life * math.log2(1 - percent / 100)
    if seconds > 60.0:
        message = f"decay references differ by {seconds:.0f} s, {percent:.2f} % of SUV"
        yield Verdict("fail" if percent > 5 else "warn", message, percent)


def _corrections(series: Row, _volume: Row | None) -> Iterable[Verdict]:
    stated = series.get("corrected_image")
    if not isinstance(stated, (list, tuple)) or not stated:
        yield Verdict("warn", "the series does not say which corrections were made")
        return
    done = {str(word).upper() for word in stated}
    if any(word.startswith("RAN") for word in done):  # GE: RANSNG, randoms from singles
        done.add("RAN")
    for word in ("ATTN", "DECY"):
        if word not in done:
            yield Verdict("fail", f"correction {word} is not stated")
    wanted = ("SCAT",) if series.get("is_spect") else ("SCAT", "RAN", "DTIM", "NORM")
    missing = [word for word in wanted if word not in done]
    if missing:
        yield Verdict("warn", f"corrections not stated: {', '.join(missing)}")


def _weight(series: Row, _volume: Row | None) -> Iterable[Verdict]:
    weight, age = _number(series, "patient_weight_kg"), _number(series, "patient_age_years")
    if weight is None or (age is not None and age < 18):
        return
    if not 20 <= weight <= 300:
        yield Verdict("warn", "weight is outside the range of adults", weight)


def _voxels(series: Row, volume: Row | None) -> Iterable[Verdict]:
    sizes = [_number(volume, f"spacing_{axis}_mm") for axis in "zyx"]
    known = [s for s in sizes if s is not None]
    if not known or series.get("is_spect"):
        return
    if max(known) > 4.0 + _ROUNDING_MM:
        text = " x ".join(f"{s:.2f}" for s in known)
        yield Verdict("warn", f"voxels are {text} mm (z, y, x)", max(known))


#: The rules, in the order of their findings.
RULES: Final[tuple[Rule, ...]] = (
    Rule("UPT-1", "FDG: 55-75 min; fail below 45 or above 110 min", f"{EANM}; {QIBA}", _uptake),
    Rule("ACT-2", "FDG: 1.5-7 MBq/kg", OURS, _activity_per_weight),
    Rule("ACT-2", "PET: 1-4000 MBq", OURS, _activity_range),
    Rule("HL-1", "half-life of the radionuclide within 1 %", OURS, _half_life),
    Rule("DEC-1", "decay references within 60 s; fail above 5 % of SUV", OURS, _decay_reference),
    Rule("COR-1", "ATTN and DECY, else fail; SCAT, RAN, DTIM, NORM", QIBA, _corrections),
    Rule("WGT-1", "adults: 20-300 kg", OURS, _weight),
    Rule("VOX-1", "voxels up to 4 mm", EANM, _voxels),
)  # fmt: skip
