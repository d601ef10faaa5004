"""Pixels of slices side by side; memory of one series serves the next, never two at once."""

from __future__ import annotations

import numpy as np

from tasks.ingest.planes import PlaneStore


def store_of(values: list[int], dtype: type[np.generic] = np.int16) -> PlaneStore:
    store = PlaneStore(len(values), max_bytes=2**20)
    for value in values:
        store.keep(np.full((4, 5), value, dtype))
    return store


def test_planes_in_either_order_are_views_and_any_other_is_a_copy() -> None:
    store = store_of([1, 2, 3])
    ascending, descending, mixed = (store.ordered(o) for o in ([0, 1, 2], [2, 1, 0], [1, 0, 2]))
    assert [a[:, 0, 0].tolist() for a in (ascending, descending, mixed)] == [
        [1, 2, 3],
        [3, 2, 1],
        [2, 1, 3],
    ]
    assert np.shares_memory(ascending, descending)
    assert not np.shares_memory(ascending, mixed)


def test_a_volume_that_is_held_is_never_written_over() -> None:
    first = store_of([1, 2]).ordered([0, 1])
    again = store_of([7, 8]).ordered([0, 1])
    one_value = first[1, 2, 3:4]
    del first
    third = store_of([9, 9]).ordered([0, 1])
    assert again[:, 0, 0].tolist() == [7, 8]
    assert one_value.tolist() == [2]
    assert third[:, 0, 0].tolist() == [9, 9]


def test_memory_of_a_volume_that_is_gone_is_used_again() -> None:
    volume = store_of([1, 2, 3]).ordered([0, 1, 2])
    place = volume.__array_interface__["data"][0]
    del volume
    smaller = store_of([4, 5], np.uint8).ordered([0, 1])
    assert smaller.__array_interface__["data"][0] == place
    assert smaller[:, 0, 0].tolist() == [4, 5]


def test_beyond_the_limit_every_slice_has_its_own_array() -> None:
    store = PlaneStore(3, max_bytes=100)
    kept, place = store.keep(np.ones((4, 5), np.int16))
    assert place is None
    assert kept.tolist() == np.ones((4, 5)).tolist()
