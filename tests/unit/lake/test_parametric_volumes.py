"""Parametric volumes are stored and found by their parameter; blocks of dynamic ones are read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import zarr
from hypothesis import given
from hypothesis import strategies as st

import lake
from lake.volumes import (
    open_lazy,
    read_image,
    volume_digest,
    write_parametric,
    write_raw,
    write_standard,
)
from lake.volumes.blocks import DynamicVolume, block_windows
from lake.volumes.layout import chunk_shape
from schemas.errors import InvalidInputError
from schemas.geometry import Geometry
from schemas.records import Row
from schemas.volume import FrameAxis, ImageVolume, RawVolume

GRID = Geometry((4, 6, 5), np.diag([4.0, 3.0, 2.0, 1.0]))


def stored(root: Path, name: str, unit: str = "ml/cm3/min") -> Row:
    values = np.full(GRID.shape, 0.02 if name == "ki" else 0.4, dtype=np.float32)
    values[0, 0, 0] = np.nan
    return write_parametric(
        str(root), "1.2", ImageVolume(values, GRID, unit, {"t_star_min": 20.0}),
        parameter_name=name, profile_id="patlak/1", profile_digest="d", parent_volume_id="raw",
    )  # fmt: skip


def test_a_parametric_volume_comes_back(tmp_path: Path) -> None:
    row = stored(tmp_path, "ki")
    assert (row["zone"], row["parameter_name"], row["value_unit"]) == (
        "parametric", "ki", "ml/cm3/min",
    )  # fmt: skip
    assert (row["value_min"], row["value_max"]) == (np.float32(0.02), np.float32(0.02))
    path = str(row["volume_path"])
    image = read_image(str(tmp_path), path, "parametric")
    assert image.attributes == {"t_star_min": 20.0}
    assert np.isnan(image.values[0, 0, 0])
    lazy = open_lazy(str(tmp_path), path)
    np.testing.assert_array_equal(lazy.to_numpy(), image.values)
    assert (lazy.attrs["units"], lazy.attrs["zone"]) == ("ml/cm3/min", "parametric")
    assert volume_digest(str(tmp_path), path) == row["content_blake3"]
    plain = zarr.open_group(tmp_path / path, mode="r")
    assert plain.attrs["tracerlake"]["parameter_name"] == "ki"


def test_parameters_have_volumes_of_their_own(tmp_path: Path) -> None:
    with lake.create(tmp_path / "lake") as lk:
        rows = [stored(Path(lk.volumes_root), n) for n in ("ki", "intercept")]
        lk.commit(lambda tx: tx.insert("volumes", rows), message="maps")
        found = lk.volume("1.2", "parametric", parameter="intercept")
        assert float(found[1, 1, 1]) == pytest.approx(0.4)
        with pytest.raises(InvalidInputError, match="parameter intercept"):
            lk.volume("1.2", "parametric")


def test_the_same_values_of_another_parameter_are_another_volume(tmp_path: Path) -> None:
    values = np.ones(GRID.shape, dtype=np.float32)
    image = ImageVolume(values, GRID, "1", {})
    names = {
        write_parametric(
            str(tmp_path), "1.2", image,
            parameter_name=name, profile_id="p", profile_digest="d", parent_volume_id="r",
        )["volume_id"]
        for name in ("r1", "dvr")
    }  # fmt: skip
    standard = write_standard(
        str(tmp_path), "1.2", image, profile_id="p", profile_digest="d", parent_volume_id="r"
    )
    assert len({*names, standard["volume_id"]}) == 3


@given(
    st.tuples(*(st.integers(1, n) for n in (40, 150, 150, 150))),
    st.integers(1, 2**24),
)
def test_blocks_cover_every_voxel_once_along_chunks(
    shape: tuple[int, int, int, int], values: int
) -> None:
    windows = block_windows(shape, values)
    assert sum(np.prod([s.stop - s.start for s in w], dtype=np.int64) for w in windows) == np.prod(
        shape[1:], dtype=np.int64
    )
    edges = chunk_shape(shape)[1:]
    assert len({tuple(s.start for s in w) for w in windows}) == len(windows)
    for window in windows:
        assert all(s.start % e == 0 for s, e in zip(window, edges, strict=True))
        assert all(0 <= s.start < s.stop <= n for s, n in zip(window, shape[1:], strict=True))
        size = shape[0] * np.prod([s.stop - s.start for s in window])
        assert size <= max(values, shape[0] * np.prod(edges))


def dynamic() -> RawVolume:
    rng = np.random.default_rng(2)
    shape = (9, 40, 33, 50)
    return RawVolume(
        stored=rng.integers(-500, 20_000, shape).astype(np.int16),
        rescale_slope=rng.uniform(0.5, 3, shape[:2]),
        rescale_intercept=rng.uniform(-5, 5, shape[:2]),
        geometry=Geometry(shape[1:], np.diag([4.0, 3.0, 2.0, 1.0])),
        value_unit="Bq/ml",
        suv_factor=rng.uniform(1e-4, 2e-4, shape[:2]),
        frames=FrameAxis("time", 9, np.arange(9.0) * 60, np.full(9, 60.0)),
    )


@pytest.mark.parametrize("quantity", ["suv", "native"])
def test_blocks_hold_what_the_lazy_array_holds(tmp_path: Path, quantity: str) -> None:
    path = str(write_raw(str(tmp_path), "1.2", dynamic())["volume_path"])
    whole = open_lazy(str(tmp_path), path, quantity=quantity).to_numpy()
    volume = DynamicVolume(str(tmp_path), path, quantity)
    assert volume.shape == whole.shape
    assert volume.unit == ("SUVbw" if quantity == "suv" else "Bq/ml")
    scale = np.abs(whole).max()
    for window in block_windows(volume.shape, 100_000):
        part = volume.read(window, slice(3, 9))
        assert part.dtype == np.float32
        np.testing.assert_allclose(
            part, whole[(slice(3, 9), *window)], rtol=3e-7, atol=1e-7 * scale
        )


def test_a_volume_without_frames_has_no_blocks(tmp_path: Path) -> None:
    still = RawVolume(
        np.zeros(GRID.shape, np.int16), np.ones(4), np.zeros(4), GRID, "Bq/ml"
    )  # fmt: skip
    path = str(write_raw(str(tmp_path), "1.2", still)["volume_path"])
    with pytest.raises(InvalidInputError, match="no frames"):
        DynamicVolume(str(tmp_path), path)
