"""What the lake knows of the objects at its sources, and which of them a run found unchanged.

A lake has millions of objects, and in most nights next to none of them changes. So what is kept of
one that did not is a row in an array (48 bytes) and its URI, packed with those listed beside it
(about 10 bytes), where objects and dictionaries of Python take about 600.
"""

from __future__ import annotations

import zlib
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Final, Generic, TypeVar

import numpy as np
import numpy.typing as npt

from schemas.records import ObjectRef

Owner = TypeVar("Owner")

_INT64_MAX: Final = 2**63 - 1
#: State of a known object in this listing; from 0 on: its place among the unchanged ones.
_NOT_LISTED: Final = -1
_CHANGED: Final = -2


class KnownFiles:
    """Size and time of the objects that the lake has an outcome for, by file key.

    Parameters
    ----------
    keys : sequence of str
        File keys, each once, ASCII.
    sizes, times : array_like of int64
        Bytes and modification time (ns since 1970) as of the last look, in the order of `keys`.
    """

    def __init__(
        self, keys: Sequence[str] | npt.NDArray[np.bytes_], sizes: npt.ArrayLike,
        times: npt.ArrayLike,
    ) -> None:  # fmt: skip
        coded = np.asarray(keys, dtype=np.bytes_)
        order = np.argsort(coded)
        self._keys = coded[order]
        self._sizes = np.asarray(sizes, np.int64)[order]
        self._times = np.asarray(times, np.int64)[order]

    def __len__(self) -> int:
        """How many there are."""
        return len(self._keys)

    def without(self, keys: Iterable[str]) -> KnownFiles:
        """Return the others, so that these count as new."""
        rows = self.rows(list(keys))
        kept = np.delete(np.arange(len(self)), rows[rows >= 0])
        return KnownFiles(self._keys[kept], self._sizes[kept], self._times[kept])

    def rows(self, keys: Sequence[str]) -> npt.NDArray[np.int64]:
        """Rows of file keys, -1 for those not known."""
        wanted = np.asarray(keys, dtype=np.bytes_)
        if not len(self) or not len(wanted):
            return np.full(len(wanted), -1, np.int64)
        found = np.minimum(np.searchsorted(self._keys, wanted), len(self) - 1)
        return np.where(self._keys[found] == wanted, found, -1)

    def are_same(
        self, rows: npt.NDArray[np.int64], refs: Sequence[ObjectRef]
    ) -> npt.NDArray[np.bool_]:
        """Say of each object whether it is known in `rows` with the size and time it has now."""
        if not len(self):
            return np.zeros(len(refs), np.bool_)
        sizes = _int64([ref.size_bytes for ref in refs])
        times = _int64([ref.modified_ns for ref in refs])
        is_same: npt.NDArray[np.bool_] = (
            (rows >= 0) & (self._sizes[rows] == sizes) & (self._times[rows] == times)
        )
        return is_same

    def key(self, row: int) -> str:
        """File key of a row."""
        return bytes(self._keys[row]).decode("ascii")

    def ref(self, row: int, uri: str) -> ObjectRef:
        """Return an object that is as it was at the last look."""
        return ObjectRef(uri, int(self._sizes[row]), int(self._times[row]))


def _int64(values: list[int]) -> npt.NDArray[np.int64]:
    try:
        return np.array(values, np.int64)
    except OverflowError:  # an archive may state any size, a file system any time
        return np.array([max(-_INT64_MAX, min(v, _INT64_MAX)) for v in values], np.int64)


