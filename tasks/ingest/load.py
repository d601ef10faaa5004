"""Read the objects of a series once: bytes, digest, duplicates."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from schemas.digests import blake3_hex
from schemas.errors import RejectedObjectError
from schemas.records import ScannedObject, SeriesGroup
from tasks.ingest.limits import Limits
from tasks.ingest.outcomes import OutcomeBook


class WholeReader(Protocol):
    """Reads whole objects (the reader of `tasks.sources` does)."""

    def read(self, uri: str, max_bytes: int) -> bytes:
        """All bytes of the object."""
        ...


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
        Of the content; see `schemas.digests`.
    """

    item: ScannedObject
    data: bytes
    digest: str

    def beginning(self, n_bytes: int) -> LoadedObject:
        """Return the object with only the first bytes of its content, to let go of the pixels."""
        return LoadedObject(self.item, self.data[:n_bytes], self.digest)


def load_objects(
    group: SeriesGroup, reader: WholeReader, limits: Limits, book: OutcomeBook
) -> Iterator[LoadedObject]:
    """Read one object after the other; put those aside that cannot be read or came before.

    Parameters
    ----------
    group : SeriesGroup
        In its stable order: the first of several objects with one SOP Instance UID is kept.
    reader : WholeReader
        Reads the bytes.
    limits : Limits
        Sizes.
    book : OutcomeBook
        Takes the outcome of the objects that are put aside.

    Yields
    ------
    LoadedObject
        At most one for each SOP Instance UID, in the order of the group.
    """
    kept: dict[str, str] = {}
    for item in group.objects:
        try:
            data = reader.read(item.ref.uri, limits.max_object_bytes)
        except RejectedObjectError as error:
            book.reject(item, error)
            continue
        loaded = LoadedObject(item, data, blake3_hex([data]))
        book.note_digest(item, loaded.digest)
        if item.kind != group.kind:
            book.reject(
                item,
                RejectedObjectError(
                    "invalid_attribute", f"{item.kind} in a series of kind {group.kind}"
                ),
            )
            continue
        uid = item.sop_instance_uid or item.ref.uri
        if uid not in kept:
            kept[uid] = loaded.digest
            yield loaded
        elif kept[uid] == loaded.digest:
            book.duplicate(item)
        else:
            book.reject(
                item,
                RejectedObjectError(
                    "conflicting_duplicate", "another object of the series has this UID"
                ),
            )
