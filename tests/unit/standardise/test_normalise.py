"""Scales that refer to a region: by hand."""

from __future__ import annotations

import numpy as np
import pytest

from schemas.geometry import Geometry
from schemas.volume import ImageBlocks, ImageVolume
from tasks.standardise.normalise import NoReferenceError, Reference, normalised, reference_of


def blocks(values: np.ndarray) -> ImageBlocks:
    geometry = Geometry((4, 2, 2), np.eye(4))
    return ImageBlocks(geometry, "SUVbw", iter([values[:3], values[3:]]), {"centre": "A"})


VALUES = np.arange(16, dtype=np.float32).reshape(4, 2, 2)
MASK = (VALUES >= 2) & (VALUES < 12)  # 2 to 11: mean 6.5, variance 82.5 / 9


def test_reference_by_hand() -> None:
    found = reference_of(VALUES, MASK)
    assert (found.mean, found.n_voxels) == (6.5, 10)
    assert found.standard_deviation == pytest.approx((82.5 / 9) ** 0.5)


def test_ratio_has_mean_one_in_its_reference() -> None:
    out = normalised(blocks(VALUES), "ratio", "liver", reference_of(VALUES, MASK)).collected()
    assert isinstance(out, ImageVolume)
    assert out.values[MASK].mean() == pytest.approx(1.0)
    assert out.values[3, 1, 1] == pytest.approx(15 / 6.5)
    assert out.value_unit == "1"
    assert out.attributes["centre"] == "A"
    about = out.attributes["intensity_normalisation"]
    assert isinstance(about, dict)
    assert (about["method"], about["reference_roi"], about["unit_before"]) == (
        "ratio", "liver", "SUVbw",
    )  # fmt: skip


def test_z_score_has_mean_zero_and_spread_one() -> None:
    out = normalised(blocks(VALUES), "z-score", "wm", reference_of(VALUES, MASK)).collected()
    assert out.values[MASK].mean() == pytest.approx(0.0, abs=1e-6)
    assert out.values[MASK].std(ddof=1) == pytest.approx(1.0)


def test_without_a_scale_there_is_no_image() -> None:
    with pytest.raises(NoReferenceError, match="has 3 voxels"):
        reference_of(VALUES, VALUES < 3)
    for method, reference in (
        ("ratio", Reference(0.0, 1.0, 10)), ("ratio", Reference(-2.0, 1.0, 10)),
        ("z-score", Reference(1.0, 0.0, 10)),
    ):  # fmt: skip
        with pytest.raises(NoReferenceError, match="of the reference region"):
            normalised(blocks(VALUES), method, "x", reference)
