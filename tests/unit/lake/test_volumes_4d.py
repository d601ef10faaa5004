"""Dynamic and gated volumes: stored, read lazily, and several volumes of one series."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import zarr

import lake
from lake.volumes import open_lazy, read_raw, volume_digest, write_raw
from schemas.errors import InvalidInputError
from schemas.geometry import Geometry
from schemas.volume import FrameAxis, Part, RawVolume

SHAPE = (3, 5, 4, 6)  # t, z, y, x


def dynamic(part: Part = Part(), dtype: str = "int16") -> RawVolume:  # noqa: B008
    rng = np.random.default_rng(1)
    return RawVolume(
        stored=rng.integers(0, 1000, SHAPE).astype(dtype),
        rescale_slope=1.0 + np.arange(15, dtype=np.float64).reshape(3, 5),
        rescale_intercept=np.zeros((3, 5)),
        geometry=Geometry(SHAPE[1:], np.diag([4.0, 3.0, 2.0, 1.0])),
        value_unit="Bq/ml",
        suv_factor=np.full((3, 5), 0.5),
        frames=FrameAxis(
            "time",
            3,
            np.array([0.0, 10.0, 30.0]),
            np.array([10.0, 20.0, 60.0]),
            slice_start_s=np.arange(15.0).reshape(3, 5),
        ),
        part=part,
    )


def test_round_trip(tmp_path: Path) -> None:
    volume = dynamic()
    row = write_raw(str(tmp_path), "1.2", volume)
    assert (row["shape_t"], row["shape_z"], row["shape_y"], row["shape_x"]) == SHAPE
    assert (row["frame_kind"], row["frame_labels"]) == ("time", None)
    assert row["frame_starts_s"] == [0.0, 10.0, 30.0]
    assert row["frame_durations_s"] == [10.0, 20.0, 60.0]
    back = read_raw(str(tmp_path), str(row["volume_path"]))
    np.testing.assert_array_equal(back.stored, volume.stored)
    np.testing.assert_array_equal(back.rescale_slope, volume.rescale_slope)
    assert back.frames is not None
    np.testing.assert_array_equal(back.frames.start_s, [0.0, 10.0, 30.0])
    assert volume_digest(str(tmp_path), str(row["volume_path"])) == row["content_blake3"]


@pytest.mark.parametrize(
    "key",
    [
        (slice(None), 2, 1, 3),  # a curve over time
        (1,),  # a frame
        (slice(1, 3), slice(0, 4, 2)),
        (2, 3, slice(1, 3), 0),
        (0, 0, 0, 0),
        (slice(None), slice(None), 1),
    ],
)
def test_lazy_selections_equal_the_values_of_the_whole(
    tmp_path: Path, key: tuple[int | slice, ...]
) -> None:
    volume = dynamic()
    path = str(write_raw(str(tmp_path), "1.2", volume)["volume_path"])
    image = open_lazy(str(tmp_path), path)
    assert image.dims == ("t", "z", "y", "x")
    assert image.attrs["units"] == "SUVbw"
    np.testing.assert_array_equal(image.frame_start_s, [0.0, 10.0, 30.0])
    expected = volume.values() * np.float32(0.5)
    np.testing.assert_array_equal(image[key].to_numpy(), expected[key])


def test_a_curve_reads_its_own_chunks_only(tmp_path: Path) -> None:
    """It can be read although the end of the file, where other chunks lie, is lost."""
    rng = np.random.default_rng(2)
    frames = FrameAxis("time", 16)
    stored = rng.integers(0, 1000, (16, 64, 64, 64)).astype(np.int16)
    volume = RawVolume(stored, np.ones((16, 64)), np.zeros((16, 64)),
                       Geometry((64, 64, 64), np.eye(4)), "Bq/ml", frames=frames)  # fmt: skip
    row = write_raw(str(tmp_path), "1.2", volume)
    image = open_lazy(str(tmp_path), str(row["volume_path"]))
    group = tmp_path / str(row["volume_path"])
    shard = max((p for p in group.rglob("*") if p.is_file()), key=lambda p: p.stat().st_size)
    os.truncate(shard, int(shard.stat().st_size * 0.95))
    np.testing.assert_array_equal(image[:, 5, 6, 7].to_numpy(), stored[:, 5, 6, 7])


def test_any_zarr_reader_gets_dimensions_and_times(tmp_path: Path) -> None:
    path = str(write_raw(str(tmp_path), "1.2", dynamic())["volume_path"])
    group = zarr.open_group(tmp_path / path, mode="r")
    stored = group["stored"]
    assert isinstance(stored, zarr.Array)
    assert stored.metadata.dimension_names == ("t", "z", "y", "x")
    duration = group["frame_duration_s"]
    assert isinstance(duration, zarr.Array)
    assert np.asarray(duration[...]).tolist() == [10.0, 20.0, 60.0]


def test_floating_point_values_of_parametric_maps(tmp_path: Path) -> None:
    stored = np.array([[[0.5, -1.25], [np.nan, 3e7]]], dtype=np.float32)
    volume = RawVolume(
        stored, np.ones(1), np.zeros(1), Geometry((1, 2, 2), np.eye(4)), "ml/min", part=Part(2, "x")
    )
    row = write_raw(str(tmp_path), "1.2", volume)
    assert (row["dtype"], row["value_min"], row["value_max"]) == ("float32", -1.25, 3e7)
    np.testing.assert_array_equal(read_raw(str(tmp_path), str(row["volume_path"])).stored, stored)


def test_parts_are_told_apart_even_if_their_voxels_are_equal(tmp_path: Path) -> None:
    rows = [write_raw(str(tmp_path), "1.2", dynamic(Part(i, f"acquisition {i}"))) for i in (1, 2)]
    assert rows[0]["volume_id"] != rows[1]["volume_id"]
    assert read_raw(str(tmp_path), str(rows[1]["volume_path"])).part == Part(2, "acquisition 2")


def test_a_part_is_asked_for_by_its_number(tmp_path: Path) -> None:
    with lake.create(tmp_path / "lake") as lk:
        volumes = [dynamic(Part(i, f"acquisition {i}")) for i in (1, 2)]
        rows = [write_raw(lk.volumes_root, "1.2", volume) for volume in volumes]
        lk.commit(lambda tx: tx.insert("volumes", rows), message="two parts")
        with pytest.raises(InvalidInputError, match="part 2: acquisition 2"):
            lk.volume("1.2")
        assert lk.volume("1.2", part=2).attrs["volume_id"] == rows[1]["volume_id"]


def test_shapes_must_fit() -> None:
    frames = FrameAxis("time", 2)
    grid = Geometry((5, 4, 6), np.eye(4))
    with pytest.raises(ValueError, match="does not fit grid"):
        RawVolume(np.zeros((3, 5, 4, 6), np.int16), np.ones((3, 5)), np.ones((3, 5)), grid, "1",
                  frames=frames)  # fmt: skip
    with pytest.raises(ValueError, match="rescale_slope"):
        RawVolume(np.zeros((2, 5, 4, 6), np.int16), np.ones(5), np.ones((2, 5)), grid, "1",
                  frames=frames)  # fmt: skip
    with pytest.raises(ValueError, match="start_s"):
        FrameAxis("time", 2, np.zeros(3))
