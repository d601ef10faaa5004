"""The views ``cohort`` and ``quarantine``, on rows small enough to work out by hand."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest

import lake
from lake import Lake
from schemas.records import Row

DAY_1 = datetime(2026, 1, 10, 9)  # noqa: DTZ001 - times in the lake are naive and shifted
DAY_2 = datetime(2026, 4, 10, 9)  # noqa: DTZ001


@pytest.fixture(scope="module")
def shared(empty_lake: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    folder = tmp_path_factory.mktemp("views") / "lake"
    shutil.copytree(empty_lake, folder)
    with lake.open(folder) as opened:
        yield opened


@pytest.fixture
def lk(shared: Lake) -> Lake:
    """Return a lake without rows (opening one per test would take longer than the tests)."""
    keys = {
        "files": "file_key", "series": "patient_key", "features": "series_instance_uid",
        "volumes": "series_instance_uid", "clinical_items": "patient_key",
        "patients": "patient_key", "consents": "patient_key",
    }  # fmt: skip
    with shared.transaction(message="emptied") as tx:
        for table, key in keys.items():
            taken = shared.sql(f"SELECT DISTINCT {key} FROM {table}").fetchall()
            if taken:
                tx.delete(table, {key: [value for (value,) in taken]})
    return shared


def pet(uid: str, study: str = "s1", when: datetime = DAY_1, **more: object) -> Row:
    return {
        "series_instance_uid": uid, "study_instance_uid": study, "patient_key": "p1",
        "study_datetime": when, "modality": "PT", "series_kind": "image", "is_spect": False,
        "suv_status": "suv", "n_instances": 100, "attenuation_corrected": True, **more,
    }  # fmt: skip


def ct(uid: str, **more: object) -> Row:
    return pet(uid, **{"modality": "CT", "suv_status": "not_applicable", **more})  # type: ignore[arg-type]


def feature(roi: str, name: str, value: float, **more: object) -> Row:
    return {
        "roi_id": roi, "feature": name, "value": value, "series_instance_uid": "pet",
        "roi_label": "lesion", "roi_method": "rtstruct", "feature_profile": "v1", **more,
    }  # fmt: skip


def item(key: str, name: str, value: object, when: date | None = None, patient: str = "p1") -> Row:
    column = "value_number" if isinstance(value, (int, float)) else "value_text"
    return {
        "record_key": key, "patient_key": patient, "item": name, column: value, "item_date": when
    }  # fmt: skip


def consent(key: str, status: str, since: date | None, patient: str = "p1") -> Row:
    return {
        "record_key": key, "patient_key": patient, "purpose": "research",
        "consent_status": status, "valid_from": since,
    }  # fmt: skip


def cohort(lk: Lake, **tables: list[Row]) -> list[dict[str, Any]]:
    with lk.transaction(message="rows") as tx:
        for table, rows in tables.items():
            tx.insert(table, rows)
    found: list[dict[str, Any]] = (
        lk.sql("SELECT * FROM cohort ORDER BY patient_key, timepoint, study_instance_uid")
        .to_arrow_table()
        .to_pylist()
    )
    return found


def test_one_row_per_study_counted_by_day(lk: Lake) -> None:
    other = {"patient_key": "p2"}
    rows = cohort(
        lk,
        series=[
            pet("b", "later", DAY_2),
            pet("a", "first", DAY_1),
            pet("c", "same-day", DAY_2),
            pet("d", "x", DAY_2, **other),
            ct("e", study="only-ct", when=DAY_2),
            pet("f", "planar", DAY_2, modality="NM"),
        ],
    )
    found = [(r["patient_key"], r["study_instance_uid"], r["timepoint"]) for r in rows]
    assert found == [("p1", "first", 1), ("p1", "later", 2), ("p1", "same-day", 2), ("p2", "x", 1)]
    assert rows[0]["study_date"] == date(2026, 1, 10)


def test_a_map_computed_from_pet_is_never_the_measured_series(lk: Lake) -> None:
    """A parametric map of modality PT, better in every other respect."""
    ki = pet("ki", n_instances=200, series_kind="parametric")
    (row,) = cohort(lk, series=[ki, pet("a", suv_status="refused", attenuation_corrected=False)])
    assert row["pet_series_uid"] == "a"
    assert cohort(lk, series=[pet("map", "s2", series_kind="parametric")]) == [row]


def test_the_series_with_suv_is_measured(lk: Lake) -> None:
    rows = cohort(
        lk,
        series=[
            pet("no-suv", suv_status="refused", n_instances=900),
            pet("uncorrected", attenuation_corrected=False),
            pet("short", n_instances=50),
            pet("chosen", uptake_time_s=3600.0),
        ],
    )
    assert [(r["pet_series_uid"], r["uptake_time_min"]) for r in rows] == [("chosen", 60.0)]


def test_one_image_is_measured_before_frames(lk: Lake) -> None:
    """A dynamic series has more slices, but nothing is measured on it."""
    volumes: list[Row] = [
        {"volume_id": "v1", "series_instance_uid": "dynamic", "zone": "raw", "shape_t": 12},
        {"volume_id": "v2", "series_instance_uid": "static", "zone": "raw"},
    ]
    rows = cohort(
        lk, series=[pet("dynamic", n_instances=900), pet("static", n_instances=90)], volumes=volumes
    )
    assert [(r["pet_series_uid"], r["n_frames"]) for r in rows] == [("static", None)]
    other: Row = {"volume_id": "v3", "series_instance_uid": "gated", "zone": "raw", "shape_t": 8}
    rows = cohort(lk, series=[pet("gated", patient_key="p2")], volumes=[other])
    assert [(r["pet_series_uid"], r["n_frames"]) for r in rows[1:]] == [("gated", 8)]


def test_spect_counts_as_well(lk: Lake) -> None:
    rows = cohort(
        lk,
        series=[pet("nm", modality="NM", is_spect=True, suv_status="refused",
                    suv_reason_code="suv_not_pet")],
    )  # fmt: skip
    assert [(r["is_spect"], r["suv_reason_code"]) for r in rows] == [(True, "suv_not_pet")]


def test_ct_of_the_same_frame_before_the_same_study(lk: Lake) -> None:
    series = [
        pet("pet", frame_of_reference_uid="f1"),
        ct("ct-study", n_instances=500),
        ct("ct-frame", study="other", frame_of_reference_uid="f1"),
        ct("stranger", patient_key="p2", frame_of_reference_uid="f1"),
    ]
    assert [r["ct_series_uid"] for r in cohort(lk, series=series)] == ["ct-frame"]
    assert [r["ct_series_uid"] for r in cohort(lk, series=[
        ct("ct-named", study="other", referenced_series_uid="pet")])] == ["ct-named"]  # fmt: skip


def test_lesions_are_summed_without_organs(lk: Lake) -> None:
    rows = cohort(
        lk,
        series=[pet("pet"), ct("ct")],
        features=[
            *[feature("r1", n, v) for n, v in
              [("suv_max", 8.0), ("suv_peak_global", 6.0), ("mtv_ml", 2.0), ("tlg_g", 9.0)]],
            *[feature("r2", n, v, roi_label="liver metastasis") for n, v in
              [("suv_max", 5.0), ("suv_peak_global", 7.0), ("mtv_ml", 3.0), ("tlg_g", 8.0)]],
            feature("liver", "suv_max", 99.0, roi_label="Liver"),
            feature("on-ct", "mtv_ml", 99.0, series_instance_uid="ct"),
            feature("r1", "energy", 1e9),
        ],
    )  # fmt: skip
    names = ("n_lesions", "suv_max", "suv_peak", "mtv_ml", "tlg_g")
    assert [tuple(r[n] for n in names) for r in rows] == [(2, 8.0, 7.0, 5.0, 17.0)]


def test_one_delineation_counts_once(lk: Lake) -> None:
    rows = cohort(
        lk,
        series=[pet("pet")],
        features=[
            feature("old", "mtv_ml", 5.0),
            feature("new", "mtv_ml", 6.0, feature_profile="v2"),
            feature("threshold", "mtv_ml", 50.0, roi_method="threshold 41%", feature_profile="v2"),
        ],
    )
    assert [(r["n_lesions"], r["mtv_ml"]) for r in rows] == [(1, 6.0)]


def test_no_lesions_is_zero_lesions_of_unknown_uptake(lk: Lake) -> None:
    rows = cohort(lk, series=[pet("pet")])
    assert [(r["n_lesions"], r["suv_max"], r["mtv_ml"]) for r in rows] == [(0, None, None)]


def test_clinical_items_nearest_to_the_study_and_latest_outcome(lk: Lake) -> None:
    rows = cohort(
        lk,
        series=[
            pet("a", "first", DAY_1, patient_age_years=60.0, patient_sex="O",
                patient_weight_kg=70.0),
            pet("b", "second", DAY_2, patient_age_years=61.0),
        ],
        clinical_items=[
            item("1", "glucose", 5.0, date(2026, 1, 9)),
            item("2", "glucose", 6.0, date(2026, 4, 11)),
            item("3", "glucose", 9.0),
            item("4", "stage", "II", date(2025, 12, 1)),
            item("5", "stage", "IV", date(2026, 4, 1)),
            item("6", "outcome_event", "alive", date(2026, 2, 1)),
            item("7", "outcome_event", "death", date(2027, 2, 1)),
            item("8", "outcome_days", 300, date(2027, 2, 1)),
            item("9", "age", 59.5, date(2026, 1, 10)),
            item("x", "glucose", 99.0, date(2026, 1, 10), patient="p2"),
        ],
        patients=[{"patient_key": "p1", "sex": "F"}],
    )  # fmt: skip
    names = ("glucose_mmol_l", "stage", "outcome_event", "outcome_days", "age_years", "sex")
    assert [tuple(r[n] for n in names) for r in rows] == [
        (5.0, "II", "death", 300.0, 59.5, "F"),
        (6.0, "IV", "death", 300.0, 59.5, "F"),
    ]
    assert rows[0]["weight_kg"] == 70.0


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([], "unknown"),
        ([("permit", date(2026, 1, 1))], "permit"),
        ([("deny", date(2026, 1, 1)), ("permit", date(2026, 2, 1))], "permit"),
        ([("permit", date(2026, 1, 1)), ("deny", date(2026, 2, 1))], None),
        ([("permit", date(2026, 1, 1)), ("deny", date(2026, 1, 1))], None),
        ([("permit", date(2026, 1, 1)), ("deny", None)], None),
    ],
)
def test_who_denied_last_is_absent(
    lk: Lake, given: list[tuple[str, date | None]], expected: str | None
) -> None:
    consents = [consent(str(i), status, since) for i, (status, since) in enumerate(given)]
    rows = cohort(lk, series=[pet("pet")], consents=consents)
    assert [r["consent_status"] for r in rows] == ([] if expected is None else [expected])


def test_consent_for_something_else_does_not_matter(lk: Lake) -> None:
    other = {**consent("1", "deny", date(2026, 1, 1)), "purpose": "teaching"}
    assert len(cohort(lk, series=[pet("pet")], consents=[other])) == 1


def test_quarantine_has_what_could_not_be_used(lk: Lake) -> None:
    with lk.transaction(message="m") as tx:
        tx.insert(
            "files",
            [
                {"file_key": "a", "outcome": "ingested"},
                {"file_key": "b", "outcome": "quarantined", "reason_code": "truncated"},
            ],
        )
    rows = lk.sql("SELECT file_key, reason_code FROM quarantine").fetchall()
    assert rows == [("b", "truncated")]
