"""DICOM dates and times, parsed as they really come; unusable values become None."""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta, timezone

_DA = re.compile(r"(\d{4})[.:-]?(\d{2})[.:-]?(\d{2})")
_TM = re.compile(r"(\d{2})(?::?(\d{2})(?::?(\d{2})(?:\.(\d{1,9}))?)?)?")
_DT = re.compile(r"(\d{4})(?:(\d{2})(?:(\d{2})(\d{2}(?:\d{2}(?:\d{2}(?:\.\d{1,9})?)?)?)?)?)?")
_OFFSET = re.compile(r"&?([+-])(\d{2}):?(\d{2})$")


def _clean(value: object) -> str:
    return "" if value is None else str(value).strip(" \x00")


def parse_date(value: object) -> date | None:
    """Parse DA, including the retired ``YYYY.MM.DD``.

    Examples
    --------
    >>> parse_date("20240229")
    datetime.date(2024, 2, 29)
    >>> parse_date("20230229") is None
    True

    References
    ----------
    DICOM PS3.5 Table 6.2-1.
    """
    match = _DA.fullmatch(_clean(value))
    if match is None:
        return None
    try:
        return date(*(int(part) for part in match.groups()))
    except ValueError:
        return None


def parse_time(value: object) -> time | None:
    """Parse TM: ``HH``, ``HHMM``, ``HHMMSS``, fractions, and the retired ``HH:MM:SS``.

    A leap second (60) counts as 59. Fractions are cut to microseconds.

    Examples
    --------
    >>> parse_time("112011.5")
    datetime.time(11, 20, 11, 500000)
    >>> parse_time("0930")
    datetime.time(9, 30)
    """
    match = _TM.fullmatch(_clean(value))
    if match is None:
        return None
    hour, minute, second, fraction = match.groups()
    try:
        return time(
            int(hour),
            int(minute or 0),
            min(int(second or 0), 59) if second != "60" else 59,
            int((fraction or "0").ljust(6, "0")[:6]),
        )
    except ValueError:
        return None


def parse_offset(value: object) -> timezone | None:
    """Parse a ``+HHMM`` or ``-HHMM`` offset from UTC.

    Examples
    --------
    >>> parse_offset("+0130")
    datetime.timezone(datetime.timedelta(seconds=5400))
    """
    match = _OFFSET.fullmatch(_clean(value))
    if match is None:
        return None
    sign, hours, minutes = match.groups()
    delta = timedelta(hours=int(hours), minutes=int(minutes))
    if int(minutes) > 59 or delta > timedelta(hours=14):
        return None
    return timezone(-delta if sign == "-" else delta)


def parse_datetime(value: object, local: timezone | None = None) -> datetime | None:
    """Parse DT into a naive local date-time; at least the day must be given.

    Parameters
    ----------
    value : object
        ``YYYYMMDD[HH[MM[SS[.F]]]][&ZZXX]``. A day without a time is unusable here: None.
    local : timezone or None
        Of the object, from Timezone Offset From UTC (0008,0201). An offset in `value` is converted
        to it; without it, the offset is taken as the local one and dropped, since DA and TM of the
        same object are local too.

    Examples
    --------
    >>> parse_datetime("20250101100000.5")
    datetime.datetime(2025, 1, 1, 10, 0, 0, 500000)
    >>> parse_datetime("20250101100000+0000", parse_offset("+0100"))
    datetime.datetime(2025, 1, 1, 11, 0)
    """
    text = _clean(value)
    offset_match = _OFFSET.search(text) if len(text) > 8 else None
    zone = parse_offset(offset_match.group()) if offset_match else None
    if offset_match:
        text = text[: offset_match.start()]
    match = _DT.fullmatch(text)
    if match is None or match.group(4) is None:
        return None
    day, clock = parse_date("".join(match.group(1, 2, 3))), parse_time(match.group(4))
    if day is None or clock is None:
        return None
    moment = datetime.combine(day, clock)
    if zone is None or local is None:
        return moment
    try:
        return moment.replace(tzinfo=zone).astimezone(local).replace(tzinfo=None)
    except OverflowError:
        return None


def combine(day: date | None, clock: time | None) -> datetime | None:
    """Join a date and a time of day; None if either is missing."""
    return None if day is None or clock is None else datetime.combine(day, clock)


def seconds_between(earlier: datetime, later: datetime) -> float:
    """Seconds from `earlier` to `later` (negative if it is the other way round)."""
    return (later - earlier).total_seconds()


def gap_text(seconds: float) -> str:
    """Length of a gap for a message; days are not counted, since scrubbed dates make them up.

    The distance of a scrubbed date from a shifted one would give the true date away.

    Examples
    --------
    >>> gap_text(-2520.4), gap_text(4e9)
    ('2520 s', 'over a day')
    """
    return f"{abs(seconds):.0f} s" if abs(seconds) <= 86400 else "over a day"
