"""Volumes on disk: what goes in comes out, once, whole, under a name that its content gives."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
import zarr

from lake.volumes import (
    open_lazy,
    read_image,
    read_mask,
    read_raw,
    volume_digest,
    write_mask,
    write_raw,
    write_standard,
)
from lake.volumes.identity import array_digest, canonical_json
from lake.volumes.pyramid import halve, ome_attributes
from schemas.errors import InvalidInputError, NotFoundInLakeError, StorageError
from schemas.geometry import Geometry
from schemas.tables import TABLES
from schemas.volume import ImageVolume, MaskVolume, RawVolume

SHAPE = (5, 4, 3)
#: x, y and z steps of 4, 3 and 2 mm; first voxel at (-10, -20, 30)
AFFINE = np.array([[4.0, 0, 0, -10], [0, 3, 0, -20], [0, 0, 2, 30], [0, 0, 0, 1]])


@pytest.fixture
def raw() -> RawVolume:
    stored = np.arange(60, dtype=np.int16).reshape(SHAPE) - 7
    return RawVolume(
        stored=stored,
        rescale_slope=np.array([1.0, 2.0, 0.5, 3.0, 1.5]),
        rescale_intercept=np.array([0.0, 1.0, 0.0, -2.0, 0.0]),
        geometry=Geometry(SHAPE, AFFINE),
        value_unit="Bq/ml",
        suv_factor=np.array([0.1, 0.1, 0.2, 0.1, 0.1]),
        attributes={"frame_of_reference_uid": "2.25.1", "list": [1, 2.5]},
    )


@pytest.fixture
def image() -> ImageVolume:
    values = np.arange(60, dtype=np.float32).reshape(SHAPE)
    return ImageVolume(values, Geometry(SHAPE, AFFINE), "SUVbw", {"kind": "PT"})


def standard(root: Path, volume: ImageVolume) -> dict[str, object]:
    return write_standard(
        str(root), "1.2", volume, profile_id="p-1", profile_digest="d", parent_volume_id="parent"
    )


def files_of(folder: Path) -> dict[str, bytes]:
    return {
        str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()
    }


def test_raw_round_trip(tmp_path: Path, raw: RawVolume) -> None:
    back = read_raw(str(tmp_path), str(write_raw(str(tmp_path), "1.2", raw)["volume_path"]))
    assert back.stored.dtype == np.int16
    np.testing.assert_array_equal(back.stored, raw.stored)
    np.testing.assert_array_equal(back.rescale_slope, raw.rescale_slope)
    np.testing.assert_array_equal(back.rescale_intercept, raw.rescale_intercept)
    np.testing.assert_array_equal(back.suv_factor, raw.suv_factor)
    np.testing.assert_array_equal(back.geometry.affine, AFFINE)
    assert (back.value_unit, back.attributes) == ("Bq/ml", raw.attributes)


def test_row_of_a_raw_volume_fits_the_table(tmp_path: Path, raw: RawVolume) -> None:
    row = write_raw(str(tmp_path), "1.2", raw)
    assert set(TABLES["volumes"].columns) - set(row) == {"input_digest", "run_id"}
    assert [row[f"shape_{a}"] for a in "zyx"] == [5, 4, 3]
    assert [row[f"spacing_{a}_mm"] for a in "zyx"] == [2.0, 3.0, 4.0]
    # smallest stored value -7 in slice 0 (slope 1); largest 40 in slice 3: 40 * 3 - 2 = 118
    assert (row["value_min"], row["value_max"]) == (-7.0, 118.0)
    assert row["affine_lps"] == AFFINE.ravel().tolist()
    assert (row["dtype"], row["value_unit"], row["zone"]) == ("int16", "Bq/ml", "raw")
    assert row["volume_path"] == f"raw/1.2/{row['volume_id']}.zarr"
    assert row["stored_bytes"] == sum(map(len, files_of(tmp_path).values()))


def test_the_same_volume_has_the_same_name_and_bytes_anywhere(
    tmp_path: Path, raw: RawVolume
) -> None:
    one = write_raw(str(tmp_path / "one"), "1.2", raw)
    two = write_raw(str(tmp_path / "two"), "1.2", raw)
    assert one == two
    assert files_of(tmp_path / "one") == files_of(tmp_path / "two")


def test_another_series_unit_or_grid_is_another_volume(tmp_path: Path, raw: RawVolume) -> None:
    from dataclasses import replace

    moved = AFFINE.copy()
    moved[0, 3] += 1e-3
    others = [
        ("1.3", raw),
        ("1.2", replace(raw, value_unit="CNTS")),
        ("1.2", replace(raw, geometry=Geometry(SHAPE, moved))),
        ("1.2", replace(raw, suv_factor=None)),
        ("1.2", replace(raw, attributes={})),
    ]
    names = {write_raw(str(tmp_path), uid, volume)["volume_id"] for uid, volume in others}
    assert len(names | {write_raw(str(tmp_path), "1.2", raw)["volume_id"]}) == 6


def test_writing_again_leaves_the_volume_alone_but_repairs_a_damaged_one(
    tmp_path: Path, raw: RawVolume
) -> None:
    row = write_raw(str(tmp_path), "1.2", raw)
    shard = tmp_path / str(row["volume_path"]) / "stored" / "c" / "0" / "0" / "0"
    inode, good = shard.stat().st_ino, shard.read_bytes()
    assert write_raw(str(tmp_path), "1.2", raw) == row
    assert shard.stat().st_ino == inode
    shard.write_bytes(good[:-5])
    assert write_raw(str(tmp_path), "1.2", raw) == row
    assert shard.read_bytes() == good
    assert [p.name for p in (tmp_path / "raw" / "1.2").iterdir()] == [f"{row['volume_id']}.zarr"]


def test_one_shard_with_its_index_at_the_start(tmp_path: Path, raw: RawVolume) -> None:
    folder = tmp_path / str(write_raw(str(tmp_path), "1.2", raw)["volume_path"])
    about = json.loads((folder / "stored" / "zarr.json").read_text())
    codec = about["codecs"][0]
    assert (codec["name"], codec["configuration"]["index_location"]) == (
        "sharding_indexed",
        "start",
    )
    inner = codec["configuration"]["codecs"][1]["configuration"]
    assert (inner["cname"], inner["clevel"], inner["shuffle"], inner["typesize"]) == (
        "lz4", 1, "shuffle", 2,
    )  # fmt: skip
    assert len([p for p in (folder / "stored").rglob("*") if p.is_file()]) == 2


@pytest.mark.parametrize(
    ("low", "high", "shuffle"),
    [
        (-1024, 3071, "shuffle"),
        (0, 8191, "shuffle"),
        (0, 8192, "bitshuffle"),
        (-4096, 4096, "bitshuffle"),
    ],
)
def test_narrow_values_are_shuffled_by_byte(
    tmp_path: Path, raw: RawVolume, low: int, high: int, shuffle: str
) -> None:
    stored = raw.stored.astype(np.int16)
    stored[...] = low
    stored[0, 0, 0] = high
    row = write_raw(str(tmp_path), "1.2", replace(raw, stored=stored))
    folder = tmp_path / str(row["volume_path"])
    about = json.loads((folder / "stored" / "zarr.json").read_text())
    inner = about["codecs"][0]["configuration"]["codecs"][1]["configuration"]
    assert inner["shuffle"] == shuffle
    np.testing.assert_array_equal(read_raw(str(tmp_path), str(row["volume_path"])).stored, stored)


def test_any_zarr_reader_gets_a_labelled_array(tmp_path: Path, raw: RawVolume) -> None:
    folder = tmp_path / str(write_raw(str(tmp_path), "1.2", raw)["volume_path"])
    with xr.open_zarr(folder, consolidated=False, chunks=None) as found:
        assert found["stored"].dims == ("z", "y", "x")
        assert found["x"].values.tolist() == [-10.0, -6.0, -2.0]
        assert found["z"].values.tolist() == [30.0, 32.0, 34.0, 36.0, 38.0]
        assert found["rescale_slope"].dims == ("z",)
        assert found.attrs["tracerlake"]["value_unit"] == "Bq/ml"


def test_lazy_array_is_the_quantified_volume(tmp_path: Path, raw: RawVolume) -> None:
    path = str(write_raw(str(tmp_path), "1.2", raw)["volume_path"])
    array = open_lazy(str(tmp_path), path)
    assert (array.dims, array.shape, array.dtype.name) == (("z", "y", "x"), SHAPE, "float32")
    assert (array.attrs["units"], array.attrs["affine_lps"]) == ("SUVbw", AFFINE.tolist())
    # stored 17 at (2, 0, 0): 24 - 7; slope 0.5, factor 0.2
    assert float(array[2, 0, 0]) == pytest.approx(1.7)
    np.testing.assert_array_equal(array.values, raw.quantified().values)
    native = open_lazy(str(tmp_path), path, quantity="native")
    assert native.attrs["units"] == "Bq/ml"
    np.testing.assert_array_equal(native.values, raw.values())
    stored = open_lazy(str(tmp_path), path, quantity="stored")
    assert (stored.attrs["units"], stored.dtype.name) == ("1", "int16")


@pytest.mark.parametrize(
    "key",
    [
        (3,),
        (slice(None), 2),
        (slice(None), slice(None), 1),
        (1, 2, 0),
        (slice(1, 3), 0, slice(0, 2)),
        ([0, 4],),
        (slice(None, None, -1),),
        (slice(0, 0),),
    ],
)
def test_lazy_array_reads_any_selection(
    tmp_path: Path, raw: RawVolume, key: tuple[Any, ...]
) -> None:
    path = str(write_raw(str(tmp_path), "1.2", raw)["volume_path"])
    expected = raw.quantified().values[key]
    np.testing.assert_array_equal(open_lazy(str(tmp_path), path)[key].values, expected)


def test_lazy_selection_by_millimetres(tmp_path: Path, raw: RawVolume) -> None:
    array = open_lazy(str(tmp_path), str(write_raw(str(tmp_path), "1.2", raw)["volume_path"]))
    near = array.sel(z=34.4, y=-17.0, x=-5.5, method="nearest")
    assert float(near) == pytest.approx(float(raw.quantified().values[2, 1, 1]))


def test_no_suv_factor_leaves_the_native_unit(tmp_path: Path, raw: RawVolume) -> None:
    from dataclasses import replace

    counts = replace(raw, suv_factor=None, value_unit="CNTS")
    path = str(write_raw(str(tmp_path), "1.2", counts)["volume_path"])
    assert open_lazy(str(tmp_path), path).attrs["units"] == "CNTS"
    assert read_raw(str(tmp_path), path).suv_factor is None


def test_standard_round_trip_and_levels(tmp_path: Path, image: ImageVolume) -> None:
    row = standard(tmp_path, image)
    path = str(row["volume_path"])
    back = read_image(str(tmp_path), path)
    np.testing.assert_array_equal(back.values, image.values)
    assert (back.value_unit, back.attributes) == ("SUVbw", {"kind": "PT"})
    assert (row["profile_id"], row["profile_digest"]) == ("p-1", "d")
    assert row["parent_volume_id"] == "parent"
    group = zarr.open_group(tmp_path / path, mode="r")
    assert [group[n].shape for n in "012"] == [(5, 4, 3), (3, 2, 2), (2, 1, 1)]
    assert group["0"].dtype == np.float32
    assert open_lazy(str(tmp_path), path).attrs["units"] == "SUVbw"


def test_ome_metadata_in_millimetres() -> None:
    # level 1 has steps (4, 6, 8) mm; its first voxel lies between the first two of level 0
    ome = ome_attributes(Geometry(SHAPE, AFFINE), 2)
    multiscales = ome["multiscales"]
    assert isinstance(multiscales, list)
    assert ome["version"] == "0.5"
    assert multiscales[0]["axes"] == [
        {"name": n, "type": "space", "unit": "millimeter"} for n in "zyx"
    ]
    transforms = [d["coordinateTransformations"] for d in multiscales[0]["datasets"]]
    assert transforms == [
        [
            {"type": "scale", "scale": [2.0, 3.0, 4.0]},
            {"type": "translation", "translation": [30.0, -20.0, -10.0]},
        ],
        [
            {"type": "scale", "scale": [4.0, 6.0, 8.0]},
            {"type": "translation", "translation": [31.0, -18.5, -8.0]},
        ],
    ]


def test_halving_takes_block_means() -> None:
    values = np.array([[[0.0, 2.0, 5.0], [4.0, 6.0, 7.0]], [[8.0, 10.0, 9.0], [12.0, 14.0, 11.0]]])
    halved = halve(values.astype(np.float32))
    # mean of 0 2 4 6 8 10 12 14 is 7; the odd column has 5 7 9 11, mean 8
    assert halved.tolist() == [[[7.0, 8.0]]]
    assert halved.dtype == np.float32


def test_mask_round_trip_and_size(tmp_path: Path) -> None:
    labels = np.zeros((70, 70, 70), np.uint16)
    labels[10:12, 3, 4] = 300
    row = write_mask(str(tmp_path), "1.2", MaskVolume(labels, Geometry((70, 70, 70), AFFINE)))
    back = read_mask(str(tmp_path), str(row["volume_path"]))
    np.testing.assert_array_equal(back.labels, labels)
    assert back.labels.dtype == np.uint16
    assert (row["value_max"], row["dtype"], row["zone"]) == (300.0, "uint16", "mask")
    assert int(str(row["stored_bytes"])) < labels.nbytes / 20


def test_volumes_of_one_value_and_one_slice(tmp_path: Path) -> None:
    geometry = Geometry((1, 2, 2), AFFINE)
    zeros = ImageVolume(np.zeros((1, 2, 2), np.float32), geometry, "HU")
    path = str(standard(tmp_path, zeros)["volume_path"])
    assert not read_image(str(tmp_path), path).values.any()
    assert volume_digest(str(tmp_path), path) == array_digest(zeros.values)


def test_missing_damaged_and_wrong_volumes_say_so(tmp_path: Path, raw: RawVolume) -> None:
    root = str(tmp_path)
    with pytest.raises(NotFoundInLakeError, match=r"raw/1\.2/none\.zarr"):
        read_raw(root, "raw/1.2/none.zarr")
    path = str(write_raw(root, "1.2", raw)["volume_path"])
    with pytest.raises(StorageError, match="not a volume of zone mask"):
        read_mask(root, path)
    shard = tmp_path / path / "stored" / "c" / "0" / "0" / "0"
    shard.write_bytes(shard.read_bytes()[:30])
    with pytest.raises(StorageError, match="'stored'"):
        read_raw(root, path)
    (tmp_path / path / "zarr.json").unlink()
    with pytest.raises(StorageError, match="damaged"):
        read_raw(root, path)
    with pytest.raises(InvalidInputError, match="s3://"):
        read_raw("s3://bucket", path)
    with pytest.raises(InvalidInputError, match="suv, native, stored"):
        open_lazy(root, path, quantity="SUV")


def test_a_crash_while_writing_leaves_no_volume(
    tmp_path: Path, raw: RawVolume, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("lake.volumes.layout.add_volume_array", full)
    with pytest.raises(StorageError, match="No space left on device"):
        write_raw(str(tmp_path), "1.2", raw)
    assert list((tmp_path / "raw" / "1.2").iterdir()) == []


def test_attributes_must_be_json(tmp_path: Path, raw: RawVolume) -> None:
    from dataclasses import replace

    with pytest.raises(InvalidInputError, match="JSON"):
        write_raw(str(tmp_path), "1.2", replace(raw, attributes={"x": object()}))
    assert canonical_json({"b": np.float64(1), "a": (np.int16(2), float("nan"))}) == (
        '{"a":[2,null],"b":1.0}'
    )
