"""Days in clinical data: parsed to the day or not at all, and shifted like those of the images."""

from __future__ import annotations

import re
from datetime import date
from typing import Final

from schemas.errors import RejectedObjectError
from tasks.deidentify.dates import MAX_AGE_YEARS, shift_date

_ORDERS: Final = {"ymd": (0, 1, 2), "dmy": (2, 1, 0), "mdy": (2, 0, 1)}
_THREE: Final = re.compile(r"(\d{1,4})[-./](\d{1,2})[-./](\d{1,4})(?:[T ].*)?")
_FHIR: Final = re.compile(r"(\d{4})(?:-(\d{2})(?:-(\d{2})(?:T.*)?)?)?")


def parse_day(text: str, order: str = "ymd") -> date:
    """Parse a calendar day as exported, with or without a time.

    Parameters
    ----------
    text : str
        Such as ``2024-03-01`` or ``01.03.2024``.
    order : str
        ``ymd``, ``dmy`` or ``mdy``.

    Raises
    ------
    RejectedObjectError
        ``invalid_attribute`` if it is no day.
    """
    match = _THREE.fullmatch(text.strip())
    day = None
    if match is not None:
        year, month, day_of_month = (int(match.group(i + 1)) for i in _ORDERS[order])
        day = _day_or_none(year, month, day_of_month)
    if day is None:
        raise RejectedObjectError("invalid_attribute", f"expected a day in the order {order}")
    return day


def _day_or_none(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


def parse_fhir_day(text: object) -> date | None:
    """Day of a FHIR date, dateTime or instant; None if it is absent, partial or no date.

    The day is the one written, in the time zone written: it is the day in the clinic.
    """
    match = _FHIR.fullmatch(text) if isinstance(text, str) else None
    if match is None or match[3] is None:
        return None
    return _day_or_none(int(match[1]), int(match[2]), int(match[3]))


def shifted(day: date | None, days: int) -> date | None:
    """Shift a day; None stays None."""
    return None if day is None else shift_date(day, days)


def birth_year(born: date | None, days: int, as_of: date) -> int | None:
    """Year of birth after the shift; None for people who are, or would be, above 89.

    Parameters
    ----------
    born : date or None
        Birth date.
    days : int
        The patient's shift.
    as_of : date
        Day on which the age counts.
    """
    moved = shifted(born, days)
    if born is None or moved is None or as_of.year - born.year > MAX_AGE_YEARS:
        return None
    return moved.year
