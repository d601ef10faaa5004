"""Protocols held against a lake: visits, regions, clinical values, and what becomes of findings."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import lake
from flows.new_findings import findings, last_check
from flows.protocol_checks import Renewed, renew_checks
from flows.runs import RunLog
from lake.settings import dump_settings, make_settings
from schemas.errors import InvalidInputError
from schemas.records import Row

_DAY = datetime.fromisoformat("2024-01-02T10:00:00")
_KEYS = {"series": ("series_instance_uid",), "clinical_items": ("record_key",),
         "phantom_scans": ("phantom_scan_id",), "features": ("roi_id",),
         "runs": ("run_id",)}  # fmt: skip


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("checks") / "lake"
    lake.create(folder).close()
    return folder


@pytest.fixture
def lk(template: Path, tmp_path: Path) -> Iterator[lake.Lake]:
    shutil.copytree(template, tmp_path / "lake")
    with lake.open(tmp_path / "lake") as opened:
        yield opened


def pet(uid: str, patient: str = "p1", day: int = 0, **more: object) -> Row:
    when = _DAY + timedelta(days=day)
    return {
        "series_instance_uid": uid, "study_instance_uid": f"study {patient} {day}",
        "patient_key": patient, "centre": "A", "modality": "PT", "series_kind": "image",
        "is_spect": False, "study_datetime": when, "acquisition_datetime": when,
        "radiopharmaceutical": "FDG", "radionuclide": "F-18", "uptake_time_s": 3600.0,
        "injected_activity_bq": 250e6, "patient_weight_kg": 80.0, "patient_size_m": 1.75,
        "patient_sex": "M", "patient_age_years": 60.0, "half_life_s": 6586.2,
        "injection_datetime": when - timedelta(hours=1), "decay_reference_spread_percent": 0.1,
        "attenuation_corrected": True, "suv_status": "suv", "body_suv_mean": 0.9,
        "corrected_image": ["DECY", "ATTN", "SCAT", "RAN", "DTIM", "NORM"],
        "activity_in_view_percent": 80.0, "scanner_key": "SC-1",
        "reconstruction_key": "OSEM", **more,
    }  # fmt: skip


def item(name: str, value: float, patient: str = "p1", day: int | None = 0, **more: object) -> Row:
    when = None if day is None else (_DAY + timedelta(days=day)).date()
    return {
        "record_key": f"{patient} {name} {day} {value}", "patient_key": patient, "item": name,
        "value_number": value, "item_date": when, **more,
    }  # fmt: skip


def put(lk: lake.Lake, table: str, *rows: Row) -> None:
    lk.commit(lambda tx: tx.replace(table, list(rows), scope=_KEYS[table]), message="test")


def check(lk: lake.Lake, run_id: str = "r1") -> Renewed:
    started = datetime(2026, 1, int(run_id[1:]), 2)  # noqa: DTZ001  as the lake keeps them
    run = {"run_id": run_id, "flow_name": "check_protocol", "run_state": "completed",
           "started_at": started}  # fmt: skip
    put(lk, "runs", run)
    return renew_checks(lk, RunLog(run_id, "check_protocol"))


def found(lk: lake.Lake) -> list[tuple[str, str]]:
    query = "SELECT rule_id, severity FROM findings ORDER BY rule_id, finding_id"
    return lk.sql(query).fetchall()


def outcomes(lk: lake.Lake, rule: str) -> dict[str, str]:
    query = "SELECT series_instance_uid, check_outcome FROM protocol_checks WHERE rule_id = $rule"
    return dict(lk.sql(query, {"rule": rule}).fetchall())


def coverage(lk: lake.Lake, rule: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = (
        lk.sql("FROM protocol_coverage WHERE rule_id = $rule ORDER BY centre", {"rule": rule})
        .to_arrow_table()
        .to_pylist()
    )
    return rows


def test_every_later_visit_is_held_against_the_first_with_the_tracer(lk: lake.Lake) -> None:
    put(
        lk, "series",
        pet("v1"), pet("v2", day=30, uptake_time_s=3600 + 601), pet("v3", day=60),
        pet("v2 delayed", day=30, study_instance_uid="later that day", uptake_time_s=7200.0),
        pet("psma", day=5, radiopharmaceutical="PSMA-1007"),
        pet("other", patient="p2", day=30, uptake_time_s=5000.0),
    )  # fmt: skip
    check(lk)
    assert outcomes(lk, "UPT-2") == {"v2": "warn", "v3": "passed", "v2 delayed": "warn"}


def test_a_second_image_of_the_first_day_is_no_follow_up(lk: lake.Lake) -> None:
    late: dict[str, Any] = {
        "study_instance_uid": "late",
        "study_datetime": _DAY + timedelta(hours=2),
    }
    put(lk, "series", pet("v1"), pet("v1 late", uptake_time_s=9000.0, **late))
    check(lk)
    assert outcomes(lk, "UPT-2") == {}


CHANGES: dict[str, dict[str, Any]] = {
    "ACT-1": {"injected_activity_bq": 310e6},  # 24 %
    "WGT-1.change": {"patient_weight_kg": 70.0, "injected_activity_bq": 250e6},  # 12.5 %
    "REC-1": {"reconstruction_key": "OSEM PSF"},
    "REC-1.scanner": {"scanner_key": "SC-2"},
}


def test_what_changes_between_visits(lk: lake.Lake) -> None:
    visits = [pet(f"{rule} v1", patient=rule) for rule in CHANGES]
    visits += [pet(f"{rule} v2", rule, 30, **changed) for rule, changed in CHANGES.items()]
    put(lk, "series", *visits, pet("v1"), pet("v2", day=30))
    check(lk)
    rows = lk.sql(
        "SELECT rule_id, severity, patient_key, subject_kind, subject_id FROM findings "
        "ORDER BY rule_id"
    ).fetchall()
    assert rows == [(r, "warn", r, "study", f"study {r} 30") for r in sorted(CHANGES)]


def test_the_liver_of_both_visits(lk: lake.Lake) -> None:
    put(lk, "series", pet("v1"), pet("v2", day=30))
    feature: Row = {"feature": "suv_mean", "roi_method": "seg", "roi_label": "liver"}
    put(
        lk, "features",
        {**feature, "roi_id": "1", "series_instance_uid": "v1", "value": 2.0},
        {**feature, "roi_id": "2", "series_instance_uid": "v2", "value": 3.1},
        {**feature, "roi_id": "3", "series_instance_uid": "v2", "value": 9.0,
         "roi_label": "liver lesion"},
        {**feature, "roi_id": "4", "series_instance_uid": "v1", "value": 8.0,
         "roi_label": "leber", "roi_method": "threshold:SUVbw>=4"},
    )  # fmt: skip
    check(lk)
    # 55 % more, and (3.1 - 2.0) x 0.75229 = 0.83 in SUL
    assert found(lk) == [("LIV-1", "warn"), ("LIV-2", "warn"), ("LIV-2.units", "warn")]
    values = dict(lk.sql("SELECT rule_id, observed_value FROM findings").fetchall())
    assert values == {
        "LIV-1": 3.1, "LIV-2": pytest.approx(55.0), "LIV-2.units": pytest.approx(0.8275, abs=1e-4),
    }  # fmt: skip


def test_the_clinical_value_nearest_to_the_study_counts(lk: lake.Lake) -> None:
    put(lk, "series", pet("v1"), pet("v2", day=30), pet("v3", day=60))
    put(
        lk, "clinical_items",
        item("glucose", 5.0), item("glucose", 12.0, day=29), item("glucose", 20.0, day=27),
        item("glucose", 6.0, patient="p2", day=60), item("glucose", 19.0, day=None),
    )  # fmt: skip
    check(lk)
    # v3: its nearest value is 31 days old
    assert outcomes(lk, "GLU-1") == {"v1": "passed", "v2": "fail", "v3": "not_checkable"}
    (row,) = coverage(lk, "GLU-1")
    assert (row["n_studies"], row["n_passed"], row["n_fail"], row["n_not_checkable"]) == (
        3,
        1,
        1,
        1,
    )
    assert row["not_checkable_because"] == [
        "no glucose in the clinical data within 1 day of the study: 1"
    ]


def test_header_against_ecrf(lk: lake.Lake) -> None:
    put(lk, "series", pet("v1"))
    put(
        lk, "clinical_items",
        item("weight", 36.3, day=-3),  # 80 lb taken for kg: 80 is 120 % more
        item("injected_activity", 230.0), item("residual_activity", 26.0),
        item("injection_time", 9.2),
    )  # fmt: skip
    check(lk)
    assert found(lk) == [
        ("ACT-3", "warn"), ("CLK-2", "warn"), ("RES-1", "warn"), ("WGT-2", "fail"),
    ]  # fmt: skip


def test_a_study_counts_once_and_an_uncorrected_series_beside_it_does_not_matter(
    lk: lake.Lake,
) -> None:
    no_attenuation = ["DECY", "SCAT", "RAN", "DTIM", "NORM"]
    put(
        lk, "series",
        pet("AC", uptake_time_s=2000.0),
        pet("NAC", uptake_time_s=2000.0, attenuation_corrected=False, suv_status="refused",
            corrected_image=no_attenuation),
        pet("only NAC", patient="p2", attenuation_corrected=False, corrected_image=no_attenuation),
    )  # fmt: skip
    check(lk)
    assert outcomes(lk, "COR-1.attn") == {"AC": "passed", "only NAC": "fail"}
    (row,) = coverage(lk, "UPT-1")
    assert (row["n_studies"], row["n_fail"], row["n_passed"]) == (2, 1, 1)


def test_checking_again_writes_nothing_and_counts_nothing_twice(lk: lake.Lake) -> None:
    put(lk, "series", pet("v1", uptake_time_s=2000.0), pet("v2", day=30))
    first = check(lk)
    assert (first.n_series, first.n_findings, first.n_new, first.n_gone) == (2, 2, 2, 0)
    before = lk.snapshot, found(lk)
    assert renew_checks(lk, RunLog("r2", "ingest")) == Renewed(n_findings=2)
    assert (lk.snapshot, found(lk)) == before


def test_a_finding_that_something_else_removed_comes_back(lk: lake.Lake) -> None:
    put(lk, "series", pet("v1", uptake_time_s=2000.0))
    check(lk)
    lk.commit(lambda tx: tx.delete("findings", {"rule_id": ["UPT-1"]}), message="by mistake")
    assert renew_checks(lk, RunLog("r2", "ingest")).n_new == 1
    assert found(lk) == [("UPT-1", "fail")]


def test_what_no_longer_holds_goes_and_what_stays_is_not_new(lk: lake.Lake) -> None:
    put(lk, "series", pet("v1", uptake_time_s=2000.0), pet("bad", patient="p2", centre="B"))
    put(lk, "clinical_items", item("glucose", 15.0, patient="p2"))
    check(lk, "r1")
    assert last_check(lk) is None
    assert findings(lk, is_new=True).num_rows == 2
    put(lk, "series", pet("v3", patient="p3", uptake_time_s=2000.0))
    lk.commit(lambda tx: tx.delete("clinical_items", {"patient_key": ["p2"]}), message="corrected")
    renewed = check(lk, "r2")
    assert (renewed.n_new, renewed.n_gone, renewed.n_findings) == (1, 1, 2)
    new = findings(lk, is_new=True).to_pylist()
    assert [(row["rule"], row["patient_key"]) for row in new] == [("UPT-1", "p3")]
    then = lk.at(snapshot=lk.snapshot - 4)
    assert ("GLU-1", "fail") in found(then)
    check(lk, "r3")
    assert findings(lk, is_new=True).num_rows == 0


def test_checks_of_a_withdrawn_series_go(lk: lake.Lake) -> None:
    put(lk, "series", pet("v1", uptake_time_s=2000.0))
    check(lk)
    lk.commit(lambda tx: tx.delete("series", {"series_instance_uid": ["v1"]}), message="gone")
    assert check(lk, "r2").n_gone == 1
    assert lk.sql("SELECT count(*) FROM protocol_checks").fetchall() == [(0,)]


def test_phantoms_have_no_protocol_and_vouch_for_their_scanner(lk: lake.Lake) -> None:
    put(lk, "series", pet("v1"), pet("cylinder", patient="QC", uptake_time_s=60.0))
    check(lk)
    assert found(lk) == [("UPT-1", "fail")]  # until quality control knows it for what it is
    scan: Row = {"phantom_scan_id": "1", "series_instance_uid": "cylinder", "scanner_key": "SC-1",
                 "phantom_kind": "cylinder", "calibration_factor": 1.2}  # fmt: skip
    put(lk, "phantom_scans", scan)
    (lk.location / "x.toml").write_text(
        STRICT + '[rules."CAL-1.study"]\nenabled = true\n', encoding="utf-8"
    )
    with lake.open(_with_settings(lk, file="x.toml")) as again:
        check(again, "r2")
        assert found(again) == [("CAL-1.study", "fail")]


def test_findings_are_asked_for_by_centre_and_severity(lk: lake.Lake) -> None:
    put(lk, "series", pet("a", uptake_time_s=2000.0), pet("b", patient="p2", centre="B",
        uptake_time_s=3000.0))  # fmt: skip
    check(lk)
    assert findings(lk, severity="fail")["centre"].to_pylist() == ["A"]
    assert findings(lk, centre="B")["severity"].to_pylist() == ["warn"]
    with pytest.raises(InvalidInputError, match="expected info, warn, fail"):
        findings(lk, severity="bad")


STRICT = """
protocol = "trial-x"
version = "2"
title = "Trial X"
extends = "default"

