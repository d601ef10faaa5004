"""Holding facts against the rules of a protocol."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from schemas.records import Row
from tasks.findings.row import finding_row
from tasks.protocol.model import Conditions, Limit, Protocol, Rule
from tasks.protocol.quantities import QUANTITIES
from tasks.protocol.quantity import Facts, Missing, NotApplicable, Scope, Value

#: Outcomes of a check; the three severities are the others.
PASSED: Final = "passed"
NOT_CHECKABLE: Final = "not_checkable"
#: What is known of a series when it is ingested.
AT_INGESTION: Final[tuple[Scope, ...]] = ("series",)
EVERYTHING: Final[tuple[Scope, ...]] = ("series", "study", "roi", "clinical", "visits")
#: Roundings of header values must not decide: a limit holds to this part of it.
_ROUNDING: Final = 1e-9


@dataclass(frozen=True, slots=True)
class Check:
    """One rule held against one series.

    Parameters
    ----------
    rule_id : str
        Key of the rule in its protocol.
    outcome : str
        ``passed``, ``not_checkable`` or the severity.
    observed : float or None
        Value of the quantity; 1 and 0 for yes and no, for words how many are missing.
    missing : str or None
        Why it could not be checked.
    message : str or None
        The finding, where there is one.
    """

    rule_id: str
    outcome: str
    observed: float | None = None
    missing: str | None = None
    message: str | None = None


@dataclass(frozen=True)
class Protocols:
    """The protocols of a lake: one for all, others for some centres.

    Parameters
    ----------
    default : Protocol
        For every centre that has none of its own.
    centres : mapping of centre code to Protocol
        Their own.
    """

    default: Protocol
    centres: Mapping[str, Protocol]

    def of(self, centre: object) -> Protocol:
        """Protocol of a centre."""
        return self.centres.get(str(centre), self.default)

    def all(self) -> list[Protocol]:
        """Every protocol once, the default first."""
        found = {p.digest: p for p in (self.default, *self.centres.values())}
        return list(found.values())


def evaluate(protocol: Protocol, facts: Facts, scopes: Iterable[Scope] = EVERYTHING) -> list[Check]:
    """Hold one series against a protocol.

    Parameters
    ----------
    protocol : Protocol
        Its enabled rules are evaluated, in their order.
    facts : mapping
        Columns of ``series`` and of its raw volume, and what `flows.protocol_facts` adds.
        Rules beyond one series are for the measured series of a study (``is_measured``) only.
    scopes : iterable of str
        Of the quantities; others are left out.

    Returns
    -------
    list of Check
        Rules that do not apply have none.

    Examples
    --------
    >>> from tasks.protocol.load import default_protocol
    >>> row = {"modality": "PT", "radiopharmaceutical": "FDG", "radionuclide": "F-18",
    ...        "is_spect": False, "uptake_time_s": 126 * 60.0}
    >>> made = {c.rule_id: c for c in evaluate(default_protocol(), row, ["series"])}
    >>> made["UPT-1"].outcome, made["UPT-1"].message, made["WGT-1"].missing
    ('fail', 'FDG uptake time is 126.0 min', 'no weight in the header')
    """
    wanted = set(scopes) if facts.get("is_measured", True) else set(scopes) & {"series"}
    made = (
        _check(rule_id, rule, facts)
        for rule_id, rule in protocol.active().items()
        if QUANTITIES[rule.quantity].scope in wanted
    )
    return [check for check in made if check is not None]


def _check(rule_id: str, rule: Rule, facts: Facts) -> Check | None:
    quantity = QUANTITIES[rule.quantity]
    # At a first visit there is nothing to compare with, whatever else is not known.
    is_first_visit = quantity.scope == "visits" and facts.get("first_series_uid") is None
    try:
        if is_first_visit or not _applies(rule.applies, facts):
            return None
        value = quantity.value({**facts, "window_days": rule.window_days})
    except NotApplicable:
        return None
    except Missing as missing:
        if rule.if_missing == NOT_CHECKABLE:
            return Check(rule_id, NOT_CHECKABLE, missing=str(missing))
        return Check(rule_id, rule.if_missing, None, str(missing), f"{rule.title}: {missing}")
    for severity, limit in rule.limits():
        lacking = _lacking(value, limit)
        if lacking is not None:
            told = rule.sentence.format(value=value, missing=lacking)
            return Check(rule_id, severity, _observed(value, lacking), message=told)
    return Check(rule_id, PASSED, _observed(value, ""))


def _applies(applies: Conditions, facts: Facts) -> bool:
    """Tell whether a rule is about the series.

    Raises
    ------
    Missing
        If that depends on something unknown, and nothing known decides.
    """
    answers = [
        _among(facts.get("modality"), applies.modalities, "the modality is not known"),
        _among(facts.get("radiopharmaceutical"), applies.tracers, "the tracer is not known"),
        _among(facts.get("radionuclide"), applies.nuclides, "the radionuclide is not known"),
        _is(facts.get("is_spect") or False, applies.spect),
        _is(facts.get("frame_kind") == "time", applies.dynamic),
        not (applies.adults and _is_child(facts)),
        _long_enough(facts, applies.axial_extent_min_mm),
    ]
    if False in answers:
        return False
    for answer in answers:
        if isinstance(answer, str):
            raise Missing(answer)
    return True


def _among(value: object, names: tuple[str, ...], unknown: str) -> bool | str:
    if not names:
        return True
    if value is None:
        return unknown
    return str(value).casefold() in {name.casefold() for name in names}


def _is(value: object, wanted: bool | None) -> bool:
    return wanted is None or bool(value) == wanted


def _is_child(facts: Facts) -> bool:
    age = facts.get("patient_age_years")
    return isinstance(age, (int, float)) and age < 18


def _long_enough(facts: Facts, least_mm: float | None) -> bool | str:
    if least_mm is None:
        return True
    step, slices = facts.get("spacing_z_mm"), facts.get("shape_z")
    if not isinstance(step, (int, float)) or not isinstance(slices, int):
        return "no volume of the series"
    return step * slices >= least_mm


def _lacking(value: Value, limit: Limit) -> str | None:
    """Return None where the limit holds; for words, what is missing."""
    if isinstance(value, frozenset):
        lacking = [word for word in limit.all_of if word.upper() not in value]
        return ", ".join(lacking) if lacking else None
    if isinstance(value, bool):
        return None if value == limit.equals else ""
    low, high = limit.min, limit.max
    below = low is not None and value < low - abs(low) * _ROUNDING
    above = high is not None and value > high + abs(high) * _ROUNDING
    return "" if below or above else None


def _observed(value: Value, lacking: str) -> float:
    if isinstance(value, frozenset):
        return float(len([word for word in lacking.split(", ") if word]))
    return float(value)


def check_row(check: Check, facts: Facts, protocol: Protocol) -> Row:
    """Row of ``protocol_checks``, without run columns."""
    return {
        "rule_id": check.rule_id,
        "series_instance_uid": facts["series_instance_uid"],
        "study_instance_uid": facts.get("study_instance_uid"),
        "patient_key": facts.get("patient_key"),
        "centre": facts.get("centre"),
        "check_outcome": check.outcome,
        "observed_value": check.observed,
        "not_checkable_reason": check.missing,
        "protocol_id": protocol.protocol_id,
        "protocol_digest": protocol.digest,
    }


def findings_of(checks: Iterable[Check], facts: Facts, protocol: Protocol) -> list[Row]:
    """Rows of ``findings`` of the checks that failed or warned, without run columns."""
    made = []
    for check in checks:
        if check.message is None:
            continue
        rule = protocol.rules[check.rule_id]
        kind, subject = _subject(rule, facts)
        row = finding_row(
            rule_id=check.rule_id,
            severity=check.outcome,
            subject_kind=kind,
            subject_id=subject,
            message=check.message,
            patient_key=facts.get("patient_key"),
            centre=facts.get("centre"),
            observed_value=check.observed,
            limit_text=rule.limit_text(QUANTITIES[rule.quantity].unit),
            finding_source=rule.source,
        )
        by = {"protocol_id": protocol.protocol_id, "protocol_digest": protocol.digest}
        made.append({**row, **by})
    return made


def _subject(rule: Rule, facts: Facts) -> tuple[str, str]:
    """Say what a finding is about: the study, for rules beyond one series."""
    study = facts.get("study_instance_uid")
    if QUANTITIES[rule.quantity].scope == "series" or study is None:
        return "series", str(facts["series_instance_uid"])
    return "study", str(study)


def findings_at_ingestion(protocols: Protocols, series: Row, volume: Row | None) -> list[Row]:
    """Hold one series against its rules, from its row and that of its first raw volume.

    Parameters
    ----------
    series : dict
        Row of ``series``; only PET and SPECT images are looked at.
    volume : dict or None
        Row of ``volumes``.
    """
    is_image = series.get("series_kind", "image") == "image"
    if series.get("modality") not in ("PT", "NM") or not is_image:
        return []
    of_volume = {k: v for k, v in (volume or {}).items() if k not in series}
    facts = {**of_volume, **series}
    protocol = protocols.of(series.get("centre"))
    return findings_of(evaluate(protocol, facts, AT_INGESTION), facts, protocol)
