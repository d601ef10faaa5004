"""Objects in quarantine that are to be looked at again, wherever they lie."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from flows.sources import prepare_retrieval, retrieve_again
from lake import Lake
from lake.keys import KeyStore
from schemas.records import ObjectRef
from tasks.sources.archive import archive_objects
from tasks.sources.retrieved import Connections
from tasks.sources.uris import FILE, is_remote, parse_uri, scheme_of


@dataclass(frozen=True)
class KnownPlaces:
    """Objects of one source that the lake knows, as a source of their own.

    Parameters
    ----------
    name : str
        Of the source that they came from.
    refs : tuple of ObjectRef
        Those that are still there, as they are now.
    reached : Connections
        How to bring remote ones.
    """

    name: str
    refs: tuple[ObjectRef, ...]
    reached: Connections

    def objects(self) -> Iterator[ObjectRef]:
        """Every object once; see `tasks.sources.base.Source.objects`."""
        return iter(self.refs)

    def retrieve(self, refs: Sequence[ObjectRef], advance: Callable[[int], None]) -> None:
        """Have remote ones delivered; see `tasks.sources.base.RetrievingSource.retrieve`."""
        retrieve_again(refs, self.reached)
        advance(len(refs))


def known_places(
    lk: Lake, keys: KeyStore, file_keys: Iterable[str], reached: Connections
) -> list[KnownPlaces]:
    """Find where objects lie that are to be looked at again; what is gone is left out.

    Parameters
    ----------
    lk : Lake
        Knows their sources and sizes.
    keys : KeyStore
        Knows their places.
    file_keys : iterable of str
        The objects.
    reached : Connections
        How to reach declared sources.
    """
    rows = lk.sql(
        "SELECT file_key, coalesce(source_name, 'retry'), size_bytes, modified_ns FROM files "
        "WHERE list_contains($keys, file_key) ORDER BY ALL",
        {"keys": list(file_keys)},
    ).fetchall()
    by_source: dict[str, list[ObjectRef]] = defaultdict(list)
    for key, name, size, modified in rows:
        if (uri := keys.location(key)) is not None:
            by_source[name].append(ObjectRef(uri, size, modified))
    made = []
    for name, refs in by_source.items():
        present = tuple(_as_they_are(refs))
        if any(is_remote(ref.uri) for ref in present):
            prepare_retrieval(reached)
        if present:
            made.append(KnownPlaces(name, present, reached))
    return made


def _as_they_are(refs: Iterable[ObjectRef]) -> Iterator[ObjectRef]:
    """Objects with their present size and time; members of one archive by one look at it."""
    archives: dict[str, set[str]] = defaultdict(set)
    for ref in refs:
        if is_remote(ref.uri):
            yield ref
        elif scheme_of(ref.uri) == FILE:
            yield from _file(ref.uri)
        else:
            archive, _, member = ref.uri.partition("!")
            archives[archive].add(ref.uri if member else "")
    for archive, wanted in archives.items():
        yield from _members(archive, wanted)


def _file(uri: str) -> Iterator[ObjectRef]:
    try:
        status = parse_uri(uri).path.stat()
    except OSError:
        return
    yield ObjectRef(uri, status.st_size, status.st_mtime_ns)


def _members(archive: str, wanted: set[str]) -> Iterator[ObjectRef]:
    """Members asked for; all of them where the archive itself could not be read before."""
    path = parse_uri(archive).path
    if path.exists():
        for ref in archive_objects(path):
            if ref.uri in wanted or "" in wanted:
                yield ref
