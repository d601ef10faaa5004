"""Read the objects of a series once: bytes, digest, duplicates."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from schemas.digests import blake3_hex
from schemas.errors import RejectedObjectError
from schemas.reasons import PASSING_REASONS
from schemas.records import ScannedObject, SeriesGroup
from tasks.dicom.encoding import read_layout
from tasks.ingest.limits import Limits
from tasks.ingest.outcomes import OutcomeBook


class WholeReader(Protocol):
    """Reads whole objects (the reader of `tasks.sources` does)."""

    def read(self, uri: str, max_bytes: int) -> bytes:
        """All bytes of the object."""
        ...


#: Tells whether an object says the same as the one at a place with a digest, in another encoding.
IsSame = Callable[[bytes, str, str], bool]


def _never(data: bytes, uri: str, digest: str) -> bool:  # noqa: ARG001  an `IsSame`
    """Only equal bytes are the same."""
    return False


@dataclass(frozen=True, slots=True)
class _Kept:
    """Content that is kept of an instance: its digest, where it can be read, what it stands for."""

    digest: str
    uri: str
    stands_for: str


@dataclass(frozen=True, slots=True)
class LoadedObject:
    """An object with its content.

    Parameters
    ----------
    item : ScannedObject
        What the look at the header found.
    data : bytes
        The content.
    digest : str
        Of the content; see `content_digest`.
    """

    item: ScannedObject
    data: bytes
    digest: str

    def beginning(self, n_bytes: int) -> LoadedObject:
        """Return the object with only the first bytes of its content, to let go of the pixels."""
        return LoadedObject(self.item, self.data[:n_bytes], self.digest)


def load_objects(
    group: SeriesGroup,
    reader: WholeReader,
    limits: Limits,
    book: OutcomeBook,
    is_same: IsSame = _never,
) -> Iterator[LoadedObject]:
    """Read one object after the other; put those aside that cannot be read or came before.

    Parameters
    ----------
    group : SeriesGroup
        In its stable order: the first of several objects with one SOP Instance UID is kept, unless
        the lake uses content under that UID already, which then stays.
    reader : WholeReader
        Reads the bytes.
    limits : Limits
        Sizes.
    book : OutcomeBook
        Takes the outcome of the objects that are put aside.
    is_same : IsSame
        Asked of objects of one SOP Instance UID with different bytes.

    Yields
    ------
    LoadedObject
        At most one for each SOP Instance UID, in the order of the group.

    Raises
    ------
    RejectedObjectError
        ``series_incomplete`` if an object cannot be read now but may be later, or if content that
        the lake uses is no longer there: a part must not take the place of the whole.
    """
    kept: dict[str, _Kept] = {}
    for item in group.objects:
        loaded = _load(item, reader, limits, book)
        if loaded is not None and not _is_put_aside(loaded, group.kind, kept, book, is_same):
            # a copy in another encoding stands for the content that the lake uses
            kept[_uid(item)] = _Kept(loaded.digest, item.ref.uri, item.used_digest or loaded.digest)
            yield loaded
    used = {_uid(item) for item in group.objects if item.used_digest}
    if gone := len(used - set(kept)):
        book.leaves_series = True
        detail = f"{gone} objects hold other content than the lake uses, and the first is gone"
        raise RejectedObjectError("series_incomplete", detail)


def compare_objects(
    group: SeriesGroup,
    reader: WholeReader,
    limits: Limits,
    book: OutcomeBook,
    is_same: IsSame = _never,
) -> None:
    """Hold objects against the content that the lake uses under the same SOP Instance UIDs.

    Every one ends as ``duplicate`` or ``conflicting_duplicate`` (or unreadable); one that the lake
    itself was made from, and whose content is as it was, stays ``ingested``.
    """
    book.leaves_series = True
    for item in group.objects:
        try:
            loaded = _load(item, reader, limits, book)
        except RejectedObjectError:
            continue  # its own outcome is noted; the others do not depend on it
        if loaded is None or _is_put_aside(loaded, group.kind, {}, book, is_same):
            continue
        if not item.is_used or loaded.digest != item.used_digest:
            book.duplicate(item)


def content_digest(data: bytes) -> str:
    """Digest of a data set as it is encoded, without preamble and file meta information.

    Archives write the file meta information anew (PS3.10 section 7.1: it says who wrote the file),
    so two copies of an object differ there and nowhere else.

    Examples
    --------
    >>> content_digest(b"no DICOM")[:8]
    '726702ef'
    """
    layout = read_layout(data)
    start = 0 if layout is None else layout.start
    return blake3_hex([memoryview(data)[start:]])


def _load(
    item: ScannedObject, reader: WholeReader, limits: Limits, book: OutcomeBook
) -> LoadedObject | None:
    try:
        data = reader.read(item.ref.uri, limits.max_object_bytes)
    except RejectedObjectError as error:
        book.reject(item, error)
        if error.reason_code not in PASSING_REASONS:
            return None
        book.leaves_series = True
        raise RejectedObjectError(
            "series_incomplete", "an object of it could not be read"
        ) from None
    loaded = LoadedObject(item, data, content_digest(data))
    book.note_digest(item, loaded.digest)
    return loaded


def _is_put_aside(
    loaded: LoadedObject, kind: str, kept: dict[str, _Kept], book: OutcomeBook, is_same: IsSame
) -> bool:
    """Settle an object of another kind, one that came before, and one in conflict."""
    item = loaded.item
    if item.kind != kind:
        detail = f"{item.kind} in a series of kind {kind}"
        book.reject(item, RejectedObjectError("invalid_attribute", detail))
        return True
    before = kept.get(_uid(item))
    known = item.used_digest or (before and before.stands_for)
    if known and known != loaded.digest and not _is_copy(loaded, before, is_same):
        detail = "the lake uses" if item.used_digest else "another object of the series has"
        error = RejectedObjectError("conflicting_duplicate", f"{detail} other content of this UID")
        book.reject(item, error)
        return True
    if before is not None:
        book.duplicate(item)
        return True
    return False


def _is_copy(loaded: LoadedObject, before: _Kept | None, is_same: IsSame) -> bool:
    """Tell whether an object holds in other bytes what is used: known before, or compared."""
    item = loaded.item
    if loaded.digest in item.copy_digests or (before and before.digest == loaded.digest):
        return True
    if before is not None:
        return is_same(loaded.data, before.uri, before.digest)
    if item.used_uri is None or item.used_digest is None or item.used_uri == item.ref.uri:
        return False
    return is_same(loaded.data, item.used_uri, item.used_digest)


def _uid(item: ScannedObject) -> str:
    return item.sop_instance_uid or item.ref.uri
