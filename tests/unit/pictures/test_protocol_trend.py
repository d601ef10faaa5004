"""Trends of protocol quantities: what is in the picture, by its pixels."""

from __future__ import annotations

import io

import matplotlib.image
import numpy as np
import pytest

from schemas.geometry import FloatArray
from tasks.pictures.protocol_trend import TrendPanel, trend_png

BLUE, ORANGE, RED, ALLOWED = (0, 114, 178), (230, 159, 0), (213, 94, 0), (229, 242, 236)


def panel(values: list[float], outcomes: list[str] | None = None, **more: object) -> TrendPanel:
    given = {
        "is_new": [False] * len(values), "nights": [(0, "25 Nov 26")], "warn": (55.0, 75.0),
        "fail": (45.0, 110.0), **more,
    }  # fmt: skip
    return TrendPanel("A", np.array(values), outcomes or ["passed"] * len(values), **given)  # type: ignore[arg-type]


def pixels(png: bytes) -> FloatArray:
    read = matplotlib.image.imread(io.BytesIO(png))[..., :3]
    return np.rint(np.asarray(read, dtype=np.float64) * 255)


def count(png: bytes, colour: tuple[int, int, int]) -> int:
    return int((pixels(png) == colour).all(axis=-1).sum())


def test_points_have_the_colour_of_their_outcome() -> None:
    plain = trend_png([panel([60, 62, 64])], "UPT-1", "min")
    assert count(plain, BLUE) > 30
    assert count(plain, ORANGE) == 0
    mixed = trend_png([panel([60, 50, 40], ["passed", "warn", "fail"])], "UPT-1", "min")
    assert count(mixed, ORANGE) > 10
    assert count(mixed, RED) > count(plain, RED)  # beside the dashed limits


def test_what_is_allowed_is_shaded_and_new_points_have_a_ring() -> None:
    shaded = trend_png([panel([60, 62])], "t", "min")
    assert count(shaded, ALLOWED) > 5000
    without = trend_png([panel([60, 62], warn=(None, None), fail=(None, None))], "t", "min")
    assert count(without, ALLOWED) == 0
    ringed = trend_png([panel([60, 62], is_new=[False, True])], "t", "min")
    assert (pixels(ringed) != pixels(shaded)).any()


@pytest.mark.parametrize(("n", "rows"), [(1, 1), (3, 1), (4, 2), (7, 3)])
def test_three_panels_side_by_side(n: int, rows: int) -> None:
    picture = pixels(trend_png([panel([60, 62])] * n, "t", "min"))
    assert picture.shape[:2] == (58 + 62 + 150 * rows + 56 * (rows - 1), 860)


def test_one_wild_value_does_not_flatten_the_others() -> None:
    """Limits of 45 to 110 min fill the same part of the axis, however far out a value lies."""
    far = count(trend_png([panel([60, 400.0])], "t", "min"), ALLOWED)
    further = count(trend_png([panel([60, 40000.0])], "t", "min"), ALLOWED)
    assert far == pytest.approx(further, rel=0.02)
    assert trend_png([panel([60, 400.0])], "t", "min") == trend_png(
        [panel([60, 400.0])], "t", "min"
    )
