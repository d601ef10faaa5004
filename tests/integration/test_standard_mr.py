"""MR of the brain onto the scale of its white matter, from DICOM to the standard volume."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from scipy.stats import norm

import lake
from flows.standardise import standardise
from tasks.dicom.kinds import MR_IMAGE
from tests.support.dicom_objects import SERIES, pet_series, set_pixels, structure_set
from tests.support.taken_in import take_in

pytestmark = [pytest.mark.xdist_group("prefect"), pytest.mark.usefixtures("prefect_server")]

#: Air, fluid, grey and white matter: mean signal and spread, and the radius that each ends at, mm.
TISSUES: Final = ((0.0, 4.0, 99.0), (150.0, 20.0, 14.0), (300.0, 20.0, 12.0), (500.0, 20.0, 9.0))
WHITE: Final = (500.0, 20.0)
SHAPE: Final = (32, 32, 32)
OF_BRAIN: Final = """
kind = "standard"
profile_id = "mr-brain/1"
modality = "MR"
normalisation = "white-stripe"
contrast = "T1"
reference_roi = "brain"
"""


def radius_mm() -> NDArray[np.float64]:
    """Distance of every voxel from the middle."""
    z, y, x = np.indices(SHAPE) - 15.5
    return np.asarray(np.sqrt(z**2 + y**2 + x**2))


def head() -> NDArray[np.int16]:
    """Spheres in one another, voxels of 1 mm, with noise."""
    random = np.random.default_rng(8)
    signal = np.zeros(SHAPE)
    for mean, spread, end in TISSUES:
        here = radius_mm() < end
        signal[here] = random.normal(mean, spread, int(here.sum()))
    return np.abs(np.rint(signal)).astype(np.int16)


def mr_series(stored: NDArray[np.int16], series: str) -> list[Dataset]:
    """Axial slices of 1 mm."""
    objects = pet_series(len(stored), spacing=1.0, pixel_spacing=(1.0, 1.0), series=series)
    for ds, plane in zip(objects, stored, strict=True):
        ds.SOPClassUID, ds.Modality = MR_IMAGE, "MR"
        ds.RescaleSlope, ds.SliceThickness = "1", "1"
        for name in ("Units", "DecayCorrection", "RadiopharmaceuticalInformationSequence"):
            del ds[name]
        set_pixels(ds, plane)
    return objects


def brain_contours() -> Dataset:
    """A square of 12 mm in every plane of the middle: white matter and some grey at its corners."""
    square = [(-0.5, -10.5), (11.5, -10.5), (11.5, 1.5), (-0.5, 1.5)]
    return structure_set(
        {"Brain": [[v for xy in square for v in (*xy, -290.0 + z)] for z in range(12)]}
    )


@pytest.fixture(scope="module")
def mr_lake(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    location = tmp_path_factory.mktemp("mr") / "lake"
    with lake.create(location) as lk:
        objects = mr_series(head(), SERIES) + mr_series(
            np.full((3, 32, 32), 100, np.int16), SERIES + ".2"
        )
        uids = take_in(lk, [*objects, brain_contours()])
    (location / "profiles").mkdir(exist_ok=True)
    (location / "profiles" / "brain.toml").write_text(OF_BRAIN)
    return location, uids


def test_mr_is_made_where_it_is_asked_for(mr_lake: tuple[Path, list[str]]) -> None:
    location, (uid, constant, *_) = mr_lake
    assert standardise(str(location), workers=1) == {"n_written": 0, "n_failed": 0}
    counts = standardise(str(location), profiles=["mr-t1-1mm/1"], workers=1)
    assert counts == {"n_written": 1, "n_failed": 1}
    again = standardise(str(location), profiles=["mr-t1-1mm/1"], workers=1)
    assert again["n_written"] == 0
    with lake.open(location, read_only=True) as lk:
        volume = lk.volume(uid, "standard", "mr-t1-1mm/1")
        raw = lk.volume(uid, "raw").values
        found = lk.sql("SELECT subject_id, rule_id, message FROM findings").fetchall()
        stored = lk.sql("SELECT value_unit FROM volumes WHERE zone = 'standard'").fetchall()
    ((subject, rule, message),) = found
    assert (subject, rule) == (constant, "STD-9")
    assert "mr-t1-1mm/1: the image has 0 foreground voxels" in message
    assert stored == [("1",)]
    about = volume.attrs["intensity_normalisation"]
    assert (about["method"], about["contrast"], about["reference_roi"], about["unit_before"]) == (
        "white-stripe", "T1", None, "1",
    )  # fmt: skip
    # voxels are the old ones here, so that every value can be told from the raw one
    expected = (raw - about["mean"]) / about["standard_deviation"]
    assert np.allclose(volume.values, expected, atol=1e-5)
    bright = raw[raw > raw.mean()]
    assert about["n_voxels"] == pytest.approx(0.1 * bright.size, rel=0.3)  # whole numbers tie
    white = radius_mm() < 9
    z = float(norm.ppf(0.5 + 0.05 * bright.size / white.sum()))
    stripe = WHITE[1] * (1 - 2 * z * norm.pdf(z) / (2 * norm.cdf(z) - 1)) ** 0.5
    assert about["mean"] == pytest.approx(WHITE[0], abs=0.25 * WHITE[1])
    assert about["standard_deviation"] == pytest.approx(stripe, rel=0.15)


def test_a_drawn_brain_takes_the_place_of_the_foreground(
    mr_lake: tuple[Path, list[str]],
) -> None:
    location, (uid, constant, *_) = mr_lake
    counts = standardise(str(location), profiles=["mr-brain/1"], workers=1)
    with lake.open(location, read_only=True) as lk:
        about = lk.volume(uid, "standard", "mr-brain/1").attrs["intensity_normalisation"]
        found = lk.sql(
            "SELECT subject_id, rule_id FROM findings WHERE message LIKE '%mr-brain/1%'"
        ).fetchall()
    assert about["reference_roi"] == "brain"
    assert about["n_voxels"] == pytest.approx(0.1 * 12**3, rel=0.3)
    assert about["mean"] == pytest.approx(WHITE[0], abs=0.25 * WHITE[1])
    assert counts == {"n_written": 1, "n_failed": 0}
    assert found == [(constant, "STD-7")]
    assert standardise(str(location), profiles=["mr-brain/1"], workers=1)["n_written"] == 0
