"""Look at the header of an object: what it is, which series it belongs to, where it ends."""

from __future__ import annotations

from dataclasses import replace
from typing import Final, Protocol

from schemas.errors import RejectedObjectError
from schemas.reasons import IGNORED_KINDS, Outcome
from schemas.records import ObjectRef, ScannedObject
from tasks.dicom import tags
from tasks.dicom.elements import (
    BytesEndError,
    DatasetElements,
    Elements,
    RawElements,
    UnusualEncodingError,
    find_elements,
)
from tasks.dicom.encoding import Layout, read_layout
from tasks.dicom.kinds import MEDIA_DIRECTORY, classify
from tasks.dicom.parse import parse_dataset

#: First read: the headers of nearly all images are shorter.
HEAD_BYTES: Final = 16 * 1024
#: Objects whose header is longer than this are not worth more attempts.
MAX_HEADER_BYTES: Final = 64 * 1024 * 1024


class HeadReader(Protocol):
    """Reads the beginning of objects (the reader of `tasks.sources` does)."""

    def read_head(self, uri: str, n_bytes: int) -> bytes:
        """First `n_bytes` of the object, or all of a shorter one."""
        ...


def scan_object(
    ref: ObjectRef, reader: HeadReader, *, secondary_capture: str = "refuse"
) -> ScannedObject:
    """Read the header of an object and classify it. Never raises for what the object holds.

    Parameters
    ----------
    ref : ObjectRef
        Where the object lies.
    reader : HeadReader
        Reads its first bytes.
    secondary_capture : str
        As `tasks.dicom.kinds.classify` takes it.

    Returns
    -------
    ScannedObject
        With `kind` and identifiers if it is to be converted, otherwise with outcome and reason.
    """
    try:
        return _scan(ref, reader, secondary_capture)
    except RejectedObjectError as error:
        ignored = error.reason_code in IGNORED_KINDS
        outcome = Outcome.IGNORED if ignored else Outcome.QUARANTINED
        return ScannedObject(
            ref, outcome, error.reason_code, error.detail, attributes=error.attributes
        )
    except OSError as error:
        return ScannedObject(ref, Outcome.QUARANTINED, "unreadable", type(error).__name__)


def _scan(ref: ObjectRef, reader: HeadReader, secondary_capture: str) -> ScannedObject:
    head = reader.read_head(ref.uri, HEAD_BYTES)
    if not head:
        return ScannedObject(ref, Outcome.IGNORED, "empty_file")
    layout = read_layout(head)
    if layout is None:
        return ScannedObject(ref, Outcome.IGNORED, "not_dicom")
    if layout.media_class_uid == MEDIA_DIRECTORY:
        return ScannedObject(ref, Outcome.IGNORED, "dicomdir", sop_class_uid=MEDIA_DIRECTORY)
    elements = _identifying_elements(ref, reader, head, layout)
    return _scanned(ref, elements, layout, secondary_capture)


def _identifying_elements(
    ref: ObjectRef, reader: HeadReader, head: bytes, layout: Layout
) -> Elements:
    """Elements up to group 0028, reading further only if they are not in the first bytes."""
    while layout.is_scannable:
        # A size of 0 is unknown (remote objects): a longer head that is no longer ends the loop.
        is_all = 0 < ref.size_bytes <= len(head) or len(head) >= MAX_HEADER_BYTES
        try:
            return RawElements(head, find_elements(head, layout, stop=tags.PAST_IDENTIFICATION))
        except BytesEndError as error:
            longer = head if is_all else reader.read_head(ref.uri, len(head) * 8)
            if len(longer) <= len(head):
                return RawElements(head, error.found)
            head = longer
        except UnusualEncodingError:
            break
    return DatasetElements(parse_dataset(reader.read_head(ref.uri, MAX_HEADER_BYTES)))


def _scanned(
    ref: ObjectRef, elements: Elements, layout: Layout, secondary_capture: str
) -> ScannedObject:
    sop_class = elements.text(tags.SOP_CLASS_UID) or layout.media_class_uid
    if not sop_class:
        if not layout.has_magic:  # a chance likeness of the first bytes, not a broken object
            return ScannedObject(ref, Outcome.IGNORED, "not_dicom")
        raise RejectedObjectError("missing_attribute", "SOPClassUID is absent", ["SOPClassUID"])
    if not layout.has_magic and not sop_class.startswith(("1.", "2.")):
        return ScannedObject(ref, Outcome.IGNORED, "not_dicom")
    image_type = tuple(
        v.strip().upper() for v in (elements.text(tags.IMAGE_TYPE) or "").split("\\")
    )
    found = classify(sop_class, image_type, _n_frames(elements), secondary_capture)
    instance, series = elements.text(tags.SOP_INSTANCE_UID), elements.text(tags.SERIES_UID)
    known = ScannedObject(
        ref,
        found.outcome,
        found.reason_code,
        found.detail,
        found.kind,
        sop_class_uid=sop_class,
        sop_instance_uid=instance,
        series_instance_uid=series,
        instance_number=_instance_number(elements),
        attributes=found.attributes,
    )
    if found.kind is None:
        return known
    absent = [
        name
        for name, value in (("SOPInstanceUID", instance), ("SeriesInstanceUID", series))
        if not value
    ]
    if absent:
        return replace(
            known,
            kind=None,
            outcome=Outcome.QUARANTINED,
            reason_code="missing_attribute",
            detail=f"{' and '.join(absent)} absent or empty",
            attributes=tuple(absent),
        )
    return known


def _n_frames(elements: Elements) -> int:
    found = _integer(elements.text(tags.NUMBER_OF_FRAMES))
    return max(found, 1) if found is not None else 1


def _instance_number(elements: Elements) -> int | None:
    return _integer(elements.text(tags.INSTANCE_NUMBER))


def _integer(text: str | None) -> int | None:
    """First value of an integer string."""
    try:
        return int(text.partition("\\")[0]) if text else None
    except ValueError:
        return None
