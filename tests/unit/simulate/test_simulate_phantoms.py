"""Simulated phantoms hold the activity and have the shape that they are said to have."""

from __future__ import annotations

import csv
import tomllib
from pathlib import Path

import numpy as np
import pydicom
import pytest

from tasks.simulate.cohort import simulate_cohort
from tasks.simulate.imaging import axial_grid
from tasks.simulate.phantoms import Blur, Pose, iq_phantom, uniform_cylinder

SHARP = Blur((0.0, 0.0, 0.0))
GRID = axial_grid((70, 90, 90), (4.0, 4.0, 4.0), -170.0)
#: pi 147^2 / 2 + 140 x 77 + pi 77^2 / 2 less the insert's pi 25^2, by 194 mm; ml.
BODY_ML = (33943.3 + 10780.0 + 9313.3 - 1963.5) * 0.194


def ml(image: np.ndarray) -> float:
    return float(image.sum(dtype=np.float64)) * 0.064


def test_the_body_holds_what_its_drawing_says() -> None:
    cold = iq_phantom(GRID, Pose(), SHARP, ratios=(1.0,) * 6)
    assert ml(cold) == pytest.approx(BODY_ML, rel=0.003)


def test_spheres_hold_their_volume_at_any_place() -> None:
    for pose in (Pose((0.0, 0.0, 0.0)), Pose((1.3, -2.7, 0.9), (5.0, 175.0, 30.0))):
        cold = iq_phantom(GRID, pose, SHARP, ratios=(1.0,) * 6)
        hot = iq_phantom(GRID, pose, SHARP, ratios=(11.0,) * 6)
        # 26.52 + 11.49 + 5.575 + 2.572 + 1.150 + 0.5236 ml, times 10
        assert ml(hot - cold) == pytest.approx(478.3, rel=0.002)


def test_blur_keeps_the_activity_and_has_the_width_asked_for() -> None:
    grid = axial_grid((60, 60, 60), (2.0, 2.0, 2.0), -59.0)
    one = (10.0, 1.0, 1.0, 1.0, 1.0, 1.0)
    pose = Pose((-57.2, 0.0, 0.0))  # the largest sphere in the middle of the grid
    widths = []
    for fwhm in ((0.0, 0.0, 0.0), (8.0, 6.0, 4.0)):
        excess = iq_phantom(grid, pose, Blur(fwhm), ratios=one) - iq_phantom(
            grid, pose, Blur(fwhm), ratios=(1.0,) * 6
        )
        total = excess.sum(dtype=np.float64)
        at = (np.arange(60) - 29.5) * 2.0
        axes = [(1, 2), (0, 2), (0, 1)]
        widths.append([float((excess.sum(axis=a) * at**2).sum() / total) for a in axes])
        assert total * 0.008 == pytest.approx(9.0 * 26.52, rel=0.002)
    added = np.sqrt(np.subtract(widths[1], widths[0])) * 2.3548200450309493
    np.testing.assert_allclose(added, (8.0, 6.0, 4.0), rtol=0.005)


def test_the_cylinder_holds_its_volume() -> None:
    image = uniform_cylinder(GRID, Pose((0, 0, -30.0)), SHARP, diameter_mm=200.0, length_mm=220.0)
    assert ml(image) == pytest.approx(6911.5, rel=0.003)  # pi 100^2 220


def test_a_cohort_with_phantoms_says_what_they_were_filled_with(tmp_path: Path) -> None:
    made = simulate_cohort(tmp_path / "c", centres=1, patients_per_centre=1, spect_patients=0,
                           voxel_scale=4.0, workers=1, dirt=False, phantoms=True)  # fmt: skip
    filled = tomllib.loads((made.truth / "phantoms.toml").read_text())["phantom"]
    rows = list(csv.DictReader((made.truth / "phantoms.csv").read_text().splitlines()))
    assert [row["phantom_kind"] for row in rows] == ["iq", "cylinder"]
    for fill, number in zip(filled, (951, 952), strict=True):
        folder = made.dicom / "A" / f"SIM-A-{number}" / "PT"
        header = pydicom.dcmread(next(folder.iterdir()), stop_before_pixels=True)
        assert header.SeriesInstanceUID == fill["series"]
        assert header.BodyPartExamined == "PHANTOM"
        isotope = header.RadiopharmaceuticalInformationSequence[0]
        assert float(isotope.RadionuclideTotalDose) == pytest.approx(1e6 * fill["activity_mbq"])
        assert float(header.PatientWeight) * 1000 == pytest.approx(fill["volume_ml"])
    iq = filled[0]
    ratio = (iq["sphere_activity_mbq"] / iq["sphere_volume_ml"]) / (
        iq["activity_mbq"] / iq["volume_ml"]
    )
    assert ratio == pytest.approx(10.0)
