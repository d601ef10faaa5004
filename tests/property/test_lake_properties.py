"""Laws of volumes on disk and of the write point, for whatever comes."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import lake
from lake import Lake
from lake.volumes import open_lazy, read_image, read_raw, write_raw, write_standard
from lake.volumes.layout import chunk_shape, shard_shape
from schemas.geometry import Geometry
from schemas.records import Row
from schemas.volume import ImageVolume, RawVolume

SHAPES = hnp.array_shapes(min_dims=3, max_dims=3, min_side=1, max_side=9)
FINITE = st.floats(-1e6, 1e6, allow_nan=False)
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=8)
JSON: st.SearchStrategy[dict[str, object]] = st.dictionaries(
    TEXT, st.one_of(TEXT, FINITE, st.integers(-9, 9), st.lists(FINITE))
)


@st.composite
def geometries(draw: st.DrawFn, shape: tuple[int, ...]) -> Geometry:
    steps = draw(st.tuples(*[st.floats(0.1, 10) for _ in range(3)]))
    affine = np.diag([*steps, 1.0])
    affine[:3, 3] = draw(st.tuples(FINITE, FINITE, FINITE))
    return Geometry((shape[0], shape[1], shape[2]), affine)


@st.composite
def raw_volumes(draw: st.DrawFn) -> RawVolume:
    shape = draw(SHAPES)
    dtype = draw(st.sampled_from([np.int16, np.uint16, np.uint8, np.int32]))
    line = hnp.arrays(np.float64, shape[0], elements=FINITE)
    return RawVolume(
        stored=draw(hnp.arrays(dtype, shape)),
        rescale_slope=draw(line),
        rescale_intercept=draw(line),
        geometry=draw(geometries(shape)),
        value_unit=draw(st.sampled_from(["Bq/ml", "CNTS", "HU"])),
        suv_factor=draw(st.none() | line),
        attributes=draw(JSON),
    )


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("volumes")


@given(volume=raw_volumes())
@settings(max_examples=40, deadline=None)
def test_raw_volumes_come_back_exactly(root: Path, volume: RawVolume) -> None:
    path = str(write_raw(str(root), "1.2", volume)["volume_path"])
    back = read_raw(str(root), path)
    assert back.stored.dtype == volume.stored.dtype
    np.testing.assert_array_equal(back.stored, volume.stored)
    np.testing.assert_array_equal(back.rescale_slope, volume.rescale_slope)
    np.testing.assert_array_equal(back.rescale_intercept, volume.rescale_intercept)
    assert (back.suv_factor is None) == (volume.suv_factor is None)
    np.testing.assert_array_equal(back.geometry.affine, volume.geometry.affine)
    assert back.attributes == volume.attributes
    lazy, expected = open_lazy(str(root), path), volume.quantified()
    np.testing.assert_array_equal(lazy.values, expected.values)
    assert lazy.attrs["units"] == expected.value_unit


@given(volume=raw_volumes(), data=st.data())
@settings(max_examples=25, deadline=None)
def test_one_voxel_more_is_another_volume(
    root: Path, volume: RawVolume, data: st.DataObject
) -> None:
    place = data.draw(st.tuples(*[st.integers(0, n - 1) for n in volume.stored.shape]))
    stored = volume.stored.copy()
    stored[place] ^= 1
    one = write_raw(str(root), "1.2", volume)["volume_id"]
    assert write_raw(str(root), "1.2", replace(volume, stored=stored))["volume_id"] != one


@given(values=SHAPES.flatmap(lambda s: hnp.arrays(np.float32, s)))
@settings(max_examples=25, deadline=None)
def test_standard_volumes_come_back_bit_by_bit(root: Path, values: NDArray[np.float32]) -> None:
    shape = values.shape
    grid = Geometry((shape[0], shape[1], shape[2]), np.eye(4))
    with np.errstate(all="ignore"):
        row = write_standard(
            str(root), "1.2", ImageVolume(values, grid, "SUVbw"),
            profile_id="p", profile_digest="d", parent_volume_id="x", levels=2,
        )  # fmt: skip
    back = read_image(str(root), str(row["volume_path"])).values
    np.testing.assert_array_equal(back.view(np.uint32), values.view(np.uint32))


@given(shape=st.tuples(*[st.integers(1, 2000) for _ in range(3)]))
def test_chunks_are_near_64_and_fill_one_shard(shape: tuple[int, int, int]) -> None:
    for n, c, s in zip(shape, chunk_shape(shape), shard_shape(shape), strict=True):
        assert s % c == 0
        assert n <= s < n + c
        assert 43 <= c <= 96 or n == c
        assert s <= n * 1.05 + 20


@pytest.fixture(scope="module")
def lk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    folder = tmp_path_factory.mktemp("property") / "lake"
    with lake.create(folder) as made:
        yield made
    shutil.rmtree(folder)


ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "file_key": st.sampled_from("abcdef"),
            "series_instance_uid": st.sampled_from([None, "1", "2"]),
            "size_bytes": st.none() | st.integers(0, 2),
        }
    ),
    max_size=4,
    unique_by=lambda row: row["file_key"],
)


@given(batches=st.lists(ROWS, min_size=1, max_size=3))
@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_replace_behaves_like_a_dictionary(lk: Lake, batches: list[list[Row]]) -> None:
    twin: dict[Any, Row] = {}
    lk.commit(lambda tx: tx.delete("files", {"file_key": list("abcdef")}), message="emptied")
    for rows in batches:
        lk.commit(lambda tx, r=rows: tx.replace("files", r, scope=["file_key"]), message="m")  # type: ignore[misc]
        twin.update({row["file_key"]: row for row in rows})
        before = lk.snapshot
        lk.commit(lambda tx, r=rows: tx.replace("files", r, scope=["file_key"]), message="m")  # type: ignore[misc]
        assert lk.snapshot == before
    names = ("file_key", "series_instance_uid", "size_bytes")
    found = lk.sql(f"SELECT {', '.join(names)} FROM files").fetchall()
    expected = [tuple(row[name] for name in names) for row in twin.values()]
    assert sorted(found, key=str) == sorted(expected, key=str)
