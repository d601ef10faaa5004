"""Shifting dates by whole days, whatever their precision; times of day are never touched."""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import Final

_DATE: Final = re.compile(r"(\d{4})(?:(\.?)(\d{2})(?:\2(\d{2}))?)?")
_TIME: Final = r"(?:\d{2}(?:\d{2}(?:\d{2}(?:\.\d{1,6})?)?)?)?"
_OFFSET: Final = r"(?:[+-](?:0\d|1[0-4])[0-5]\d)?"
_DATE_TIME: Final = re.compile(rf"(\d{{8}})({_TIME})({_OFFSET})|(\d{{4}}|\d{{6}})({_OFFSET})")
_TIME_OF_DAY: Final = re.compile(r"[\d:.]{2,16}(?:-[\d:.]{2,16})?")
_AGE: Final = re.compile(r"(\d{3})([DWMY])")
_PER_YEAR: Final = {"D": 365.25, "W": 52.1775, "M": 12.0, "Y": 1.0}
#: Ages above this are one group: the few who reach them could be recognised.
MAX_AGE_YEARS: Final = 89


def shift_date(value: date, days: int) -> date | None:
    """Shift a calendar day; None if it leaves the calendar."""
    try:
        return value + timedelta(days=days)
    except OverflowError:
        return None


def shift_da(text: str, days: int) -> str:
    """Shift a DICOM date (DA), also partial (``2020``, ``202003``), dotted, or a range.

    Parameters
    ----------
    text : str
        Value of VR DA.
    days : int
        Days to add.

    Returns
    -------
    str
        The shifted value in the same precision; empty if `text` is not a date, since what is no
        date cannot be known to be safe.

    References
    ----------
    DICOM PS3.5 Table 6.2-1 (DA), PS3.4 C.2.2.2.5.1 (ranges).

    Examples
    --------
    >>> shift_da("20240301", -7)
    '20240223'
    >>> shift_da("20240301-20240310", -7)
    '20240223-20240303'
    """
    parts = [part.strip(" \0") for part in text.split("-")]
    if len(parts) > 2 or not any(parts):
        return ""
    shifted = [_shift_one_date(part, days) if part else "" for part in parts]
    if any(part and not new for part, new in zip(parts, shifted, strict=True)):
        return ""
    return "-".join(shifted)


def shift_dt(text: str, days: int) -> str:
    """Shift the date of a DICOM date-time (DT); time, fraction and offset stay as they are.

    Parameters
    ----------
    text : str
        Value of VR DT, or a range of two.
    days : int
        Days to add.

    Returns
    -------
    str
        The shifted value; empty if `text` is not a date-time.

    References
    ----------
    DICOM PS3.5 Table 6.2-1 (DT).

    Examples
    --------
    >>> shift_dt("20240301103000.5+0100", -7)
    '20240223103000.5+0100'
    """
    text = text.strip(" \0")
    single = _shift_one_date_time(text, days)
    if single or "-" not in text:
        return single
    for cut in (i for i, character in enumerate(text) if character == "-"):
        ends = text[:cut].strip(), text[cut + 1 :].strip()
        shifted = [_shift_one_date_time(end, days) for end in ends]
        if any(ends) and all(new or not end for end, new in zip(ends, shifted, strict=True)):
            return "-".join(shifted)
    return ""


def _shift_one_date(text: str, days: int) -> str:
    match = _DATE.fullmatch(text)
    if match is None:
        return ""
    year, dot, month, day = match.groups()
    try:
        # A partial date counts as the middle of its period.
        start = date(int(year), int(month or 7), int(day or (15 if month else 1)))
    except ValueError:
        return ""
    shifted = shift_date(start, days)
    if shifted is None:
        return ""
    fields = [f"{shifted.year:04}", f"{shifted.month:02}", f"{shifted.day:02}"]
    return (dot or "").join(fields[: 3 if day else 2 if month else 1])


def _shift_one_date_time(text: str, days: int) -> str:
    match = _DATE_TIME.fullmatch(text)
    if match is None:
        return ""
    full, time, offset, partial, partial_offset = match.groups()
    shifted = _shift_one_date(full or partial, days)
    return f"{shifted}{time or ''}{offset or partial_offset or ''}" if shifted else ""


def keep_tm(text: str) -> str:
    """Return a time of day (TM) as it is, or nothing if it is not one."""
    text = text.strip(" \0")
    return text if _TIME_OF_DAY.fullmatch(text) else ""


def cap_age(text: str) -> str:
    """Return an age (AS) as it is up to 89 years and ``090Y`` beyond; nothing if it is no age.

    References
    ----------
    45 CFR 164.514(b)(2)(i)(C): ages over 89 become one group.

    Examples
    --------
    >>> cap_age("089Y"), cap_age("093Y"), cap_age("1100M")
    ('089Y', '090Y', '')
    """
    match = _AGE.fullmatch(text.strip(" \0"))
    if match is None:
        return ""
    years = int(match[1]) / _PER_YEAR[match[2]]
    return f"{MAX_AGE_YEARS + 1:03}Y" if years >= MAX_AGE_YEARS + 1 else match[0]


def age_at(birth_date: str, day: str) -> str:
    """Age (AS) in full years at a day, both DA; nothing if either is not a full date.

    Examples
    --------
    >>> age_at("19600229", "20200228"), age_at("19200101", "20200101")
    ('059Y', '090Y')
    """
    born, then = (t.strip(" \0").replace(".", "") for t in (birth_date, day))
    if not (_is_day(born) and _is_day(then)) or born > then:
        return ""
    years = int(then[:4]) - int(born[:4]) - (then[4:] < born[4:])
    return cap_age(f"{min(years, 999):03}Y")


def _is_day(text: str) -> bool:
    return len(text) == 8 and _shift_one_date(text, 0) == text
