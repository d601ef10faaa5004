"""Look at the header of an object: what it is, which series it belongs to, where it ends."""

from __future__ import annotations

from dataclasses import replace
from typing import Final, Protocol

from schemas.errors import RejectedObjectError
from schemas.reasons import IGNORED_KINDS, Outcome
from schemas.records import ObjectRef, ScannedObject
from schemas.sources import Selection
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
from tasks.dicom.siblings import Template
from tasks.sources.selection import is_in_window, is_selected

#: First read: the headers of nearly all images are shorter.
HEAD_BYTES: Final = 16 * 1024
#: Objects whose header is longer than this are not worth more attempts.
MAX_HEADER_BYTES: Final = 64 * 1024 * 1024
#: Kinds of headers that a scanner remembers.
_MAX_KNOWN: Final = 4
#: Elements that decide what an object is; where one of them may differ it is looked at.
_DECISIVE: Final = frozenset(
    {
        tags.SOP_CLASS_UID,
        tags.IMAGE_TYPE,
        tags.NUMBER_OF_FRAMES,
        tags.SERIES_UID,
        tags.STUDY_DATE,
        tags.MODALITY,
        tags.SERIES_DESCRIPTION,
    }
)


class HeadReader(Protocol):
    """Reads the beginning of objects (the reader of `tasks.sources` does)."""

    def read_head(self, uri: str, n_bytes: int) -> bytes:
        """First `n_bytes` of the object, or all of a shorter one."""
        ...


class HeaderScanner:
    """Looks at the headers of many objects; those like one before cost a comparison only.

    Parameters
    ----------
    reader : HeadReader
        Reads their first bytes.
    secondary_capture : str
        As `tasks.dicom.kinds.classify` takes it.
    selection : Selection or None
        DICOM objects outside it are ignored (``outside_selection``); None: everything is wanted.
    """

    def __init__(
        self,
        reader: HeadReader,
        *,
        secondary_capture: str = "refuse",
        selection: Selection | None = None,
    ) -> None:
        self._reader = reader
        self._secondary_capture = secondary_capture
        self._selection = selection
        self._known: list[tuple[Template, ScannedObject]] = []

    def scan(self, ref: ObjectRef) -> ScannedObject:
        """Read the header of an object and classify it. Never raises for what the object holds.

        Parameters
        ----------
        ref : ObjectRef
            Where the object lies.

        Returns
        -------
        ScannedObject
            With `kind` and identifiers if it is to be converted, otherwise with outcome and reason.
        """
        try:
            return self._scan(ref)
        except RejectedObjectError as error:
            ignored = error.reason_code in IGNORED_KINDS
            outcome = Outcome.IGNORED if ignored else Outcome.QUARANTINED
            return ScannedObject(
                ref, outcome, error.reason_code, error.detail, attributes=error.attributes
            )
        except OSError as error:
            return ScannedObject(ref, Outcome.QUARANTINED, "unreadable", type(error).__name__)

    def _scan(self, ref: ObjectRef) -> ScannedObject:
        head = self._reader.read_head(ref.uri, HEAD_BYTES)
        if not head:
            return ScannedObject(ref, Outcome.IGNORED, "empty_file")
        layout = read_layout(head)
        if layout is None:
            return ScannedObject(ref, Outcome.IGNORED, "not_dicom")
        if layout.media_class_uid == MEDIA_DIRECTORY:
            return ScannedObject(ref, Outcome.IGNORED, "dicomdir", sop_class_uid=MEDIA_DIRECTORY)
        sibling = self._sibling(ref, head, layout)
        if sibling is not None:
            return sibling
        elements = _identifying_elements(ref, self._reader, head, layout)
        scanned = self._scanned(ref, elements, layout)
        if isinstance(elements, RawElements) and scanned.kind and scanned.outcome is None:
            self._learn(layout, elements, scanned)
        return scanned

    def _scanned(self, ref: ObjectRef, elements: Elements, layout: Layout) -> ScannedObject:
        scanned = _scanned(ref, elements, layout, self._secondary_capture)
        if self._selection is None or scanned.sop_class_uid is None:
            return scanned
        if _is_asked_for(elements, self._selection):
            return scanned
        return replace(
            scanned, kind=None, outcome=Outcome.IGNORED, reason_code="outside_selection", detail="",
            attributes=(),
        )  # fmt: skip

    def _sibling(self, ref: ObjectRef, head: bytes, layout: Layout) -> ScannedObject | None:
        """Take over from an object before what is the same, byte for byte."""
        for place, (template, known) in enumerate(self._known):
            elements = template.match(head, layout)
            if elements is None or layout.media_class_uid != template.layout.media_class_uid:
                continue
            if place:  # neighbours are alike: try this one first next time
                self._known.insert(0, self._known.pop(place))
            instance = elements.text(tags.SOP_INSTANCE_UID)
            if not instance or not _DECISIVE.isdisjoint(elements.found):
                return self._scanned(ref, elements, layout)
            number = _instance_number(elements)
            return ScannedObject(
                ref, None, None, "", known.kind, known.sop_class_uid, instance,
                known.series_instance_uid, instance_number=number,
            )  # fmt: skip
        return None

    def _learn(self, layout: Layout, elements: RawElements, scanned: ScannedObject) -> None:
        past = [tag for tag in elements.found if tag >= tags.PAST_IDENTIFICATION]
        if not past or not layout.has_magic:
            return  # the header may go on beyond what was read
        end = elements.found[past[0]][0]
        found = {tag: place for tag, place in elements.found.items() if tag not in past}
        complete = RawElements(elements.data[:end], found)
        if any(template.learn(complete) for template, _ in self._known):
            return
        self._known.insert(0, (Template(layout, complete), scanned))
        del self._known[_MAX_KNOWN:]


def scan_object(
    ref: ObjectRef, reader: HeadReader, *, secondary_capture: str = "refuse"
) -> ScannedObject:
    """Look at one object; see `HeaderScanner.scan`, which is faster for many."""
    return HeaderScanner(reader, secondary_capture=secondary_capture).scan(ref)


def _is_asked_for(elements: Elements, selection: Selection) -> bool:
    modality, words = elements.text(tags.MODALITY), elements.text(tags.SERIES_DESCRIPTION)
    is_wanted_series = is_selected(selection, modality, words)
    return is_wanted_series and is_in_window(selection, elements.text(tags.STUDY_DATE))


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
