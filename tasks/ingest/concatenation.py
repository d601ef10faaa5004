"""Concatenations: multi-frame objects that were cut into several because they were too large."""

from __future__ import annotations

from collections import defaultdict

from schemas.errors import RejectedObjectError
from schemas.records import ScannedObject
from tasks.dicom import values
from tasks.dicom.classic_header import FrameElements
from tasks.ingest.open_slice import OpenSlice
from tasks.ingest.outcomes import OutcomeBook


def without_incomplete(slices: list[OpenSlice], book: OutcomeBook) -> list[OpenSlice]:
    """Leave out the parts of concatenations of which others are missing.

    Frames of the parts are pooled as those of whole objects are, so nothing else need be done to
    join them; but a volume without the last part would look complete.

    Parameters
    ----------
    slices : list of OpenSlice
        Of one series.
    book : OutcomeBook
        Takes the outcome of the parts that are left out.

    References
    ----------
    DICOM PS3.3 C.7.6.16.2.2.4.
    """
    parts = _parts(slices)
    incomplete: set[int] = set()
    for found in parts.values():
        n_parts = max(max(number, total) for _, number, total in found)
        n_found = len({number for _, number, _ in found})
        if n_found == n_parts:
            continue
        error = RejectedObjectError(
            "missing_slices",
            f"{n_found} of {n_parts} parts of a concatenation came",
            ["ConcatenationUID", "InConcatenationNumber"],
        )
        for item, _, _ in found:
            incomplete.add(id(item))
            book.reject(item, error)
    return [s for s in slices if id(s.loaded.item) not in incomplete]


def _parts(slices: list[OpenSlice]) -> dict[str, list[tuple[ScannedObject, int, int]]]:
    """Objects of each concatenation, with their numbers and the number of parts they announce."""
    found: dict[str, list[tuple[ScannedObject, int, int]]] = defaultdict(list)
    objects = {id(s.loaded.item): s for s in slices if isinstance(s.elements, FrameElements)}
    for one in objects.values():
        assert isinstance(one.elements, FrameElements)
        common = one.elements.common.dataset
        uid = values.text(common, "ConcatenationUID")
        number = values.number(common, "InConcatenationNumber")
        total = values.number(common, "InConcatenationTotalNumber")
        if uid and number:
            found[uid].append((one.loaded.item, int(number), int(total or 0)))
    return found
