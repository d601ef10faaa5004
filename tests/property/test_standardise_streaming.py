"""How a volume is cut for reading and writing changes nothing of its standard volume."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from lake.volumes import open_raw, read_image, write_raw, write_standard
from schemas.geometry import Geometry
from schemas.profiles import StandardProfile
from schemas.volume import ImageBlocks, ImageVolume, RawVolume
from tasks.standardise import standardise, standardised_blocks
from tasks.standardise.source import VoxelSource, quantified_source

sizes = st.integers(1, 70)
ORDERS = st.sampled_from([0, 1, 3, 5])
WIDTHS = st.sampled_from([None, (4.0, 6.0, 5.0)])


def _turned(axes: str, degrees: float, spacing: tuple[float, float, float]) -> Geometry:
    affine = np.eye(4)
    affine[:3, :3] = Rotation.from_euler(axes, degrees, degrees=True).as_matrix() * spacing
    return Geometry((61, 23, 19), affine)


#: As acquired: axial from either end, coronal, and with a tilt.
GEOMETRIES = (
    _turned("x", 0.0, (2.0, 3.0, 2.5)),
    _turned("y", 180.0, (2.0, 3.0, 2.5)),
    _turned("x", 90.0, (2.0, 3.0, 2.5)),
    _turned("x", 12.0, (2.0, 3.0, 2.5)),
)
STORED = np.random.default_rng(0).integers(-500, 3000, (61, 23, 19), dtype=np.int16)
LINES = (np.linspace(0.5, 1.5, 61), np.linspace(-9.0, 3.0, 61), np.full(61, 0.1))


def _source(geometry: Geometry, piece: tuple[int, int, int]) -> VoxelSource:
    return quantified_source(geometry, lambda box: STORED[box], LINES, piece)


@settings(max_examples=25, deadline=None)
@given(
    geometry=st.sampled_from(GEOMETRIES), piece=st.tuples(sizes, sizes, sizes), order=ORDERS,
    widths=WIDTHS,
)  # fmt: skip
def test_pieces_of_any_size_give_the_same_bits(
    geometry: Geometry,
    piece: tuple[int, int, int],
    order: int,
    widths: tuple[float, float, float] | None,
) -> None:
    profile = StandardProfile("t/1", "PT", (1.3, 2.9, 2.2), order, True, widths)
    cut = standardised_blocks(_source(geometry, piece), "SUVbw", {}, profile).collected()
    raw = RawVolume(STORED, LINES[0], LINES[1], geometry, "Bq/ml", LINES[2])
    whole = standardise(raw, profile)
    assert cut.geometry.digest() == whole.geometry.digest()
    assert np.array_equal(cut.values, whole.values)


@settings(max_examples=15, deadline=None)
@given(
    shape=st.tuples(st.integers(1, 130), st.integers(1, 70), st.integers(1, 9)),
    cuts=st.lists(st.integers(1, 50), min_size=1, max_size=5),
    levels=st.integers(1, 4),
)
def test_blocks_of_any_size_are_the_same_volume_on_disk(
    shape: tuple[int, int, int], cuts: list[int], levels: int
) -> None:
    values = np.random.default_rng(1).normal(size=shape).astype(np.float32)
    values[0] = 0.0
    image = ImageVolume(values, Geometry(shape, np.diag([2.0, 2.0, 2.0, 1.0])), "SUVbw", {"a": 1})

    def blocks() -> Iterator[np.ndarray]:
        start = turn = 0
        while start < shape[0]:
            yield values[start : start + cuts[turn % len(cuts)]]
            start, turn = start + cuts[turn % len(cuts)], turn + 1

    cut = ImageBlocks(image.geometry, image.value_unit, blocks(), image.attributes)
    with TemporaryDirectory() as one, TemporaryDirectory() as other:
        rows = [
            write_standard(root, "1.2", volume, profile_id="t/1", profile_digest="d",
                           parent_volume_id="p", levels=levels)
            for root, volume in ((one, image), (other, cut))
        ]  # fmt: skip
        assert rows[0] == rows[1]
        assert _files(Path(one)) == _files(Path(other))
        found = read_image(one, str(rows[0]["volume_path"]))
        assert np.array_equal(found.values, values)


def _files(root: Path) -> dict[str, bytes]:
    return {p.relative_to(root).as_posix(): p.read_bytes() for p in root.rglob("*") if p.is_file()}


def test_from_disk_to_disk_equals_memory(tmp_path: Path) -> None:
    root, profile = str(tmp_path), StandardProfile("t/1", "PT", (1.3, 2.9, 2.2), 3)
    raw = RawVolume(STORED, LINES[0], LINES[1], GEOMETRIES[0], "Bq/ml", LINES[2])
    slabs = open_raw(root, str(write_raw(root, "1.2", raw)["volume_path"]))
    lines = (slabs.rescale_slope, slabs.rescale_intercept, slabs.suv_factor)
    source = quantified_source(slabs.geometry, slabs.stored, lines, slabs.chunk)
    made = standardised_blocks(source, "SUVbw", slabs.attributes, profile)
    row = write_standard(
        root, "1.2", made, profile_id="t/1", profile_digest="d", parent_volume_id="p"
    )
    found = read_image(root, str(row["volume_path"]))
    assert np.array_equal(found.values, standardise(raw, profile).values)
    assert row["value_min"] == found.values.min()
    assert row["value_max"] == found.values.max()
