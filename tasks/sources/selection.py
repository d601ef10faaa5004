"""Which studies and series of an archive are asked for: date window, modality, description."""

from __future__ import annotations

from datetime import date, timedelta
from fnmatch import fnmatchcase

from schemas.sources import Selection


def study_dates(selection: Selection, today: date) -> str | None:
    """Range of StudyDate in the notation of queries (PS3.4 C.2.2.2.5), None for all.

    Examples
    --------
    >>> study_dates(Selection(last_days=7), date(2024, 3, 4))
    '20240226-'
    >>> study_dates(Selection(since=date(2024, 1, 1), until=date(2024, 1, 31)), date(2024, 3, 4))
    '20240101-20240131'
    """
    first, last = selection.since, selection.until
    if selection.last_days is not None:
        first = today - timedelta(days=selection.last_days)
    if first is None and last is None:
        return None
    return "-".join(f"{day:%Y%m%d}" if day else "" for day in (first, last))


def is_selected(selection: Selection, modality: str | None, description: str | None) -> bool:
    """Say whether a series is asked for.

    Archives differ in which keys they match, so the answer is held against the selection here too.

    Examples
    --------
    >>> is_selected(Selection(descriptions=("*whole body*",)), "PT", "PET Whole Body AC")
    True
    >>> is_selected(Selection(modalities=("PT",)), "CT", None)
    False
    """
    if selection.modalities and modality not in selection.modalities:
        return False
    patterns = [pattern.casefold() for pattern in selection.descriptions]
    text = (description or "").casefold()
    return not patterns or any(fnmatchcase(text, pattern) for pattern in patterns)
