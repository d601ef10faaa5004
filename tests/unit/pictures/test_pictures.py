from __future__ import annotations

import io
import struct
from concurrent.futures import ThreadPoolExecutor

import matplotlib.image
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from schemas.geometry import FloatArray, Geometry
from schemas.volume import ImageVolume
from tasks.pictures.bars import bar_png
from tasks.pictures.distributions import distributions_png
from tasks.pictures.mip import mip_png
from tasks.pictures.orientation import to_patient
from tasks.pictures.window import upper_limit

SHAPE = (30, 20, 24)  # 150 mm high, 80 mm deep, 96 mm wide


def phantom(unit: str = "SUVbw", scale: float = 1.0) -> tuple[ImageVolume, NDArray[np.bool_]]:
    """A body with one lesion: to the head, to the front, to the patient's left."""
    geometry = Geometry(SHAPE, np.diag([4.0, 4.0, 5.0, 1.0]))
    values = np.zeros(SHAPE, dtype=np.float32)
    values[1:29, 3:17, 3:21] = 1.0
    mask = np.zeros(SHAPE, dtype=np.bool_)
    mask[22:26, 5:8, 15:18] = True
    values[mask] = 9.0
    return ImageVolume(values * np.float32(scale), geometry, unit), mask


def pixels(png: bytes) -> FloatArray:
    """Grey values (rows, columns), 0 black to 1 white."""
    image = matplotlib.image.imread(io.BytesIO(png), format="png")
    return np.asarray(image[..., :3].mean(axis=-1), dtype=np.float64)


def size(png: bytes) -> tuple[int, int]:
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", png[16:24])
    return int(width), int(height)


def test_mip_shows_the_patient_upright_and_right_on_the_left() -> None:
    volume, _ = phantom()
    image = pixels(mip_png(volume))[34:-12, 14:654]  # without title, frame and colour bar
    inked = np.flatnonzero((image < 0.95).any(axis=0))
    split = int(inked[np.argmax(np.diff(inked))]) + 8  # the gap between the two views
    row, column = _largest_dark(image[:, :split] < 0.1)
    assert row < 0.35 * image.shape[0]  # to the head
    assert column > 0.55 * split  # patient's left
    row, column = _largest_dark(image[:, split:] < 0.1)
    assert row < 0.35 * image.shape[0]
    assert column < 0.5 * (inked[-1] - split)  # the front


def _largest_dark(black: NDArray[np.bool_]) -> tuple[float, float]:
    labels, n = ndimage.label(black)
    sizes = ndimage.sum_labels(black, labels, np.arange(1, n + 1))
    row, column = ndimage.center_of_mass(black, labels, int(np.argmax(sizes)) + 1)
    return float(row), float(column)


def test_axes_run_to_head_back_and_left() -> None:
    volume, _ = phantom()
    turned = to_patient(volume.values, volume.geometry)
    assert turned.values.shape == SHAPE
    assert turned.spacing_mm == (5.0, 4.0, 4.0)


@pytest.mark.parametrize("axes", [(0, 1, 2), (1, 0, 2), (2, 1, 0), (1, 2, 0), (2, 0, 1)])
@pytest.mark.parametrize("flips", [(1, 1, 1), (-1, 1, 1), (1, -1, -1)])
def test_storage_order_does_not_change_a_picture(
    axes: tuple[int, int, int], flips: tuple[int, int, int]
) -> None:
    volume, mask = phantom()
    stored, geometry = _stored(volume.values, volume.geometry, axes, flips)
    stored_mask, _ = _stored(mask, volume.geometry, axes, flips)
    other = ImageVolume(stored.astype(np.float32), geometry, "SUVbw")
    np.testing.assert_array_equal(to_patient(stored, geometry).values, volume.values)
    assert mip_png(other, stored_mask) == mip_png(volume, mask)


