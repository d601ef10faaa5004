"""Simulated dynamic and gated PET: what is painted, and that the objects are valid."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pydicom
import pytest

from tasks.simulate.cohort import simulate_cohort
from tasks.simulate.dicom_frames import write_dynamic_pet, write_gated_pet
from tasks.simulate.kinetics import dynamic_image, gated_image
from tasks.simulate.scanner import centre_profile
from tests.unit.simulate.test_simulate_conformance import _violations


def test_curves_rise_where_tracer_is_trapped_and_fall_in_blood() -> None:
    image = dynamic_image()
    assert image.blood_suv[0] == 0  # the scan starts before the injection
    assert image.blood_suv.argmax() in (2, 3)
    assert (np.diff(image.lesion_suv[6:]) > 0).all()
    assert (np.diff(image.blood_suv[6:]) < 0).all()
    np.testing.assert_array_equal(image.start_s[1:], np.cumsum(image.duration_s)[:-1])


def test_voxels_inside_a_solid_hold_its_curve() -> None:
    """The voxel next to (36, 4, 28) mm lies in the lesion, that next to (-36, 4, 28) in blood."""
    image = dynamic_image()
    z, y, x = image.grid.axis_coordinates()
    at = [int(np.abs(axis - mm).argmin()) for axis, mm in ((z, 28.0), (y, 4.0))]
    for mm, curve in ((36.0, image.lesion_suv), (-36.0, image.blood_suv)):
        column = int(np.abs(x - mm).argmin())
        np.testing.assert_allclose(image.suv[:, at[0], at[1], column], curve, rtol=1e-6)


def test_the_blood_pool_beats() -> None:
    """Its volume follows the radius: 27 mm in the first gate, 17 mm in the fifth."""
    image = gated_image()
    volume = (image.suv == np.float32(4.0)).sum(axis=(1, 2, 3))
    assert volume.argmax() == 0
    assert volume.argmin() == 4
    assert volume[1] == volume[7]


@pytest.mark.parametrize("index", [0, 1, 2])
def test_objects_are_valid_and_count_their_frames(tmp_path: Path, index: int) -> None:
    profile = centre_profile(index)
    for write, kind in ((write_dynamic_pet, "DYNAMIC"), (write_gated_pet, "GATED")):
        series = write(tmp_path / kind, profile)
        objects = [pydicom.dcmread(path) for frame in series.paths for path in frame]
        assert _violations(objects[0]) == []
        assert {ds.SeriesType[0] for ds in objects} == {kind}
        assert sorted(int(ds.ImageIndex) for ds in objects) == list(range(1, len(objects) + 1))
        assert len({ds.SOPInstanceUID for ds in objects}) == len(objects)
        count = "NumberOfTimeSlices" if kind == "DYNAMIC" else "NumberOfTimeSlots"
        assert objects[0][count].value == len(series.paths)


def test_a_cohort_with_frames_says_where_they_end(tmp_path: Path) -> None:
    simulate_cohort(tmp_path / "c", centres=1, patients_per_centre=1, spect_patients=0,
                    voxel_scale=4.0, workers=1, dirt=False, frames=True)  # fmt: skip
    with (tmp_path / "c/truth/expected_outcomes.csv").open(encoding="utf-8") as stream:
        listed = {row["path"] for row in csv.DictReader(stream)}
    root = tmp_path / "c/dicom"
    assert listed == {p.relative_to(root).as_posix() for p in root.rglob("*.dcm")}
    with (tmp_path / "c/truth/curves.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["series_type"] for row in rows] == ["DYNAMIC"] * 12 + ["GATED"] * 8
    image = dynamic_image()
    assert [float(row["lesion_suv"]) for row in rows[:12]] == pytest.approx(
        image.lesion_suv, abs=1e-6
    )
