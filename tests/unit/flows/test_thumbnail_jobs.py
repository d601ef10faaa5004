"""Thumbnails drawn from stored volumes: which frame, and the same picture slab by slab."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from flows.work import thumbnails
from flows.work.thumbnails import ThumbnailJob, draw_thumbnail
from lake.volumes import write_raw
from schemas.geometry import Geometry
from schemas.volume import FrameAxis, RawVolume
from tasks.pictures.projections import projections
from tasks.pictures.thumbnail import emission_thumbnail, planes_thumbnail

GRID = Geometry((70, 20, 24), np.diag([4.0, 4.0, 5.0, 1.0]))


def _still(seed: int, unit: str = "Bq/ml", suv: float | None = 0.01) -> RawVolume:
    stored = np.random.default_rng(seed).integers(0, 900, GRID.shape).astype(np.int16)
    n = GRID.shape[0]
    factor = None if suv is None else np.full(n, suv)
    return RawVolume(stored, np.linspace(1, 2, n), np.zeros(n), GRID, unit, factor)


def test_slabs_and_whole_give_the_same_picture_in_suv(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    volume = _still(1)
    path = str(write_raw(str(tmp_path), "1.2", volume)["volume_path"])
    whole = draw_thumbnail(str(tmp_path), ThumbnailJob(path, "PT"))
    expected = emission_thumbnail(projections([volume.quantified().values]), GRID, "SUVbw")
    assert whole == expected
    monkeypatch.setattr(thumbnails, "_SLAB_VOXELS", 20 * 24 * 11)  # 7 slabs
    assert draw_thumbnail(str(tmp_path), ThumbnailJob(path, "PT")) == expected


def test_a_ct_is_cut_in_its_middle(tmp_path: Path) -> None:
    volume = _still(2, "HU", None)
    path = str(write_raw(str(tmp_path), "1.2", volume)["volume_path"])
    values = volume.values()
    flat = values[35:36], values[:, 10:11], values[:, :, 12:13]
    drawn = draw_thumbnail(str(tmp_path), ThumbnailJob(path, "CT"))
    assert drawn == planes_thumbnail(flat, GRID, "HU")


@pytest.mark.parametrize("modality", ["PT", "MR"])
def test_of_a_dynamic_volume_the_middle_frame_is_drawn(tmp_path: Path, modality: str) -> None:
    frames = [_still(seed) for seed in (1, 2, 3)]
    dynamic = RawVolume(
        stored=np.stack([f.stored for f in frames]),
        rescale_slope=np.stack([f.rescale_slope for f in frames]),
        rescale_intercept=np.zeros((3, 70)),
        geometry=GRID,
        value_unit="Bq/ml",
        suv_factor=np.full((3, 70), 0.01),
        frames=FrameAxis("time", 3, np.array([0.0, 10.0, 20.0]), np.array([10.0, 10.0, 10.0])),
    )
    row = write_raw(str(tmp_path), "1.2", dynamic)
    middle = write_raw(str(tmp_path), "1.3", frames[1])
    drawn, still = (
        draw_thumbnail(str(tmp_path), ThumbnailJob(str(r["volume_path"]), modality))
        for r in (row, middle)
    )
    assert drawn == still
