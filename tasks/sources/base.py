"""What a source is: a name and a stream of object references."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, runtime_checkable

from schemas.records import ObjectRef
from tasks.sources.uris import LINK, scheme_of


@runtime_checkable
class Source(Protocol):
    """A place that input objects come from.

    Attributes
    ----------
    name : str
        As written to the lake: the user's own name for it, or its kind. Never derived from a path,
        since paths may hold a person's name.
    """

    @property
    def name(self) -> str:
        """Name of the source."""

    def objects(self) -> Iterator[ObjectRef]:
        """Every object of the source exactly once, in an order that does not change by itself.

        Nothing is left out silently: what cannot be listed or must not be followed (damaged
        archives, folders without permission, links that leave the source) is yielded too, and
        reading it raises the `RejectedObjectError` that says why.
        """


@runtime_checkable
class RetrievingSource(Source, Protocol):
    """A source whose objects must be brought by one process before others can read them."""

    def retrieve(self, refs: Sequence[ObjectRef], advance: Callable[[int], None]) -> None:
        """Bring objects to where an `ObjectReader` with the same connections looks for them.

        What does not come is left out; reading it says ``source_unavailable``.
        """


def is_link(ref: ObjectRef) -> bool:
    """Say whether the object is a symbolic link that leaves its source (never read)."""
    return scheme_of(ref.uri) == LINK
