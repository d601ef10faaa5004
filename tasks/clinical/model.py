"""The clinical items of a lake: their canonical units, conversions and permitted values."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from schemas.errors import RejectedObjectError

#: Molar mass of glucose in g/mol, from IUPAC standard atomic weights (C6H12O6).
GLUCOSE_MOLAR_MASS: Final = 180.156
#: Ages above this are one group; see `tasks.deidentify.dates`.
MAX_AGE_YEARS: Final = 89.0

_UNIT_SPELLINGS: Final = {
    "mmol/l": "mmol/L", "mg/dl": "mg/dL", "mg%": "mg/dL", "kg": "kg", "kilogram": "kg", "g": "g",
    "lb": "[lb_av]", "lbs": "[lb_av]", "[lb_av]": "[lb_av]", "a": "a", "y": "a", "year": "a",
    "years": "a", "yr": "a", "jahre": "a", "mo": "mo", "month": "mo", "months": "mo", "d": "d",
    "day": "d", "days": "d", "tage": "d", "wk": "wk", "week": "wk", "weeks": "wk",
    "h": "h", "hr": "h", "hour": "h", "hours": "h", "stunden": "h", "min": "min", "minutes": "min",
    "bq": "Bq", "kbq": "kBq", "mbq": "MBq", "gbq": "GBq", "mci": "mCi",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class NumberItem:
    """A measured item.

    Parameters
    ----------
    name, unit : str
        Item and its canonical unit (UCUM).
    factors : mapping of str to float
        Unit as it may come (UCUM) to factor: ``canonical = value * factor``.
    lowest, highest : float
        Values outside cannot be true and are refused.
    """

    name: str
    unit: str
    factors: Mapping[str, float]
    lowest: float
    highest: float


@dataclass(frozen=True, slots=True)
class CodedItem:
    """An item with a fixed set of answers.

    Parameters
    ----------
    name : str
        The item.
    codes : frozenset of str
        Permitted answers.
    synonyms : mapping of str to str
        Other spellings, lower case, to a permitted answer.
    """

    name: str
    codes: frozenset[str]
    synonyms: Mapping[str, str] = field(default_factory=dict)


_STAGES: Final = frozenset(
    ["0", "IS"]
    + [f"{roman}{letter}" for roman in ("I", "II", "III", "IV") for letter in ("", *"ABC")]
    + [f"IA{n}" for n in (1, 2, 3)]
    + [f"III{letter}{n}" for letter in "AC" for n in (1, 2)]
)

_ACTIVITY: Final = {"MBq": 1.0, "kBq": 1e-3, "Bq": 1e-6, "GBq": 1e3, "mCi": 37.0}

#: Items that come as a time of day (``10:35``) and are kept as hours after midnight.
TIMES_OF_DAY: Final = frozenset({"injection_time"})

NUMBERS: Final[dict[str, NumberItem]] = {
    item.name: item
    for item in (
        NumberItem("age", "a", {"a": 1.0, "mo": 1 / 12, "wk": 7 / 365.25, "d": 1 / 365.25}, 0, 125),
        NumberItem("weight", "kg", {"kg": 1.0, "g": 1e-3, "[lb_av]": 0.45359237}, 1, 500),
        NumberItem(
            "glucose", "mmol/L", {"mmol/L": 1.0, "mg/dL": 10.0 / GLUCOSE_MOLAR_MASS}, 0.5, 60
        ),
        NumberItem("fasting", "h", {"h": 1.0, "min": 1 / 60}, 0, 96),
        NumberItem("injected_activity", "MBq", _ACTIVITY, 0, 100_000),
        NumberItem("residual_activity", "MBq", _ACTIVITY, 0, 100_000),
        NumberItem("injection_time", "h", {"h": 1.0}, 0, 24),
        NumberItem(
            "outcome_days", "d", {"d": 1.0, "wk": 7.0, "mo": 30.4375, "a": 365.25}, 0, 36525
        ),
    )
}

CODED: Final[dict[str, CodedItem]] = {
    item.name: item
    for item in (
        CodedItem(
            "sex",
            frozenset("MFO"),
            {"male": "M", "female": "F", "other": "O", "m": "M", "f": "F", "w": "F", "o": "O",
             "d": "O", "divers": "O", "männlich": "M", "weiblich": "F"},
        ),
        CodedItem("stage", _STAGES),
        CodedItem(
            "outcome_event",
            frozenset({"none", "progression", "recurrence", "death", "alive", "lost"}),
            {"relapse": "recurrence", "dead": "death", "deceased": "death", "censored": "none",
             "no event": "none", "progressive disease": "progression"},
        ),
        CodedItem(
            "consent",
            frozenset({"permit", "deny", "unknown"}),
            {"yes": "permit", "ja": "permit", "1": "permit", "true": "permit", "no": "deny",
             "nein": "deny", "0": "deny", "false": "deny", "withdrawn": "deny"},
        ),
    )
}  # fmt: skip

#: Every item that a mapping may name.
ITEM_NAMES: Final = frozenset(NUMBERS) | frozenset(CODED)


def canonical_number(item: str, value: float, unit: str) -> float:
    """Convert a number to the canonical unit of its item.

    Parameters
    ----------
    item : str
        Name in `NUMBERS`.
    value : float
        As it came, in `unit`.
    unit : str
        UCUM or a common spelling of it.

    Returns
    -------
    float
        In the canonical unit; ages above 89 years become 90.

    Raises
    ------
    RejectedObjectError
        ``invalid_attribute`` if the unit does not belong to the item or the value cannot be true.

    Examples
    --------
    >>> round(canonical_number("glucose", 90.0, "mg/dl"), 4)
    4.9957
    """
    definition = NUMBERS[item]
    known = _UNIT_SPELLINGS.get(unit.strip().lower(), "")
    if known not in definition.factors:
        expected = ", ".join(definition.factors)
        raise RejectedObjectError("invalid_attribute", f"{item}: expected a unit of {expected}")
    converted = value * definition.factors[known]
    if not (math.isfinite(converted) and definition.lowest <= converted <= definition.highest):
        raise RejectedObjectError(
            "invalid_attribute",
            f"{item}: expected {definition.lowest:g} to {definition.highest:g} {definition.unit}",
        )
    if item == "age" and converted >= MAX_AGE_YEARS + 1:
        return MAX_AGE_YEARS + 1
    return converted


def canonical_code(item: str, value: str) -> str:
    """Bring a coded answer to the item's own spelling.

    Raises
    ------
    RejectedObjectError
        ``invalid_attribute`` if the answer is not among the item's; the message does not repeat it.

    Examples
    --------
    >>> canonical_code("stage", "Stadium iiia"), canonical_code("sex", "female")
    ('IIIA', 'F')
    """
    definition = CODED[item]
    text = re.sub(r"\s+", " ", value.strip())
    if item == "stage":
        text = re.sub(r"(?i)^(?:uicc|stage|stadium)\s*", "", text).upper()
    if text in definition.codes:
        return text
    if (known := definition.synonyms.get(text.lower())) is not None:
        return known
    if text.lower() in definition.codes:
        return text.lower()
    raise RejectedObjectError("invalid_attribute", f"{item}: the answer is not in its list")


def parse_number(text: str, decimal: str = ".") -> float:
    """Parse a decimal number as typed.

    Raises
    ------
    RejectedObjectError
        ``invalid_attribute`` if it is not one.

    Examples
    --------
    >>> parse_number("1.234,5", decimal=",")
    1234.5
    """
    thousands = "." if decimal == "," else ","
    plain = text.strip().replace(thousands, "") if decimal == "," else text.strip()
    plain = plain.replace(decimal, ".")
    if not re.fullmatch(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", plain):
        raise RejectedObjectError("invalid_attribute", "expected a number")
    return float(plain)


def parse_time_of_day(text: str) -> float:
    """Parse a time of day as typed, to hours after midnight.

    Raises
    ------
    RejectedObjectError
        ``invalid_attribute`` if it is none.

    Examples
    --------
    >>> parse_time_of_day("10:30"), parse_time_of_day("2024-03-01T23:59:06")
    (10.5, 23.985)
    """
    match = re.fullmatch(
        r"(?:\d{4}-\d\d-\d\d[T ])?([01]?\d|2[0-3]):([0-5]\d)(?::([0-5]\d)(?:\.\d+)?)?"
        r"(?:Z|[+-]\d\d:\d\d)?",
        text.strip(),
    )
    if match is None:
        raise RejectedObjectError("invalid_attribute", "expected a time of day, hours:minutes")
    hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return hours + minutes / 60 + seconds / 3600
