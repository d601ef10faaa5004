"""What lies at the sources and is new or changed since the lake last looked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Final, TypeVar

import numpy as np

from flows.known_files import KnownFiles, UnchangedObjects
from flows.runs import SourceTally
from lake import Lake
from lake.catalog import quoted
from schemas.errors import InvalidInputError, SourceUnavailableError, TracerlakeError
from schemas.reasons import PASSING_REASONS, Outcome
from schemas.records import ObjectRef, ScannedObject
from tasks.sources.base import Source

T = TypeVar("T")

#: Reasons that may pass by themselves: objects with one of them are looked at in every run.
ASKED_AGAIN: Final = (*sorted(PASSING_REASONS), "pseudonym_missing")

#: Objects that are compared with the lake together, and told to the progress bar.
_AT_ONCE: Final = 500


@dataclass
class Discovery:
    """The objects of all sources, split by whether they need work.

    Parameters
    ----------
    unchanged : UnchangedObjects
        Those that are as the lake knows them, by file key.
    changed : list of ObjectRef
        New, or with another size or time than at the last look.
    source_names : dict
        Name of the source by URI, for the changed ones.
    unsettled : set
        URIs of changed ones that somebody is still writing.
    failures : list of TracerlakeError
        Of sources that could not be listed to their end; what they listed before is above.
    tallies : list of SourceTally
        How much of it each source had.
    known_before : set of str
        URIs of changed objects that the lake has another outcome for.
    """

    unchanged: UnchangedObjects[SourceTally]
    changed: list[ObjectRef] = field(default_factory=list)
    source_names: dict[str, str] = field(default_factory=dict)
    unsettled: set[str] = field(default_factory=set)
    failures: list[TracerlakeError] = field(default_factory=list)
    tallies: list[SourceTally] = field(default_factory=list)
    known_before: set[str] = field(default_factory=set)
    _new: set[str] = field(default_factory=set)

    @property
    def n_files(self) -> int:
        """Objects looked at."""
        return len(self.changed) + len(self.unchanged)

    def add(self, keys: Sequence[str], refs: Sequence[ObjectRef], tally: SourceTally) -> int:
        """Count listed objects of a source; return how many were not listed before."""
        n_unchanged, others = self.unchanged.add(keys, refs, tally)
        tally.n_unchanged += n_unchanged
        before = len(self.changed)
        for position, is_known in others:
            if keys[position] not in self._new:
                self._new.add(keys[position])
                self._add_changed(refs[position], tally, is_known=is_known)
        return n_unchanged + len(self.changed) - before

    def reopen(self, key: str) -> None:
        """Treat an unchanged object as changed; does nothing for others."""
        found = self.unchanged.pop(key)
        if found is not None:
            ref, tally = found
            tally.n_unchanged -= 1
            self._add_changed(ref, tally, is_known=True)

    def _add_changed(self, ref: ObjectRef, tally: SourceTally, *, is_known: bool) -> None:
        self.changed.append(ref)
        self.source_names[ref.uri] = tally.name
        tally.n_changed += 1
        if is_known:
            self.known_before.add(ref.uri)

    def failed(self, source_name: str, error: TracerlakeError) -> None:
        """Remember that a source did not give all it has."""
        self.failures.append(error)
        for tally in self.tallies:
            if tally.name == source_name:
                tally.error = told(error)


def known_files(lk: Lake, selection: str | None = None) -> KnownFiles:
    """Size and time of every object the lake has an outcome for.

    What ended for a reason that may pass by itself is left out, so that it is asked for again; so
    is Secondary Capture once the settings allow it, and what another selection left out.

    Parameters
    ----------
    lk : Lake
        The lake.
    selection : str or None
        Digest of what this run is asked for; None: everything.
    """
    # Codes of ours as literals, not as a parameter: DuckDB then needs a tenth of the time.
    again = f"coalesce(reason_code, '') IN ({', '.join(map(quoted, ASKED_AGAIN))})"
    if lk.settings.secondary_capture != "refuse":
        # refused unopened, under the setting of that day; what its content ruled out names a tag
        again += " OR (coalesce(reason_code, '') = 'secondary_capture' AND reason_tags IS NULL)"
    again += (
        " OR (coalesce(reason_code, '') = 'outside_selection' AND "
        f"coalesce(selection_digest, '') != {quoted(selection or '')})"
    )
    # A key with "@" names content that was put aside, which lies at no source.
    found = lk.sql(
        "SELECT file_key, coalesce(size_bytes, -1) AS size, coalesce(modified_ns, -1) AS time "  # noqa: S608
        f"FROM files WHERE NOT ({again}) AND NOT contains(file_key, '@')"
    ).to_arrow_table()
    # Piece by piece: all keys at once as texts would take several times what is kept of them.
    keys = [
        part.to_numpy(zero_copy_only=False).astype(np.bytes_) for part in found["file_key"].chunks
    ]
    return KnownFiles(
        np.concatenate([np.empty(0, "S1"), *keys]),
        found["size"].to_numpy(),
        found["time"].to_numpy(),
    )


def discover(
    sources: Iterable[Source],
    known: KnownFiles,
    file_key: Callable[[str], str],
    advance: Callable[[int], None],
) -> Discovery:
    """List every source and compare with what the lake knows; no file is opened.

    An object that two overlapping sources list is looked at once. A source that fails does not keep
    the others from being looked at.
    """
    found = Discovery(UnchangedObjects(known))
    for source in sources:
        tally = SourceTally(source.name)
        found.tallies.append(tally)
        for refs in batches(_listed(source, found, tally), _AT_ONCE):
            advance(found.add([file_key(ref.uri) for ref in refs], refs, tally))
    return found


def _listed(source: Source, found: Discovery, tally: SourceTally) -> Iterator[ObjectRef]:
    try:
        yield from source.objects()
    except (SourceUnavailableError, InvalidInputError) as error:
        found.failures.append(error)
        tally.error = told(error)


def told(error: TracerlakeError) -> str:
    """Sentence of a source's failure that may be shown to everyone.

    A server's failure names its address. What is wrong with a place or a secret names a path, and
    paths may hold a person's name: that sentence is for the log of whoever runs it.
    """
    if isinstance(error, SourceUnavailableError):
        return str(error)
    return "The source cannot be used as it is declared; the log of the run says why."


def batches(items: Iterable[T], size: int) -> Iterator[tuple[T, ...]]:
    """Split into tuples of at most `size`."""
    iterator = iter(items)
    while batch := tuple(islice(iterator, size)):
        yield batch


def settled(scanned: Iterable[ScannedObject], unsettled: set[str]) -> list[ScannedObject]:
    """Put objects aside that are still being written, and with them the rest of their series.

    What is not DICOM stays ignored: a log file grows every night.
    """
    found = list(scanned)
    growing = [s for s in found if s.ref.uri in unsettled and s.reason_code != "not_dicom"]
    places = {s.ref.uri for s in growing}
    waiting = {s.series_instance_uid for s in growing if s.series_instance_uid}

    def settle(item: ScannedObject) -> ScannedObject:
        if item.ref.uri in places:
            return replace(item, outcome=Outcome.QUARANTINED, reason_code="still_being_written")
        if item.outcome is None and item.series_instance_uid in waiting:
            return replace(item, outcome=Outcome.QUARANTINED, reason_code="series_incomplete")
        return item

    return [settle(item) for item in found]


def to_convert(scanned: Iterable[ScannedObject]) -> list[ScannedObject]:
    """Return those whose header promises something to convert."""
    return [s for s in scanned if s.outcome is None]
