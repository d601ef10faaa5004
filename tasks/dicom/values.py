"""Values of a parsed data set, where anything unusable is None."""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import datetime

from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence

from tasks.quantify.times import combine, parse_date, parse_datetime, parse_time


def values_of(ds: Dataset, keyword: str) -> list[object]:
    """All values of an element as a list, empty if it is absent, empty or unreadable."""
    try:
        value = ds.get(keyword)
    except (ValueError, TypeError, KeyError, NotImplementedError, AttributeError):
        return []  # a value that pydicom cannot convert to its VR
    if value is None or (isinstance(value, str) and not value):
        return []
    is_many = isinstance(value, (MultiValue, Sequence, list, tuple))
    return list(value) if is_many else [value]


def texts(ds: Dataset, keyword: str) -> list[str]:
    """All values as text without padding, empty ones left out."""
    found = (str(v).strip(" \0") for v in values_of(ds, keyword))
    return [v for v in found if v]


def text(ds: Dataset, keyword: str) -> str | None:
    """First non-empty value as text."""
    return next(iter(texts(ds, keyword)), None)


def joined(ds: Dataset, keyword: str) -> str | None:
    """All values as one text, separated by backslash."""
    return "\\".join(texts(ds, keyword)) or None


def number(ds: Dataset, keyword: str) -> float | None:
    """First value as a finite number."""
    found = text(ds, keyword)
    try:
        value = float(found) if found is not None else math.nan
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def items(ds: Dataset, keyword: str) -> list[Dataset]:
    """Items of a sequence, empty if it is absent or no sequence."""
    return [item for item in values_of(ds, keyword) if isinstance(item, Dataset)]


def first_item(ds: Dataset, keyword: str) -> Dataset:
    """First item of a sequence, an empty data set if there is none."""
    return next(iter(items(ds, keyword)), Dataset())


def moment(ds: Dataset, date: str, time: str, both: str | None = None) -> datetime | None:
    """Naive local date-time from a DA and a TM element, or else from one DT element.

    Parameters
    ----------
    ds : Dataset
        Where they are.
    date, time, both : str
        Keywords.
    """
    found = combine(parse_date(text(ds, date)), parse_time(text(ds, time)))
    return found if found or both is None else parse_datetime(text(ds, both))


def earliest(moments: Iterable[datetime | None]) -> datetime | None:
    """Earliest of those that are known."""
    return min((m for m in moments if m is not None), default=None)