def _stored(
    values: NDArray[np.generic],
    geometry: Geometry,
    axes: tuple[int, int, int],
    flips: tuple[int, int, int],
) -> tuple[NDArray[np.generic], Geometry]:
    """The same voxels with axes permuted and turned round, and the affine that says so."""
    array = values.transpose(axes)[tuple(slice(None, None, f) for f in flips)]
    change = np.zeros((4, 4))
    change[3, 3] = 1.0
    for new, (old, flip) in enumerate(zip(axes, flips, strict=True)):
        change[2 - old, 2 - new] = flip
        change[2 - old, 3] = array.shape[new] - 1 if flip < 0 else 0
    nz, ny, nx = array.shape
    return array, Geometry((nz, ny, nx), geometry.affine @ change)


def test_equal_input_gives_equal_bytes_also_in_threads() -> None:
    volume, mask = phantom()
    with ThreadPoolExecutor(4) as pool:
        mips = list(pool.map(lambda _: mip_png(volume, mask, title="a"), range(6)))
    assert len(set(mips)) == 1
    assert b"Software" not in mips[0]


def test_widths_are_readable() -> None:
    volume, mask = phantom()
    assert size(mip_png(volume, mask))[0] == 760
    tall = ImageVolume(
        np.ones((400, 10, 10), dtype=np.float32),
        Geometry((400, 10, 10), np.diag([4.0, 4.0, 5.0, 1.0])),
        "SUVbw",
    )
    assert size(mip_png(tall))[1] <= 900
    flat = ImageVolume(
        np.ones((2, 100, 100), dtype=np.float32),
        Geometry((2, 100, 100), np.diag([4.0, 4.0, 5.0, 1.0])),
        "SUVbw",
    )
    assert size(mip_png(flat))[1] >= 160


def test_outline_is_drawn() -> None:
    volume, mask = phantom()
    assert mip_png(volume, mask) != mip_png(volume, np.zeros_like(mask))
    labels = mask.astype(np.uint16) * 3
    assert mip_png(volume, labels) == mip_png(volume, mask)


def test_empty_and_broken_volumes_still_give_a_picture() -> None:
    geometry = Geometry(SHAPE, np.diag([4.0, 4.0, 5.0, 1.0]))
    for fill in (0.0, np.nan, -3.0):
        volume = ImageVolume(np.full(SHAPE, fill, dtype=np.float32), geometry, "CNTS")
        assert size(mip_png(volume))[0] == 760


def test_window_follows_the_unit() -> None:
    assert upper_limit(np.array([20.0]), "SUVbw") == 7.0
    assert upper_limit(np.linspace(0, 20000, 1001), "Bq/ml") == 20000.0
    assert upper_limit(np.array([np.nan, -1.0]), "CNTS") == 1.0
    assert upper_limit(np.array([0.00123]), "1") == pytest.approx(0.0013)


def groups(*sizes: int) -> dict[str, FloatArray]:
    random = np.random.default_rng(4)
    return {f"centre {k}": random.gamma(3.0, 1.0, n) for k, n in enumerate(sizes)}


@pytest.mark.parametrize(
    "before",
    [
        groups(20, 30, 12),
        groups(1, 0, 3),
        groups(0),
        {},
        {"A": np.full(12, 2.0), "B": np.array([np.nan, 1.0, np.inf])},
        groups(*[9] * 14),
        {"one": np.array([0.0])},
        groups(5000),
    ],
)
def test_distributions_of_any_size(before: dict[str, FloatArray]) -> None:
    after = {name: values * 0.9 for name, values in before.items()}
    picture = distributions_png(before, after, "suv_mean", "g/ml")
    assert size(picture) == (820, 420)
    assert picture == distributions_png(before, after, "suv_mean", "g/ml")


def test_centre_without_values_afterwards() -> None:
    assert size(distributions_png(groups(9, 9), groups(9), "glcm_contrast", "1")) == (820, 420)


@pytest.mark.parametrize(
    "counts",
    [{"ingested": 1200, "quarantined": 3, "ignored": 0}, {}, {"ingested": 0}, {"PT": 5, "CT": 4}],
)
def test_bars(counts: dict[str, int]) -> None:
    picture = bar_png(counts, title="Files by outcome")
    assert size(picture)[0] == 640
    assert picture == bar_png(counts, title="Files by outcome")
