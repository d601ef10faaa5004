"""Slices come out in the order asked for; memory of one series serves the next, never two."""

from __future__ import annotations

import numpy as np
import pytest

from tasks.dicom.pixels import StoredArray, mask_unused_bits
from tasks.dicom.slices import PixelFormat
from tasks.ingest.planes import PlaneStore


def plane(value: int, shape: tuple[int, int] = (2, 3), dtype: str = "int16") -> StoredArray:
    return np.full(shape, value, dtype)


def kept(values: list[int], n_planes: int = 4) -> tuple[PlaneStore, list[int]]:
    store = PlaneStore(n_planes, 10_000)
    places = [store.keep(plane(v))[1] for v in values]
    return store, [p for p in places if p is not None]


@pytest.mark.parametrize(
    ("order", "is_view"),
    [([0, 1, 2], True), ([1, 2], True), ([2, 1, 0], True), ([1], True), ([2, 0, 1], False)],
)
def test_order(order: list[int], is_view: bool) -> None:
    store, places = kept([10, 11, 12])
    assert places == [0, 1, 2]
    volume = store.ordered(order)
    assert volume[:, 1, 2].tolist() == [10 + i for i in order]
    assert volume.shape == (len(order), 2, 3)
    assert np.shares_memory(volume, store.ordered([0])) == (is_view and 0 in order)


def test_a_slice_is_a_copy() -> None:
    store, source = PlaneStore(1, 10_000), plane(5)
    held, place = store.keep(source)
    source[...] = 6
    assert (held.tolist(), place) == ([[5, 5, 5], [5, 5, 5]], 0)


def test_other_shapes_and_types_have_no_place() -> None:
    store, _ = kept([1])
    for odd in (plane(2, (3, 3)), plane(2, dtype="uint16")):
        held, place = store.keep(odd)
        assert place is None
        assert held.tolist() == odd.tolist()
        assert not np.shares_memory(held, odd)
    assert store.keep(plane(3))[1] == 1


def test_nothing_is_allocated_beyond_the_limit() -> None:
    store = PlaneStore(1_000_000_000, 11)
    assert [store.keep(plane(v))[1] for v in (1, 2)] == [None, None]
    with pytest.raises(ValueError, match="no slice has a place"):
        store.ordered([0])


def test_memory_that_cannot_be_had_is_done_without() -> None:
    assert PlaneStore(2**40, 2**62).keep(plane(1, (1024, 1024)))[1] is None


def volume_of(values: list[int], dtype: str = "int16") -> StoredArray:
    store = PlaneStore(len(values), 10_000)
    places = [store.keep(plane(v, (4, 5), dtype))[1] for v in values]
    return store.ordered([p for p in places if p is not None])


def test_a_volume_that_is_held_is_never_written_over() -> None:
    first = volume_of([1, 2])
    again = volume_of([7, 8])
    one_value = first[1, 2, 3:4]
    del first
    third = volume_of([9, 9])
    assert again[:, 0, 0].tolist() == [7, 8]
    assert one_value.tolist() == [2]
    assert third[:, 0, 0].tolist() == [9, 9]


def test_memory_of_a_volume_that_is_gone_is_used_again() -> None:
    volume = volume_of([1, 2, 3])
    place = volume.__array_interface__["data"][0]
    del volume
    smaller = volume_of([4, 5], "uint8")
    assert smaller.__array_interface__["data"][0] == place
    assert smaller[:, 0, 0].tolist() == [4, 5]


@pytest.mark.parametrize(
    ("values", "dtype", "expected"),
    [
        ([0, 4095], "uint16", [0, 4095]),
        ([0, 0x1FFF], "uint16", [0, 0x0FFF]),  # a bit of an overlay above the image
        ([-2048, 2047], "int16", [-2048, 2047]),
        ([-2049, 0], "int16", [2047, 0]),
        ([0x0FFF, 2048], "int16", [-1, -2048]),  # the sign is bit 11
    ],
)
def test_bits_outside_the_image_go(values: list[int], dtype: str, expected: list[int]) -> None:
    form = PixelFormat(1, 2, 1, 16, 12, 11, is_signed=dtype == "int16")
    stored = mask_unused_bits(np.array([[values]], dtype), form)
    assert stored.ravel().tolist() == expected
