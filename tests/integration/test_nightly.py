"""The whole main job on a simulated cohort with known truth."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest

import lake
from flows.identities import pseudonymiser
from flows.nightly import nightly
from lake.verify import verify
from tests.cohorts import Cohort

pytestmark = pytest.mark.xdist_group("prefect")


def test_every_object_has_the_outcome_that_the_truth_expects(
    built_lake: Path, tiny_cohort: Cohort
) -> None:
    with lake.open(built_lake, read_only=True) as lk:
        pseudonyms = lk.keys()
        got = dict(lk.sql("SELECT file_key, (outcome, reason_code) FROM files").fetchall())
        file_key = pseudonymiser(lk.settings, pseudonyms).file_key
    with (tiny_cohort.truth / "expected_outcomes.csv").open(encoding="utf-8") as file:
        expected = {row["path"]: row for row in csv.DictReader(file)}
    listed = [p for p in tiny_cohort.dicom.rglob("*") if p.is_file()]
    assert len(got) == len(listed) == len(expected)
    for path in listed:
        truth = expected[str(path.relative_to(tiny_cohort.dicom))]
        outcome, reason = got[file_key(path.resolve().as_uri())]
        assert (outcome, reason or "") == (truth["outcome"], truth["reason_code"]), truth["path"]


def test_counts_of_the_run_add_up(built_lake: Path) -> None:
    with lake.open(built_lake, read_only=True) as lk:
        (row,) = (
            lk.sql("SELECT * FROM runs WHERE flow_name = 'ingest'").to_arrow_table().to_pylist()
        )
        n_rows = lk.sql("SELECT count(*) FROM files").fetchall()[0][0]
    parts = ("n_unchanged", "n_ingested", "n_duplicate", "n_quarantined", "n_ignored")
    assert row["run_state"] == "completed"
    assert row["n_files"] == sum(row[p] for p in parts) == n_rows


def test_suv_of_large_lesions_is_the_truth_times_the_calibration_error(
    built_lake: Path, tiny_cohort: Cohort
) -> None:
    """SUVmax of the largest lesions, blurred by the PSF, lies near the simulated value."""
    with (tiny_cohort.truth / "truth.csv").open(encoding="utf-8") as file:
        lesions = [r for r in csv.DictReader(file) if r["modality"] == "PT"]
    large = [r for r in lesions if float(r["radius_mm"]) >= 12.0]
    assert large
    with lake.open(built_lake, read_only=True) as lk:
        measured = lk.sql(
            "SELECT r.centre, r.centroid_x_mm, r.centroid_y_mm, r.centroid_z_mm, f.value "
            "FROM rois r JOIN features f USING (roi_id) WHERE f.feature = 'suv_max'"
        ).fetchall()
    for truth in large:
        point = [float(truth[f"{axis}_mm"]) for axis in "xyz"]
        near = [
            value
            for centre, *xyz, value in measured
            if centre == truth["centre"]
            and all(abs(a - b) < 6.0 for a, b in zip(xyz, point, strict=True))
        ]
        expected = float(truth["true_suv"]) * float(truth["calibration_factor"])
        # 8 mm voxels resampled to 4 mm and the PSF lower the maximum, noise raises it
        assert any(0.7 * expected < value < 1.3 * expected for value in near), truth


def test_units_are_suv_for_pet_and_counts_for_spect(built_lake: Path) -> None:
    with lake.open(built_lake, read_only=True) as lk:
        units = set(
            lk.sql(
                "SELECT s.modality, v.value_unit FROM volumes v JOIN series s "
                "USING (series_instance_uid) "
                "WHERE v.zone = 'standard' AND s.suv_status != 'refused'"
            ).fetchall()
        )
        features = lk.sql(
            "SELECT DISTINCT feature FROM features WHERE modality = 'NM' AND feature LIKE 'suv%'"
        ).fetchall()
    assert {("PT", "SUVbw"), ("CT", "HU"), ("NM", "CNTS")} <= units
    assert features == []


def test_cohort_joins_images_lesions_and_clinical_items(built_lake: Path) -> None:
    with lake.open(built_lake, read_only=True) as lk:
        rows = lk.sql("SELECT * FROM cohort WHERE modality = 'PT'").to_arrow_table().to_pylist()
    with_lesions = [r for r in rows if r["n_lesions"]]
    assert with_lesions
    assert all(r["suv_max"] > 0 and r["mtv_ml"] > 0 for r in with_lesions)
    assert all(r["consent_status"] != "deny" for r in rows)
    assert any(r["glucose_mmol_l"] and 3 < r["glucose_mmol_l"] < 15 for r in rows)
    assert any(r["stage"] for r in rows)
    assert all(r["ct_series_uid"] for r in with_lesions)


def test_harmonised_features_say_by_which_model(built_lake: Path) -> None:
    with lake.open(built_lake, read_only=True) as lk:
        models = lk.sql("SELECT model_id, n_batches FROM harmonisation_models").fetchall()
        n, models_used, n_null = lk.sql(
            "SELECT count(*), count(DISTINCT model_id), count(*) - count(value_harmonised) "
            "FROM features_harmonised"
        ).fetchall()[0]
    assert len(models) == 1
    assert models[0][1] == 2
    assert n > 100
    assert models_used == 1
    assert n_null < n


def test_running_it_again_changes_nothing(built_lake: Path, tiny_cohort: Cohort) -> None:
    with lake.open(built_lake, read_only=True) as lk:
        before = lk.content_digest()
        volumes = sorted(lk.sql("SELECT volume_path FROM volumes").fetchall())
    summary = nightly(
        str(built_lake),
        sources=[str(tiny_cohort.dicom)],
        redcap=[str(tiny_cohort.redcap)],
        fhir=[str(tiny_cohort.fhir)],
        workers=1,
    )
    counts = summary["stages"]["Input objects"]
    assert counts["n_files"] == counts["n_unchanged"]
    assert counts["n_written"] == 0
    with lake.open(built_lake, read_only=True) as lk:
        assert lk.content_digest() == before
        assert sorted(lk.sql("SELECT volume_path FROM volumes").fetchall()) == volumes
        assert verify(lk) == []


def test_the_report_is_one_file_with_pictures(built_lake: Path) -> None:
    html = (built_lake / "reports" / "latest.html").read_text(encoding="utf-8")
    assert html.count("data:image/png;base64,") >= 8
    text = re.sub(r"base64,[^\"]+", "", html)  # pictures may hold these letters by chance
    assert "http" not in text.replace("http-equiv", "")
    assert "before and after ComBat" in html
