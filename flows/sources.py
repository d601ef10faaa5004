"""From what the user typed and the settings declare to opened sources, and their objects here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import date
from pathlib import Path

from lake import Lake
from schemas.errors import InvalidInputError, StorageError
from schemas.records import ObjectRef
from schemas.sources import Selection, SourceSettings
from tasks.sources.base import RetrievingSource, Source
from tasks.sources.opening import open_declared, open_source
from tasks.sources.retrieved import Connections
from tasks.sources.selection import narrowed
from tasks.sources.uris import (
    DIMSE,
    is_remote,
    parse_remote_uri,
    scheme_of,
    series_of,
)


def connections(lk: Lake, selection: Selection | None = None) -> Connections:
    """How readers reach the declared sources of a lake.

    Parameters
    ----------
    lk : Lake
        The lake.
    selection : Selection or None
        Archives are asked for no more than this.

    Raises
    ------
    InvalidInputError
        If retrieved objects, which are identified patient data, would lie inside the lake; or
        nothing of a source can be selected.
    """
    folder = lk.settings.retrieval_folder
    if folder.resolve().is_relative_to(Path(lk.location).resolve()):
        raise InvalidInputError(
            f"retrieval_dir {folder} lies inside the lake; whoever gets the lake would get "
            "identified images. Set it to a folder outside the lake."
        )
    today = date.today()  # noqa: DTZ011  StudyDate is local too
    declared = {
        name: narrowed(source, selection, today, name)
        if selection is not None and isinstance(source, Selection)
        else source
        for name, source in lk.settings.sources.items()
    }
    return Connections(declared, folder, lk.settings.limits.max_object_bytes)


def open_sources(places: Iterable[str], reached: Connections) -> list[Source]:
    """Open sources by their declared names, or else as paths.

    Raises
    ------
    InvalidInputError
        If one is neither declared nor a path that can be read.
    StorageError
        If retrieved objects have no place.
    """
    opened = [
        open_declared(place, reached) if place in reached.settings else open_source(place)
        for place in places
    ]
    if any(_is_remote(source, reached.settings) for source in opened):
        prepare_retrieval(reached)
    return opened


def prepare_retrieval(reached: Connections) -> None:
    """Make the place of retrieved objects.

    Raises
    ------
    StorageError
        If it cannot be made.
    """
    try:
        reached.prepare()
    except OSError as error:
        raise StorageError(
            f"retrieval_dir {reached.folder} cannot be made: {error.strerror}"
        ) from error


def resolve_places(location: str | Path, places: Iterable[str | Path]) -> list[str]:
    """Turn what was typed into what a flow takes: declared names as they are, absolute paths.

    Raises
    ------
    InvalidInputError
        If one of them cannot be opened; a mistake shows now, not at two in the morning.
    """
    import lake

    with lake.open(location, read_only=True) as lk:
        reached = connections(lk)
    resolved = [
        str(place) if str(place) in reached.settings else str(Path(place).expanduser().resolve())
        for place in places
    ]
    open_sources(resolved, reached)
    return resolved


def retrieve(
    source: RetrievingSource,
    changed: Iterable[ObjectRef],
    unchanged: Iterable[ObjectRef],
    advance: Callable[[int], None],
) -> None:
    """Have a source that delivers to us bring what is new, with the rest of the same series.

    A series that grows is converted again as a whole, and archives move whole series.

    Raises
    ------
    SourceUnavailableError
        If the source does not answer any more.
    InvalidInputError
        If the port that it delivers to is taken.
    """
    wanted = [ref for ref in changed if _comes_from(ref, source)]
    if wanted:
        growing = {series_of(ref.uri) for ref in wanted}
        rest = [ref for ref in unchanged if series_of(ref.uri) in growing]
        source.retrieve([*wanted, *rest], advance)


def retrieve_again(refs: Iterable[ObjectRef], reached: Connections) -> None:
    """Bring known objects once more whose series now grows from another source.

    Archives that are asked by DICOMweb need no such thing: their objects are fetched when read.

    Raises
    ------
    SourceUnavailableError
        If an archive does not deliver.
    InvalidInputError
        If the port that it delivers to is taken.
    """
    by_source: dict[str, list[ObjectRef]] = {}
    for ref in refs:
        if scheme_of(ref.uri) == DIMSE and not reached.has(ref.uri):
            by_source.setdefault(parse_remote_uri(ref.uri).source, []).append(ref)
    for name, missing in by_source.items():
        if name in reached.settings:
            source = open_declared(name, reached)
            if isinstance(source, RetrievingSource):
                source.retrieve(missing, lambda _: None)


def _comes_from(ref: ObjectRef, source: Source) -> bool:
    return is_remote(ref.uri) and parse_remote_uri(ref.uri).source == source.name


def _is_remote(source: Source, declared: Mapping[str, SourceSettings]) -> bool:
    return source.name in declared and declared[source.name].kind in {"dicomweb", "dimse"}
