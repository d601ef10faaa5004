"""The worker side of kinetics: ROIs as contours and masks, and every refusal with its reason."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from distributed import Client

import lake
from flows import parametric
from flows.cluster import Done
from flows.drawn_rois import DrawnRoi, named
from flows.kinetics import forget_gone, publish
from flows.parametric import Finished
from flows.runs import RunLog
from flows.work.features import RoiSource
from flows.work.kinetic_job import Analysed, KineticsJob
from flows.work.kinetics import analyse
from flows.work.parametric import BlockJob, map_block
from lake.volumes import read_image, read_raw, write_mask, write_raw
from lake.volumes.blocks import block_windows
from schemas.geometry import FloatArray, Geometry
from schemas.kinetics import KINETIC_PROFILES, KINETIC_REFUSALS, KineticProfile
from schemas.records import Row
from schemas.volume import FrameAxis, MaskVolume, RawVolume
from tasks.kinetics.compartments import FDG_FRAMES, TwoTissue, feng_input, frames_of
from tasks.kinetics.input_function import BloodSamples

TIMES = frames_of(FDG_FRAMES)
PLASMA = feng_input()
GRID = Geometry((4, 12, 12), np.diag([4.0, 4.0, 4.0, 1.0]))
TISSUES = (None, TwoTissue(0.1, 0.1), TwoTissue(0.1, 0.15, 0.05))
SLOPE = 1 / 200
PATLAK = KINETIC_PROFILES["patlak/1"]


def curve(model: TwoTissue | None) -> FloatArray:
    return (PLASMA if model is None else model.curve(PLASMA)).frame_means(TIMES)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("volumes")


@pytest.fixture(scope="module")
def raw(root: Path) -> str:
    """Columns 0-3 blood, 4-7 reference, 8-11 tumour; in blood the last column is half empty."""
    stored = np.empty((TIMES.n, *GRID.shape), dtype=np.int16)
    for part, model in enumerate(TISSUES):
        stored[..., 4 * part : 4 * part + 4] = np.rint(curve(model) / SLOPE)[:, None, None, None]
    stored[..., 3] //= 2
    lines = np.full((TIMES.n, 4), SLOPE)
    axis = FrameAxis("time", TIMES.n, TIMES.start_s, TIMES.duration_s)
    volume = RawVolume(stored, lines, np.zeros_like(lines), GRID, "Bq/ml", None, {}, axis)
    return str(write_raw(str(root), "1.2", volume)["volume_path"])


@pytest.fixture(scope="module")
def labels(root: Path) -> str:
    """The three parts as a label map on a finer grid."""
    fine = Geometry((8, 24, 24), np.diag([2.0, 2.0, 2.0, 1.0]) + shift(-1.0))
    values = np.zeros(fine.shape, dtype=np.uint8)
    for part in range(3):
        values[..., 8 * part : 8 * part + 8] = part + 1
    return str(write_mask(str(root), "1.3", MaskVolume(values, fine))["volume_path"])


def shift(mm: float) -> FloatArray:
    moved = np.zeros((4, 4))
    moved[:3, 3] = mm
    return moved


def box(number: int, label: str, first_mm: float, last_mm: float) -> RoiSource:
    """Rectangle over x in every slice."""
    planes = tuple(
        np.array(
            [[first_mm, 2, z], [last_mm, 2, z], [last_mm, 42, z], [first_mm, 42, z]], dtype=float
        )
        for z in (0.0, 4.0, 8.0, 12.0)
    )  # fmt: skip
    return RoiSource("1.4", number, label, planes)


AORTA, TUMOUR = box(1, "aorta", -2.0, 14.0), box(3, "tumour", 30.0, 46.0)
OUTSIDE = box(4, "toe", 400.0, 440.0)


def job(path: str, profile: KineticProfile = PATLAK) -> KineticsJob:
    identity: Row = {"series_instance_uid": "1.2", "patient_key": "P", "centre": "A"}
    return KineticsJob(
        "K-1", identity, "raw", path, "suv", True, 0.0, 6586.2, profile, (AORTA,), (TUMOUR,),
        None, False, True, "digest",
    )  # fmt: skip


def parameter(result: Analysed, name: str) -> float:
    (value,) = [
        r["value"] for r in result.rows["kinetic_parameters"] if r["parameter_name"] == name
    ]
    return float(str(value))


def reasons(result: Analysed) -> list[tuple[object, object]]:
    return [(f["rule_id"], f["severity"]) for f in result.rows["findings"]]


def test_contours_and_masks_give_the_same(root: Path, raw: str, labels: str) -> None:
    drawn = analyse(str(root), job(raw))
    seg = replace(
        job(raw),
        sources=(RoiSource("1.3", 1, "aorta", (), labels),),
        targets=(RoiSource("1.3", 3, "tumour", (), labels),),
    )
    masked = analyse(str(root), seg)
    assert parameter(masked, "ki") == pytest.approx(parameter(drawn, "ki"), rel=0.02)
    counts = {
        (r["roi_label"], r["n_voxels"])
        for result in (drawn, masked)
        for r in result.rows["time_activity_curves"]
    }
    assert counts == {("tumour", 4 * 10 * 4), ("aorta", 4 * 10 * 4), ("tumour", 4 * 12 * 4),
                      ("aorta", 4 * 12 * 4)}  # fmt: skip


def test_blocks_equal_the_roi_of_one_tissue(root: Path, raw: str) -> None:
    result = analyse(str(root), job(raw))
    assert result.model is not None
    shape = (TIMES.n, *GRID.shape)
    for window in block_windows(shape):
        ki = map_block(str(root), BlockJob(raw, "suv", window, result.model))[0]
        assert ki[0, 5, 10] == pytest.approx(parameter(result, "ki"), rel=1e-4)
    assert result.attributes["input_source"] == "roi mean"


def test_the_hottest_voxels_leave_the_edge_of_the_vessel_out(root: Path, raw: str) -> None:
    whole = analyse(str(root), job(raw))
    hot = replace(PATLAK, input_statistic="hottest", input_hottest_share=0.5)
    inner = analyse(str(root), job(raw, hot))
    blood = curve(None)
    (analysis,) = inner.rows["kinetic_analyses"]
    assert analysis["input_source"] == "roi hottest 0.5"
    for result, share in ((whole, 0.875), (inner, 1.0)):
        given = np.array([r["input_mean"] for r in result.rows["input_functions"]], float)
        np.testing.assert_allclose(given, share * blood, atol=2 * SLOPE)
    assert parameter(inner, "ki") == pytest.approx(0.875 * parameter(whole, "ki"), rel=2e-3)


def test_a_reference_tissue_instead_of_blood(root: Path, raw: str) -> None:
    profile = KINETIC_PROFILES["ratio-50/1"]
    cerebellum = box(2, "cerebellum", 14.0, 30.0)
    result = analyse(str(root), replace(job(raw, profile), sources=(cerebellum,)))
    late = TIMES.start_s >= 3000
    expected = curve(TISSUES[2])[late].sum() / curve(TISSUES[1])[late].sum()
    assert parameter(result, "ratio") == pytest.approx(expected, rel=2e-3)
    assert result.rows["kinetic_parameters"][0]["standard_error"] is None


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"is_decay_corrected": False}, "not_decay_corrected"),
        ({"sources": ()}, "no_input_roi"),
        ({"sources": (AORTA, TUMOUR)}, "ambiguous_roi"),
        ({"sources": (OUTSIDE,)}, "empty_roi"),
        ({"targets": (), "with_maps": False}, "no_target_roi"),
        ({"profile": replace(PATLAK, t_star_min=None), "targets": ()}, "no_target_roi"),
        ({"sources": (RoiSource("1.4", 9, "aorta", (np.zeros((3, 3)),)),)}, "unusable_roi"),
        ({"profile": replace(PATLAK, weighting="duration_decay"), "half_life_s": None},
         "no_half_life"),
        ({"sources": (TUMOUR,)}, "implausible_input"),
        ({"injection_offset_s": -600.0}, "late_start"),
        ({"refuses_samples": True}, "input_needs_suv"),
        ({"sources": (), "samples": BloodSamples(np.array([5.0, 60.0]), np.array([9.0, 5.0]))},
         "input_too_short"),
    ],
)  # fmt: skip
def test_refusals_are_rows_with_their_reason(
    root: Path, raw: str, change: dict[str, object], reason: str
) -> None:
    given = replace(job(raw), **change)  # type: ignore[arg-type]
    result = analyse(str(root), given)
    (analysis,) = result.rows["kinetic_analyses"]
    assert (analysis["analysis_status"], analysis["reason_code"]) == (
        "refused", f"kinetics.{reason}",
    )  # fmt: skip
    assert str(analysis["reason_text"]).startswith(KINETIC_REFUSALS[f"kinetics.{reason}"])
    assert reasons(result) == [(f"kinetics.{reason}", "fail")]
    assert result.model is None
    assert result.rows["kinetic_parameters"] == []


def test_images_need_no_roi_to_fit(root: Path, raw: str) -> None:
    result = analyse(str(root), replace(job(raw), targets=()))
    (analysis,) = result.rows["kinetic_analyses"]
    assert (analysis["analysis_status"], analysis["t_star_min"]) == ("done", 20.0)
    assert result.model is not None


def test_no_roi_that_can_be_fitted_is_no_result(root: Path, raw: str) -> None:
    strict = replace(PATLAK, t_star_min=None, max_deviation=1e-6)
    result = analyse(str(root), job(raw, strict))
    assert reasons(result) == [
        ("kinetics.no_linear_part", "warn"), ("kinetics.nothing_fitted", "fail"),
    ]  # fmt: skip
    assert result.rows["time_activity_curves"] != []


def test_beds_that_follow_one_another_have_no_one_time(
    root: Path, tmp_path: Path, raw: str
) -> None:
    whole = read_raw(str(root), raw)
    assert whole.frames is not None
    starts = whole.frames.start_s[:, None] + np.array([0.0, 0.0, 2.0, 2.0])  # type: ignore[index]
    beds = replace(whole, frames=replace(whole.frames, slice_start_s=starts))
    path = str(write_raw(str(tmp_path), "1.2", beds)["volume_path"])
    assert reasons(analyse(str(tmp_path), job(path))) == [("kinetics.beds", "fail")]


def test_what_is_only_a_pity_is_a_warning(root: Path, raw: str) -> None:
    result = analyse(
        str(root), replace(job(raw), injection_offset_s=None, targets=(TUMOUR, OUTSIDE))
    )
    assert reasons(result) == [
        ("kinetics.no_injection_time", "warn"), ("kinetics.empty_roi", "warn"),
    ]  # fmt: skip
    (analysis,) = result.rows["kinetic_analyses"]
    assert (analysis["analysis_status"], analysis["injection_offset_s"]) == ("done", 0.0)


def test_an_roi_that_cannot_be_fitted_leaves_the_others(root: Path, raw: str) -> None:
    # the reversible tissue bends away from the Patlak line; the tumour does not
    strict = replace(PATLAK, t_star_min=None, max_deviation=0.005, minimum_frames=8)
    cerebellum = box(2, "cerebellum", 14.0, 30.0)
    result = analyse(str(root), replace(job(raw, strict), targets=(cerebellum, TUMOUR)))
    assert reasons(result) == [("kinetics.no_linear_part", "warn")]
    assert {r["roi_label"] for r in result.rows["kinetic_parameters"]} == {"tumour"}
    assert result.model is not None


def test_rois_are_found_by_name_those_of_the_series_first() -> None:
    def drawn(number: int, label: str, series: str | None) -> DrawnRoi:
        return DrawnRoi(RoiSource("1.4", number, label), f"d{number}", series, "frame")

    rois = [drawn(1, "aorta", "1.2"), drawn(2, "Aorta", "1.9"), drawn(3, "tumour_1", "1.9")]
    assert [r.digest for r in named(rois, "1.2", ["AORTA"])] == ["d1"]
    assert [r.digest for r in named(rois, "1.2", ["tumour*", "a?rta"])] == ["d1"]
    assert [r.digest for r in named(rois, "1.2", ["tumour*"])] == ["d3"]
    assert rois[1].lies_on("1.2", "frame")
    assert not rois[1].lies_on("1.2", None)
    assert not rois[1].lies_on("1.2", "another")


def serially(fault: type[Exception] | None = None) -> Callable[..., Iterator[Done[Any, Any]]]:
    """What `flows.cluster.stream` does, without a cluster; blocks may meet a fault."""

    def stream(
        client: object, work: Callable[[Any], Any], jobs: Iterable[Any]
    ) -> Iterator[Done[Any, Any]]:
        for given in jobs:
            if fault is not None and isinstance(given, BlockJob):
                yield Done(given, None, fault())
            else:
                yield Done(given, work(given), None)

    return stream


@pytest.fixture
def wide(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A volume of several chunks, every voxel another mixture; cut into many blocks."""
    rng = np.random.default_rng(6)
    shape = (TIMES.n, 40, 70, 66)
    share = rng.uniform(0.2, 1.0, shape[1:])
    share[:, :12, :12] = 1.0
    stored = np.empty(shape, dtype=np.int16)
    for frame, (tumour, blood) in enumerate(zip(curve(TISSUES[2]), curve(None), strict=True)):
        stored[frame] = np.rint((share * tumour) / SLOPE)
        stored[frame, :, :12, :4] = np.rint(blood / SLOPE)
    lines = np.full(shape[:2], SLOPE)
    axis = FrameAxis("time", TIMES.n, TIMES.start_s, TIMES.duration_s)
    grid = Geometry(shape[1:], np.diag([4.0, 4.0, 4.0, 1.0]))
    raw = RawVolume(stored, lines, np.zeros_like(lines), grid, "Bq/ml", None, {}, axis)
    monkeypatch.setattr(parametric, "block_windows", partial(block_windows, values=1))
    return str(write_raw(str(tmp_path), "1.2", raw)["volume_path"])


