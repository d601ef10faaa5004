"""A dynamic and a gated PET through the whole ingestion, the dynamic one in two nights."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

import lake
from flows.ingest import ingest
from flows.standardise import standardise
from lake.verify import verify
from schemas.geometry import FloatArray
from tasks.simulate.dicom_frames import FramedSeries, write_dynamic_pet, write_gated_pet
from tasks.simulate.scanner import centre_profile

pytestmark = [pytest.mark.xdist_group("prefect"), pytest.mark.usefixtures("prefect_server")]

#: Frames that arrive in the first night.
FIRST_NIGHT = 7
#: Stored values are whole numbers up to 32760 per slice maximum: half a step of the highest SUV.
HALF_STEP_SUV = 21.5 / 32760 / 2 * 1.01


@dataclass(frozen=True)
class TwoNights:
    """A lake after two nights, and what was written for it."""

    location: Path
    dynamic: FramedSeries
    gated: FramedSeries
    counts: tuple[dict[str, int], dict[str, int]]
    first_snapshot: int

    def rows(self, query: str) -> list[Sequence[object]]:
        with lake.open(self.location, read_only=True) as lk:
            return list(lk.sql(query).fetchall())


@pytest.fixture(scope="module")
def nights(prefect_server: None, tmp_path_factory: pytest.TempPathFactory) -> TwoNights:
    root = tmp_path_factory.mktemp("framed")
    dynamic = write_dynamic_pet(root / "made" / "dynamic", centre_profile(0))
    gated = write_gated_pet(root / "made" / "gated", centre_profile(0))
    location, inbox = root / "lake", root / "in"
    lake.create(location).close()
    shutil.copytree(root / "made" / "gated", inbox / "gated")
    (inbox / "dynamic").mkdir()

    def arrive(first: int, last: int) -> dict[str, int]:
        for frame in dynamic.paths[first:last]:
            for path in frame:
                shutil.copy2(path, inbox / "dynamic")
        return ingest(str(location), [str(inbox)], workers=1)

    before = arrive(0, FIRST_NIGHT)
    with lake.open(location, read_only=True) as lk:
        snapshot = lk.snapshot
    after = arrive(FIRST_NIGHT, len(dynamic.paths))
    return TwoNights(location, dynamic, gated, (before, after), snapshot)


def _uid(nights: TwoNights, kind: str) -> str:
    (row,) = nights.rows(f"SELECT series_instance_uid FROM volumes WHERE frame_kind = '{kind}'")
    return str(row[0])


def _voxel(series: FramedSeries, x_mm: float) -> tuple[int, int, int]:
    """Voxel (z, y, x) in the middle of the phantom at `x_mm`."""
    inverse = np.linalg.inv(series.image.grid.affine)
    x, y, z, _ = np.rint(inverse @ [x_mm, 4.0, 28.0, 1.0]).astype(int)
    return int(z), int(y), int(x)


def test_every_object_has_its_outcome(nights: TwoNights) -> None:
    n = sum(len(frame) for frame in nights.dynamic.paths)
    first = sum(len(frame) for frame in nights.dynamic.paths[:FIRST_NIGHT])
    n_gated = sum(len(frame) for frame in nights.gated.paths)
    assert nights.counts[0]["n_ingested"] == first + n_gated
    assert (nights.counts[1]["n_ingested"], nights.counts[1]["n_unchanged"]) == (
        n - first, first + n_gated,
    )  # fmt: skip
    assert nights.rows("SELECT DISTINCT outcome FROM files") == [("ingested",)]
    assert nights.rows("SELECT rule_id FROM findings WHERE rule_id LIKE 'ingest%'") == []


def test_a_dynamic_series_that_grew_is_one_longer_volume(nights: TwoNights) -> None:
    query = "SELECT shape_t, shape_z, shape_y, shape_x FROM volumes WHERE frame_kind = 'time'"
    assert nights.rows(query) == [nights.dynamic.image.suv.shape]
    with lake.open(nights.location, read_only=True) as lk:
        (before,) = lk.at(snapshot=nights.first_snapshot).sql(query).fetchall()
    assert before[0] == FIRST_NIGHT


def test_frame_times_are_those_of_the_scan(nights: TwoNights) -> None:
    ((starts, durations),) = nights.rows(
        "SELECT frame_starts_s, frame_durations_s FROM volumes WHERE frame_kind = 'time'"
    )
    assert starts == [0, 10, 20, 30, 40, 50, 60, 120, 180, 240, 540, 840]
    assert durations == [10] * 6 + [60] * 3 + [300] * 2 + [600]
    ((starts, durations),) = nights.rows(
        "SELECT frame_starts_s, frame_durations_s FROM volumes WHERE frame_kind = 'gate'"
    )
    assert starts == [i * 0.125 for i in range(8)]
    assert durations == [75] * 8


@pytest.mark.parametrize(("x_mm", "name"), [(-36.0, "blood_suv"), (36.0, "lesion_suv")])
def test_the_curve_of_a_voxel_is_that_of_the_phantom(
    nights: TwoNights, x_mm: float, name: str
) -> None:
    z, y, x = _voxel(nights.dynamic, x_mm)
    with lake.open(nights.location, read_only=True) as lk:
        image = lk.volume(_uid(nights, "time"))
        assert (image.dims, image.attrs["units"]) == (("t", "z", "y", "x"), "SUVbw")
        curve = image.isel(z=z, y=y, x=x).to_numpy()
    expected: FloatArray = getattr(nights.dynamic.image, name)
    np.testing.assert_allclose(curve, expected, atol=HALF_STEP_SUV, rtol=0)
    assert expected.max() > 5


def test_every_voxel_and_gate_within_quantisation(nights: TwoNights) -> None:
    with lake.open(nights.location, read_only=True) as lk:
        for kind, series in (("time", nights.dynamic), ("gate", nights.gated)):
            image = lk.volume(_uid(nights, kind)).to_numpy()
            np.testing.assert_allclose(image, series.image.suv, atol=HALF_STEP_SUV, rtol=0)


def test_one_decay_reference_serves_all_frames(nights: TwoNights) -> None:
    found = nights.rows(
        "SELECT s.suv_status, s.suv_factor > 0, list_contains(s.suv_derivation, "
        "'Series Type (0054,1000) = DYNAMIC: one t_ref for all frames') "
        "FROM series s JOIN volumes v USING (series_instance_uid) WHERE v.frame_kind = 'time'"
    )
    assert found == [("suv", True, True)]
    rules = nights.rows("SELECT DISTINCT rule_id FROM findings WHERE rule_id IN ('UPT-1', 'DEC-1')")
    assert rules == []


def test_volumes_with_frames_are_kept_as_they_are(nights: TwoNights) -> None:
    assert standardise(str(nights.location), workers=1) == {"n_written": 0, "n_failed": 0}
    with lake.open(nights.location, read_only=True) as lk:
        assert verify(lk) == []
        frames = lk.sql("SELECT n_frames FROM cohort ORDER BY n_frames").fetchall()
    assert frames == [(8,), (12,)]
