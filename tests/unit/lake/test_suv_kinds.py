"""Kinds of SUV of a volume: multiples of SUVbw from the table, slice by slice, or a refusal."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import lake
from lake import Lake
from lake.volumes import write_raw, write_standard
from schemas.errors import InvalidInputError
from schemas.geometry import Geometry
from schemas.records import Row
from schemas.volume import ImageVolume, RawVolume

GRID = Geometry((3, 2, 2), np.diag([4.0, 4.0, 3.0, 1.0]))
STORED = np.arange(12, dtype=np.int16).reshape(3, 2, 2)
#: SUVbw per Bq/ml of each slice: not corrected for decay.
FACTORS = np.array([0.1, 0.2, 0.4])


def raw(unit: str, suv_factor: np.ndarray | None) -> RawVolume:
    return RawVolume(STORED, np.full(3, 2.0), np.zeros(3), GRID, unit, suv_factor)


def kinds(series: str) -> list[Row]:
    common: Row = {"series_instance_uid": series, "suv_unit": "g/ml", "run_id": "r"}
    refused: Row = {
        "normalisation": "suv_ibw",
        "normalisation_status": "refused",
        "normalisation_reason_text": "Patient sex M, F or O is needed for this SUV type.",
    }
    return [
        common | {"normalisation": "suv_bw", "per_suvbw": 1.0},
        common | {"normalisation": "suv_bsa", "per_suvbw": 0.25, "suv_unit": "cm2/ml"},
        common | refused,
    ]


@pytest.fixture
def lk(tmp_path: Path) -> Iterator[Lake]:
    with lake.create(tmp_path / "lake") as opened:
        root = opened.volumes_root
        image = ImageVolume(STORED.astype(np.float32), GRID, "SUVbw")
        volumes = [
            write_raw(root, "1.1", raw("Bq/ml", FACTORS)),
            write_raw(root, "1.2", raw("SUVbw", None)),
            write_raw(root, "1.3", raw("Bq/ml", None)),
            write_standard(
                root, "1.1", image, profile_id="p", profile_digest="d", parent_volume_id="v"
            ),
        ]
        with opened.transaction(message="test") as tx:
            tx.insert("volumes", [v | {"run_id": "r"} for v in volumes])
            tx.insert("suv_factors", [*kinds("1.1"), *kinds("1.2"), *kinds("1.3")])
        yield opened


def test_each_slice_keeps_its_own_factor(lk: Lake) -> None:
    """Stored x slope 2 x factor of the slice x 0.25."""
    found = lk.volume("1.1", quantity="suv_bsa")
    expected = STORED * 2.0 * FACTORS[:, None, None] * 0.25
    np.testing.assert_allclose(found.values, expected, rtol=1e-6)
    np.testing.assert_allclose(found[2, 0].values, expected[2, 0], rtol=1e-6)
    assert (found.attrs["units"], found.attrs["quantity"]) == ("cm2/ml", "suv_bsa")


def test_suv_of_the_scanner_and_standard_volumes(lk: Lake) -> None:
    np.testing.assert_allclose(lk.volume("1.2", quantity="suv_bsa").values, STORED * 0.5)
    np.testing.assert_allclose(lk.volume("1.2", quantity="suv_bw").values, STORED * 2.0)
    standard = lk.volume("1.1", "standard", quantity="suv_bsa")
    np.testing.assert_allclose(standard.values, STORED * 0.25)
    assert standard[1, 1, 1] == 7 * 0.25


@pytest.mark.parametrize(
    ("series", "quantity", "said"),
    [
        ("1.1", "suv_ibw", "refused: Patient sex"),
        ("1.1", "suv_lbm", "not one of suv, native, stored, suv_bsa, suv_bw, suv_ibw"),
        ("1.3", "suv_bsa", "is in Bq/ml: there is no SUV of it"),
    ],
)
def test_never_another_unit_instead(lk: Lake, series: str, quantity: str, said: str) -> None:
    with pytest.raises(InvalidInputError, match=said):
        lk.volume(series, quantity=quantity)


def test_series_without_suv(lk: Lake) -> None:
    with lk.transaction(message="test") as tx:
        tx.delete("suv_factors", {"series_instance_uid": ["1.3"]})
    with pytest.raises(InvalidInputError, match="no SUV of any kind"):
        lk.volume("1.3", quantity="suv_bsa")
