"""Open the objects of an image series, whatever their class, as slices."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from schemas.errors import RejectedObjectError
from tasks.dicom.kinds import ENHANCED_CLASSES, NM_CLASSES
from tasks.ingest.concatenation import without_incomplete
from tasks.ingest.limits import Limits
from tasks.ingest.load import LoadedObject
from tasks.ingest.open_enhanced import open_enhanced
from tasks.ingest.open_slice import OpenSlice, SliceOpener
from tasks.ingest.open_tomogram import open_tomogram
from tasks.ingest.outcomes import OutcomeBook
from tasks.ingest.planes import PlaneStore

#: Opens a multi-frame object as the slices that it holds.
FrameOpener = Callable[[LoadedObject, Limits], list[OpenSlice]]
_MULTI_FRAME: Final[Mapping[str, FrameOpener]] = {
    **dict.fromkeys(NM_CLASSES, open_tomogram),
    **dict.fromkeys(ENHANCED_CLASSES, open_enhanced),
}


def open_images(
    objects: Iterable[LoadedObject], limits: Limits, planes: PlaneStore, book: OutcomeBook
) -> list[OpenSlice]:
    """Open every object; those that cannot be opened are quarantined one by one.

    Parameters
    ----------
    objects : iterable of LoadedObject
        Images of one series; each is let go before the next one is asked for.
    limits : Limits
        Sizes.
    planes : PlaneStore
        Takes the pixels of single-frame images.
    book : OutcomeBook
        Takes the outcome of what cannot be opened.
    """
    opener = SliceOpener(limits, planes)
    opened: list[OpenSlice] = []
    for loaded in objects:
        open_frames = _MULTI_FRAME.get(loaded.item.sop_class_uid or "")
        try:
            if open_frames is None:
                opened.append(opener.open(loaded))
            else:
                opened += open_frames(loaded, limits)
        except RejectedObjectError as error:
            book.reject(loaded.item, error)
    return without_incomplete(opened, book)
