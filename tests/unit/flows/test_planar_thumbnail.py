"""Thumbnails of stored planar volumes: pictures of frames, not projections of a slab."""

from __future__ import annotations

import io
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest

from flows.work.thumbnails import ThumbnailJob, draw_thumbnail
from lake.volumes import write_raw
from schemas.geometry import Geometry
from schemas.volume import FrameAxis, RawVolume


@pytest.mark.parametrize(("n_frames", "n_shown"), [(1, 1), (2, 2), (9, 4)])
def test_a_whole_body_is_as_high_as_it_is(tmp_path: Path, n_frames: int, n_shown: int) -> None:
    """Frames of 100 x 20 pixels of 2 mm: 200 pixels high, 40 wide, 6 between them."""
    stored = np.ones((n_frames, 1, 100, 20), dtype=np.uint16)
    lines = np.ones((n_frames, 1))
    volume = RawVolume(
        stored, lines, 0 * lines, Geometry((1, 100, 20), np.diag([2.0, 2.0, 1.0, 1.0])), "CNTS",
        attributes={"is_planar": True}, frames=FrameAxis("view", n_frames),
    )  # fmt: skip
    path = str(write_raw(str(tmp_path), "1.2", volume)["volume_path"])
    png = draw_thumbnail(str(tmp_path), ThumbnailJob(path, "NM"))
    height, width = matplotlib.image.imread(io.BytesIO(png), format="png").shape[:2]
    assert (height, width) == (200, 40 * n_shown + 6 * (n_shown - 1))