[rules."UPT-1"]
warn = "none"
fail = { min = 55, max = 65 }

[rules."BLD-1"]
enabled = false
reason = "brain scans"
"""


def _with_settings(lk: lake.Lake, **protocol: object) -> Path:
    settings = make_settings({**lk.settings.model_dump(mode="json"), "protocol": protocol})
    (lk.location / "tracerlake.toml").write_text(dump_settings(settings), encoding="utf-8")
    return lk.location


def test_a_centre_with_its_own_protocol(lk: lake.Lake) -> None:
    (lk.location / "x.toml").write_text(STRICT, encoding="utf-8")
    put(lk, "series", pet("a", uptake_time_s=4200.0), pet("b", patient="p2", centre="B",
        uptake_time_s=4200.0))  # fmt: skip
    check(lk)
    assert found(lk) == []
    location = _with_settings(lk, centres={"B": "x.toml"})
    with lake.open(location) as again:
        assert check(again, "r2").n_new == 1
        rows = again.sql("SELECT rule_id, severity, centre, protocol_id FROM findings").fetchall()
        assert rows == [("UPT-1", "fail", "B", "trial-x/2")]
        kept = dict(again.sql("SELECT protocol_id, rules_off FROM protocols").fetchall())
        assert set(kept) == {"tracerlake/1", "trial-x/2"}
        assert "BLD-1: brain scans" in kept["trial-x/2"]
        used = "SELECT DISTINCT centre, protocol_id FROM protocol_checks ORDER BY ALL"
        assert again.sql(used).fetchall() == [("A", "tracerlake/1"), ("B", "trial-x/2")]


def test_a_changed_file_is_held_against_everything_again(lk: lake.Lake) -> None:
    file = lk.location / "x.toml"
    file.write_text(STRICT, encoding="utf-8")
    put(lk, "series", pet("a", uptake_time_s=4200.0))
    with lake.open(_with_settings(lk, file="x.toml")) as again:
        check(again)
        assert found(again) == [("UPT-1", "fail")]
        file.write_text(STRICT.replace("max = 65", "max = 70"), encoding="utf-8")
        assert check(again, "r2").n_gone == 1
        assert found(again) == []
        assert again.sql("SELECT count(*) FROM protocols").fetchall() == [(2,)]
        file.write_text(STRICT.replace("max = 65", "maximum = 70"), encoding="utf-8")
        with pytest.raises(InvalidInputError, match=r"protocol.file.*fail.maximum: unknown key"):
            check(again, "r3")
