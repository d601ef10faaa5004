"""Colours against the definition of the standard, and blending by hand."""

from __future__ import annotations

import numpy as np
import pytest

from tasks.pictures.palettes import PALETTES, colour_map, coloured, fused, palette


def test_hot_iron_is_that_of_the_standard() -> None:
    """PS3.6 B.1.1: red rises by 2 to 255, then green by 2, and blue by 4 in the last quarter."""
    i = np.arange(256)
    red = np.minimum(2 * i, 255)
    green = np.where(i < 128, 0, 2 * (i - 128))
    blue = np.where(i < 192, 0, 4 * (i - 191))
    green[255] = blue[255] = 255
    np.testing.assert_array_equal(palette("hot_iron"), np.stack([red, green, blue], axis=1))


def test_pet_and_hot_metal_blue_at_points_of_the_standard() -> None:
    """PS3.6 B.1.2 and B.1.3."""
    assert palette("pet")[[0, 32, 128, 192, 255]].tolist() == [
        [0, 0, 0], [0, 65, 63], [128, 0, 255], [255, 128, 0], [255, 255, 255],
    ]  # fmt: skip
    blue = palette("hot_metal_blue")
    assert blue[[0, 102, 153, 255]].tolist() == [
        [0, 0, 0], [50, 0, 200], [190, 64, 0], [255, 255, 255],
    ]  # fmt: skip


def test_greys_run_against_each_other() -> None:
    np.testing.assert_array_equal(palette("grey")[::-1], palette("inverse_grey"))
    assert palette("inverse_grey")[0].tolist() == [255, 255, 255]


def test_the_colour_bar_has_the_colours_of_the_picture() -> None:
    for name in PALETTES:
        shown = np.rint(colour_map(name)(np.arange(256))[:, :3] * 255)
        np.testing.assert_array_equal(shown, palette(name))


def test_unknown_palettes_are_refused() -> None:
    with pytest.raises(ValueError, match="rainbow"):
        palette("rainbow")


def test_values_take_the_colour_of_their_place_in_the_window() -> None:
    values = np.array([[np.nan, -np.inf, 2.0], [4.0, 6.0, np.inf]])
    drawn = coloured(values, 2.0, 6.0, "grey")
    assert drawn[..., 0].tolist() == [[0, 0, 0], [128, 255, 255]]


def test_fusion_leaves_the_ct_alone_where_there_is_no_uptake() -> None:
    emission = np.array([0.0, -3.0, np.nan, 3.5, 7.0])
    ct = np.array([240.0, 40.0, -160.0, -160.0, -160.0])
    drawn = fused(emission, (0.0, 7.0), ct, (-160.0, 240.0))
    assert drawn[:3].tolist() == [[255] * 3, [128] * 3, [0] * 3]
    # at the middle of the window and beyond: 80 % of hot iron on a black CT
    assert drawn[3].tolist() == [204, 0, 0]
    assert drawn[4].tolist() == [204, 204, 204]


def test_fusion_grows_in_proportion() -> None:
    (quarter,) = fused(np.array([1.75]), (0.0, 7.0), np.array([240.0]), (-160.0, 240.0))
    # opacity 0.4 of hot iron's colour 64 (128, 0, 0) on white
    assert quarter.tolist() == [round(0.4 * 128 + 0.6 * 255), 153, 153]
