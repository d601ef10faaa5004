"""What an object says it was made from."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from pydicom.dataset import Dataset

from tasks.dicom import values

T = TypeVar("T")


def only(found: Iterable[T]) -> T | None:
    """Return the one value that all entries are; None if there is none, or if they differ.

    Examples
    --------
    >>> only(["a", "a"]), only(["a", "b"]), only([])
    ('a', None, None)
    """
    distinct = set(found)
    return distinct.pop() if len(distinct) == 1 else None


def referenced_series(dataset: Dataset) -> str | None:
    """Original UID of the one series that an object names as its source.

    References
    ----------
    DICOM PS3.3 C.12.1.1.1 (Common Instance Reference), Referenced Series Sequence (0008,1115).
    """
    return only(
        values.text(item, "SeriesInstanceUID")
        for item in values.items(dataset, "ReferencedSeriesSequence")
    )