class UnchangedObjects(Mapping[str, ObjectRef], Generic[Owner]):
    """The objects of a listing that are as the lake knows them, by file key.

    Parameters
    ----------
    known : KnownFiles
        What the lake knows; an object that is not in there cannot be unchanged.
    """

    def __init__(self, known: KnownFiles) -> None:
        self._known = known
        self._places = np.full(len(known), _NOT_LISTED, np.int64)
        self._packed: list[bytes] = []
        self._starts: list[int] = []
        self._owners: list[Owner] = []
        self._n_listed = 0
        self._n = 0

    def add(
        self, keys: Sequence[str], refs: Sequence[ObjectRef], owner: Owner
    ) -> tuple[int, list[tuple[int, bool]]]:
        """Keep those that are unchanged and have not been listed before.

        Parameters
        ----------
        keys, refs : sequence
            Some objects as they are listed.
        owner : object
            Of all of them; see `pop`.

        Returns
        -------
        n_unchanged : int
            Those kept.
        others : list of (int, bool)
            Positions in `keys` of those that are new or changed and have not been listed as known
            before, and whether the lake knows them as they were. The new ones may repeat.
        """
        rows = self._known.rows(keys)
        is_same = self._known.are_same(rows, refs)
        same = np.flatnonzero(is_same)
        if len(same):
            _, first = np.unique(rows[same], return_index=True)
            same = same[np.sort(first)]
            same = same[self._places[rows[same]] == _NOT_LISTED]
            self._keep(rows[same], [refs[i].uri for i in same], owner)
        return len(same), list(self._others(rows, np.flatnonzero(~is_same)))

    def pop(self, key: str) -> tuple[ObjectRef, Owner] | None:
        """Take an object out, with its owner; None if it is not here."""
        row = self._row(key)
        if row is None:
            return None
        block, ref = self._at(row)
        self._places[row] = _CHANGED
        self._n -= 1
        return ref, self._owners[block]

    def __getitem__(self, key: str) -> ObjectRef:
        """Object by file key."""
        row = self._row(key)
        if row is None:
            raise KeyError(key)
        return self._at(row)[1]

    def __contains__(self, key: object) -> bool:
        """Say whether an object is here, without unpacking anything."""
        return isinstance(key, str) and self._row(key) is not None

    def __iter__(self) -> Iterator[str]:
        """File keys, in the order of listing."""
        return (self._known.key(row) for row in self._listed_rows())

    def __len__(self) -> int:
        """How many there are."""
        return self._n

    def refs(self) -> Iterator[ObjectRef]:
        """All of them in the order of listing, sooner than one by one."""
        return (self._at(row)[1] for row in self._listed_rows())

    def _keep(self, rows: npt.NDArray[np.int64], uris: list[str], owner: Owner) -> None:
        if not uris:
            return
        self._places[rows] = np.arange(self._n_listed, self._n_listed + len(uris))
        # The fastest level packs neighbouring paths to a tenth already.
        self._packed.append(zlib.compress("\n".join(uris).encode("utf-8", "surrogateescape"), 1))
        self._starts.append(self._n_listed)
        self._owners.append(owner)
        self._n_listed += len(uris)
        self._n += len(uris)

    def _others(
        self, rows: npt.NDArray[np.int64], positions: npt.NDArray[np.intp]
    ) -> Iterator[tuple[int, bool]]:
        for i in positions.tolist():
            row = int(rows[i])
            if row < 0:
                yield i, False
            elif self._places[row] == _NOT_LISTED:
                self._places[row] = _CHANGED
                yield i, True

    def _row(self, key: str) -> int | None:
        row = int(self._known.rows([key])[0])
        return row if row >= 0 and self._places[row] >= 0 else None

    def _listed_rows(self) -> list[int]:
        rows = np.flatnonzero(self._places >= 0)
        ordered: list[int] = rows[np.argsort(self._places[rows])].tolist()
        return ordered

    def _at(self, row: int) -> tuple[int, ObjectRef]:
        place = int(self._places[row])
        block = bisect_right(self._starts, place) - 1
        uri = _unpacked(self._packed[block])[place - self._starts[block]]
        return block, self._known.ref(row, uri)


@lru_cache(maxsize=32)
def _unpacked(block: bytes) -> list[str]:
    return zlib.decompress(block).decode("utf-8", "surrogateescape").split("\n")
