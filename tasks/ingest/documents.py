"""Series of objects without pixels (structure sets, reports, value maps), read one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from pydicom.dataset import Dataset

from schemas.errors import RejectedObjectError
from tasks.dicom.parse import parse_complete
from tasks.dicom.variants import without
from tasks.ingest.load import LoadedObject
from tasks.ingest.outcomes import OutcomeBook


@dataclass(slots=True)
class Documents:
    """What was used of a series.

    Parameters
    ----------
    headers : list of Dataset
        Of the objects that could be used, without their bulk.
    digests : list of str
        Of the same objects.
    """

    headers: list[Dataset] = field(default_factory=list)
    digests: list[str] = field(default_factory=list)


def read_documents(
    objects: Iterable[LoadedObject],
    book: OutcomeBook,
    content: str,
    add: Callable[[Dataset], None],
    bulk: Iterable[str],
) -> Documents:
    """Read every object; those that cannot be used are quarantined one by one.

    Parameters
    ----------
    objects : iterable of LoadedObject
        Objects of one series.
    book : OutcomeBook
        Takes the outcome of what cannot be used.
    content : str
        Keyword of the element that matters.
    add : callable
        Takes what is needed from a parsed object, all of it or, by `RejectedObjectError`, nothing.
    bulk : iterable of str
        Keywords of elements that its header does not need.
    """
    bulky = tuple(bulk)
    used = Documents()
    for loaded in objects:
        try:
            dataset = parse_complete(loaded.data, content)
            add(dataset)
        except RejectedObjectError as error:
            book.reject(loaded.item, error)
            continue
        used.headers.append(without(dataset, bulky))
        used.digests.append(loaded.digest)
    return used
