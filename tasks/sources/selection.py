"""Which studies and series are asked for: date window, modality, description."""

from __future__ import annotations

import hashlib
from datetime import date, timedelta
from fnmatch import fnmatchcase
from typing import TypeVar

from schemas.errors import InvalidInputError
from schemas.sources import Selection

S = TypeVar("S", bound=Selection)


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


def is_in_window(selection: Selection, study_date: str | None) -> bool:
    """Say whether a study lies in the date window; one without a usable date lies in none.

    Parameters
    ----------
    selection : Selection
        With `since` and `until` only; see `resolved`.
    study_date : str or None
        StudyDate (0008,0020), DA: ``YYYYMMDD``.

    Examples
    --------
    >>> january = Selection(since=date(2024, 1, 1), until=date(2024, 1, 31))
    >>> [is_in_window(january, text) for text in ("20240131", "20240201", None)]
    [True, False, False]
    >>> is_in_window(Selection(), None)
    True
    """
    if selection.since is None and selection.until is None:
        return True
    try:
        day = date.fromisoformat((study_date or "").strip())
    except ValueError:
        return False
    return (selection.since or date.min) <= day <= (selection.until or date.max)


def resolved(selection: S, today: date) -> S:
    """Return the selection with its last days as a first day.

    Examples
    --------
    >>> resolved(Selection(last_days=7), date(2024, 3, 4)).since
    datetime.date(2024, 2, 26)
    """
    if selection.last_days is None:
        return selection
    first = today - timedelta(days=selection.last_days)
    return selection.model_copy(update={"since": first, "last_days": None})


def narrowed(declared: S, given: Selection, today: date, name: str) -> S:
    """Return what both the declaration of an archive and the call ask for.

    Where both have patterns of descriptions, those of the declaration stay: the others are held
    against the header of each object.

    Parameters
    ----------
    declared : Selection
        Of the source.
    given : Selection
        Of this run.
    today : date
        Last days count back from here.
    name : str
        The source, for the message.

    Raises
    ------
    InvalidInputError
        If nothing can be in both.

    Examples
    --------
    >>> both = narrowed(Selection(modalities=("PT", "CT")), Selection(modalities=("CT", "MR")),
    ...                 date(2024, 3, 4), "pacs")
    >>> both.modalities
    ('CT',)
    """
    ours, theirs = resolved(given, today), resolved(declared, today)
    first = max((d for d in (ours.since, theirs.since) if d), default=None)
    last = min((d for d in (ours.until, theirs.until) if d), default=None)
    kinds = tuple(m for m in theirs.modalities if m in ours.modalities or not ours.modalities)
    if not theirs.modalities:
        kinds = ours.modalities
    if (first and last and last < first) or (theirs.modalities and not kinds):
        raise InvalidInputError(
            f"nothing of source {name} can be selected: its declaration and this call exclude each "
            "other in dates or modalities"
        )
    patterns = theirs.descriptions or ours.descriptions
    changes = {"since": first, "until": last, "modalities": kinds, "descriptions": patterns}
    return theirs.model_copy(update=changes)


def selection_digest(selection: Selection) -> str:
    """Digest of a selection as it was asked for: the same words, the same digest.

    Last days are not resolved: what they leave out tonight they leave out tomorrow, too.
    """
    return hashlib.sha256(selection.model_dump_json().encode()).hexdigest()[:16]
