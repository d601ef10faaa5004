"""Comparing a listing with what the lake knows, held against dictionaries."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.discovery import discover
from flows.known_files import KnownFiles, UnchangedObjects
from flows.runs import SourceTally
from schemas.records import ObjectRef

#: Sizes of a hostile archive's members and times of a file system's far future among them.
_NUMBERS = st.sampled_from([0, 1, 2, 2**63 - 1, 2**64 - 1])
_NAMES = st.sampled_from(["a", "ab", "b", "c", "d e%C3%A9", "z" * 40])
_KNOWN = st.dictionaries(_NAMES, st.tuples(st.integers(-1, 2), st.integers(-1, 2)))
_LISTING = st.lists(st.builds(ObjectRef, _NAMES, _NUMBERS, _NUMBERS), unique_by=lambda r: r.uri)


class _Listing:
    def __init__(self, name: str, refs: list[ObjectRef]) -> None:
        self.name, self.objects = name, lambda: iter(refs)


def _key(uri: str) -> str:
    return f"key of {uri}"


def _table(known: dict[str, tuple[int, int]]) -> KnownFiles:
    return KnownFiles(
        [_key(uri) for uri in known], [s for s, _ in known.values()], [t for _, t in known.values()]
    )


@given(_KNOWN, st.lists(_LISTING, max_size=3))
def test_a_listing_is_split_as_dictionaries_would(
    known: dict[str, tuple[int, int]], listings: list[list[ObjectRef]]
) -> None:
    first = {ref.uri: ref for refs in reversed(listings) for ref in refs}  # the first source's wins
    told: list[int] = []
    sources = [_Listing(f"source {n}", refs) for n, refs in enumerate(listings)]
    found = discover(sources, _table(known), _key, told.append)
    same = {u: r for u, r in first.items() if known.get(u) == (r.size_bytes, r.modified_ns)}
    changed = [ref for uri, ref in first.items() if uri not in same]
    assert dict(found.unchanged) == {_key(uri): ref for uri, ref in same.items()}
    assert {ref.uri for ref in found.unchanged.refs()} == set(same)
    assert sorted(found.changed, key=str) == sorted(changed, key=str)
    assert found.known_before == {ref.uri for ref in changed if ref.uri in known}
    assert sum(told) == found.n_files == len(first)
    assert sum(t.n_unchanged for t in found.tallies) == len(same)


@given(_KNOWN, st.sets(_NAMES))
def test_what_is_left_out_is_not_known(known: dict[str, tuple[int, int]], out: set[str]) -> None:
    left = _table(known).without([_key(uri) for uri in out])
    assert len(left) == len(set(known) - out)
    rows = left.rows([_key(uri) for uri in sorted(known)])
    assert [row >= 0 for row in rows] == [uri not in out for uri in sorted(known)]


def test_objects_of_several_blocks_are_found_again_and_taken_out() -> None:
    uris = [f"file:///archive/{n}" for n in range(7)]
    unchanged: UnchangedObjects[SourceTally] = UnchangedObjects(
        KnownFiles(uris, range(7), [10 + n for n in range(7)])
    )
    refs = [ObjectRef(uri, n, 10 + n) for n, uri in enumerate(uris)]
    near, far = SourceTally("near"), SourceTally("far")
    assert unchanged.add(uris[:3], refs[:3], near) == (3, [])
    assert unchanged.add(uris[2:], refs[2:], far) == (4, [])  # one of them came before
    assert list(unchanged) == uris
    assert unchanged.pop(uris[2]) == (refs[2], near)
    assert unchanged.pop(uris[5]) == (refs[5], far)
    assert unchanged.pop(uris[5]) is None
    assert list(unchanged.refs()) == [refs[n] for n in (0, 1, 3, 4, 6)]
    assert uris[2] not in unchanged
    with pytest.raises(KeyError):
        unchanged[uris[2]]
    # what has been taken out is being looked at: another source that lists it changes nothing
    assert unchanged.add([uris[2]], [refs[2]], far) == (0, [])