def test_blocks_make_the_image_that_the_whole_volume_gives(
    tmp_path: Path, wide: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = str(tmp_path)
    monkeypatch.setattr(parametric, "stream", serially())
    no_client = cast("Client", None)
    (found,) = parametric.finished(no_client, root, partial(analyse, root), [job(wide)])
    assert len(block_windows((TIMES.n, 40, 70, 66), 1)) == 4
    assert [(v["parameter_name"], v["value_unit"]) for v in found.volumes] == [
        ("ki", "ml/cm3/min"), ("intercept", "ml/cm3"),
    ]  # fmt: skip
    assert found.done.result is not None
    model = found.done.result.model
    assert model is not None
    series = read_raw(root, wide).values()[model.frames]
    whole = model(series.reshape(len(series), -1)).reshape(2, 40, 70, 66)
    for row, expected in zip(found.volumes, whole, strict=True):
        image = read_image(root, str(row["volume_path"]), "parametric")
        np.testing.assert_allclose(image.values, expected, rtol=1e-5, atol=1e-6)
        assert row["input_digest"] == "digest"


def test_an_image_that_fails_is_tried_again(
    tmp_path: Path, wide: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = str(tmp_path)
    monkeypatch.setattr(parametric, "stream", serially(MemoryError))
    no_client = cast("Client", None)
    (found,) = parametric.finished(no_client, root, partial(analyse, root), [job(wide)])
    assert found.volumes == []
    assert found.done.result is not None
    assert reasons(found.done.result) == [("kinetics.failed", "fail")]
    (analysis,) = found.done.result.rows["kinetic_analyses"]
    assert analysis["input_digest"] is None


@pytest.fixture
def lk(tmp_path: Path) -> Iterator[lake.Lake]:
    made = lake.create(tmp_path / "lake")
    row: Row = {"volume_id": "raw", "series_instance_uid": "1.2", "zone": "raw", "volume_path": "p"}
    made.commit(lambda tx: tx.insert("volumes", [row]), message="a series")
    yield made
    made.close()


_TABLES = (
    "kinetic_analyses", "input_functions", "kinetic_parameters", "time_activity_curves",
)  # fmt: skip


def counts(lk: lake.Lake) -> dict[str, int]:
    found = {t: lk.sql(f'SELECT count(*) FROM "{t}"').fetchall()[0][0] for t in _TABLES}
    found["maps"] = lk.sql("SELECT count(*) FROM volumes WHERE zone = 'parametric'").fetchall()[0][
        0
    ]
    found["findings"] = lk.sql("SELECT count(*) FROM findings").fetchall()[0][0]
    return {name: int(n) for name, n in found.items()}


def finished(root: Path, given: KineticsJob) -> Finished:
    ki: Row = {
        "volume_id": "map", "series_instance_uid": "1.2", "zone": "parametric", "volume_path": "m",
        "profile_id": "patlak/1", "parameter_name": "ki", "parent_volume_id": "raw",
    }  # fmt: skip
    result = analyse(str(root), given)
    return Finished(Done(given, result, None), [ki] if result.model else [])


def test_an_analysis_replaces_the_one_before_it(lk: lake.Lake, root: Path, raw: str) -> None:
    log = RunLog("r", "kinetics")
    assert publish.fn(lk, log, [finished(root, job(raw))])["n_written"] == 1
    n = TIMES.n
    done = {
        "kinetic_analyses": 1, "input_functions": n, "kinetic_parameters": 2,
        "time_activity_curves": 2 * n, "maps": 1, "findings": 0,
    }  # fmt: skip
    assert counts(lk) == done
    assert publish.fn(lk, log, [finished(root, job(raw))])["n_written"] == 1
    assert counts(lk) == done
    refused = finished(root, replace(job(raw), sources=()))
    assert publish.fn(lk, log, [refused])["n_refused"] == 1
    # curves stay: they are true of the series, whatever the model
    assert counts(lk) == {
        "kinetic_analyses": 1, "input_functions": 0, "kinetic_parameters": 0,
        "time_activity_curves": 2 * n, "maps": 0, "findings": 1,
    }  # fmt: skip


def test_a_lost_worker_is_a_finding_and_will_be_tried_again(lk: lake.Lake, raw: str) -> None:
    lost: Done[KineticsJob, Analysed] = Done(job(raw), None, MemoryError())
    assert publish.fn(lk, RunLog("r", "kinetics"), [Finished(lost)])["n_failed"] == 1
    assert counts(lk)["kinetic_analyses"] == 0
    ((rule, message),) = lk.sql("SELECT rule_id, message FROM findings").fetchall()
    assert rule == "kinetics.failed"
    assert "MemoryError" in message


def test_what_was_made_of_a_former_volume_goes(lk: lake.Lake, root: Path, raw: str) -> None:
    log = RunLog("r", "kinetics")
    publish.fn(lk, log, [finished(root, job(raw))])
    before = lk.snapshot
    forget_gone(lk, log)
    assert lk.snapshot == before
    row: Row = {
        "volume_id": "more",
        "series_instance_uid": "1.2",
        "zone": "raw",
        "volume_path": "q",
    }
    lk.commit(
        lambda tx: tx.replace("volumes", [row], scope=("series_instance_uid", "zone")), message="m"
    )
    forget_gone(lk, log)
    assert set(counts(lk).values()) == {0}
