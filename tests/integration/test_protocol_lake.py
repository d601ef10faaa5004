"""The protocol of a lake made from DICOM: what is planted in its clinical data is found."""

from __future__ import annotations

import csv
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner

import lake
from flows.check_protocol import check_protocol
from flows.cli.main import app
from flows.clinical import ingest_clinical
from flows.identities import pseudonymiser
from flows.new_findings import findings
from flows.report.protocol import protocol_part
from flows.report.protocol_summary import protocol_summary
from tests.cohorts import Cohort

pytestmark = pytest.mark.xdist_group("prefect")


@dataclass(frozen=True)
class Planted:
    """A copy of the built lake, and which patients of centre A have which deviation."""

    location: Path
    patients: dict[str, str]


@pytest.fixture(scope="module")
def planted(
    built_lake: Path, tiny_cohort: Cohort, tmp_path_factory: pytest.TempPathFactory
) -> Planted:
    """Give the first two patients of centre A an eCRF that contradicts their images."""
    location = tmp_path_factory.mktemp("planted") / "lake"
    shutil.copytree(built_lake, location)
    with tiny_cohort.redcap.open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["centre"] == "Simulated Centre A"
                or row["centre"] == "A"][:3]  # fmt: skip
    with lake.open(location, read_only=True) as lk:
        names = pseudonymiser(lk.settings, lk.keys())
        weights = dict(
            lk.sql(
                "SELECT patient_key, any_value(patient_weight_kg) FROM series "
                "WHERE modality = 'PT' AND suv_status = 'suv' GROUP BY ALL"
            ).fetchall()
        )
    keys = [names.patient_key(row["patient_id"], "") for row in rows]
    weight, glucose, good = (weights[key] for key in keys)
    rows[0] |= {"weight": f"{weight / 2.2046:.1f}", "glucose_mgdl": "95"}  # pounds in the header?
    rows[1] |= {"weight": f"{glucose:.1f}", "glucose_mgdl": "240"}
    rows[2] |= {"weight": f"{good:.1f}", "glucose_mgdl": "90"}
    export = location.parent / "redcap.csv"
    with export.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    ingest_clinical(str(location), redcap=[str(export)])
    check_protocol(str(location))
    return Planted(location, dict(zip(("weight", "glucose", "good"), keys, strict=True)))


def test_what_was_planted_is_found_and_nothing_else(planted: Planted) -> None:
    with lake.open(planted.location, read_only=True) as lk:
        found = lk.sql(
            "SELECT patient_key, rule_id, severity, subject_kind FROM findings "
            "WHERE rule_id IN ('GLU-1', 'GLU-2', 'WGT-2', 'ACT-3') ORDER BY rule_id"
        ).fetchall()
    assert found == [
        (planted.patients["glucose"], "GLU-1", "fail", "study"),  # 240 mg/dl = 13.3 mmol/l
        (planted.patients["weight"], "WGT-2", "fail", "study"),
    ]


def test_they_are_what_is_new(planted: Planted) -> None:
    with lake.open(planted.location, read_only=True) as lk:
        new = findings(lk, is_new=True, severity="fail", only_protocol=True)
        assert sorted(new["rule"].to_pylist()) == ["GLU-1", "WGT-2"]
        part = protocol_part(lk)
        summary = protocol_summary(lk)
    assert part is not None
    assert [(r["centre"], r["rule"], r["severity"]) for r in part.new] == [
        ("A", "GLU-1", "fail"), ("A", "WGT-2", "fail"),
    ]  # fmt: skip
    assert len(part.pictures) >= 3
    assert all(png.startswith(b"\x89PNG") for png in part.pictures)
    assert "LIV-1" in part.unchecked["rule"].to_pylist()
    assert "| fail | A | GLU-1 | 1 |" in summary
    assert not any(key in summary for key in planted.patients.values())


def test_every_rule_of_every_study_is_accounted_for(planted: Planted) -> None:
    with lake.open(planted.location, read_only=True) as lk:
        rows = lk.sql("FROM protocol_coverage").to_arrow_table().to_pylist()
        (n_studies,) = lk.sql(
            "SELECT count(DISTINCT study_instance_uid) FROM cohort WHERE modality = 'PT'"
        ).fetchall()[0]
    for row in rows:
        parts = ("n_passed", "n_info", "n_warn", "n_fail", "n_not_checkable")
        assert row["n_studies"] == sum(row[p] for p in parts), row
        assert bool(row["not_checkable_because"]) == (row["n_not_checkable"] > 0)
    uptake = sum(row["n_studies"] for row in rows if row["rule_id"] == "UPT-1")
    assert uptake >= n_studies


def test_the_alarm_of_the_command_line(planted: Planted) -> None:
    runner = CliRunner()
    place = str(planted.location)
    command = ["findings", place, "--centre", "A", "--format", "csv", "--fail-on"]
    alarmed = runner.invoke(app, [*command, "fail", "--since-last-run"])
    assert alarmed.exit_code == 3
    assert "GLU-1" in alarmed.stdout
    quiet = runner.invoke(app, [*command, "fail", "--severity", "fail", "--centre", "B"])
    assert quiet.exit_code == 0
    shown = runner.invoke(app, ["protocol", "show", place])
    assert "tracerlake/1" in shown.stdout
