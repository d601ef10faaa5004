"""The command line as a user meets it: answers, and errors that say what to do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import lake
from lake.settings import SETTINGS_FILE
from schemas.tables import LAKE_FORMAT, TABLES


def tracerlake(*arguments: str | Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "flows.cli.main", *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, input=stdin, timeout=240, check=False,
        env={**os.environ, "COLUMNS": "160", "NO_COLOR": "1"},
    )  # fmt: skip


@pytest.fixture
def empty_lake(tmp_path: Path) -> Path:
    lake.create(tmp_path / "lake").close()
    return tmp_path / "lake"


def fails(result: subprocess.CompletedProcess[str], *texts: str) -> None:
    assert result.returncode in {1, 2}, result.stderr
    assert "Traceback" not in result.stderr
    for text in texts:
        assert text in " ".join(result.stderr.split())


def test_init_and_describe(tmp_path: Path) -> None:
    made = tracerlake("init", tmp_path / "new", "--centre", "Hospital One=ONE")
    assert made.returncode == 0, made.stderr
    with lake.open(tmp_path / "new") as lk:
        assert lk.settings.centres == {"Hospital One": "ONE"}
    shown = tracerlake("describe", "series")
    assert "injected_activity_bq" in shown.stdout
    assert "RadionuclideTotalDose" in shown.stdout


def test_init_refuses_a_folder_with_other_things(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("...")
    fails(tracerlake("init", tmp_path), "error:")


def test_a_lake_inside_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    blocker = tmp_path / "file"
    blocker.write_text("not a folder")
    fails(tracerlake("init", blocker / "lake"), "error:")


def test_no_lake_there(tmp_path: Path) -> None:
    fails(tracerlake("tables", tmp_path / "nowhere"), "error:", "nowhere")


def test_a_lake_of_a_newer_version(empty_lake: Path) -> None:
    settings = empty_lake / SETTINGS_FILE
    settings.write_text(settings.read_text().replace(f"format = {LAKE_FORMAT}", "format = 999"))
    fails(tracerlake("tables", empty_lake), "999", "newer")


@pytest.mark.xdist_group("prefect")
@pytest.mark.usefixtures("prefect_server")
def test_an_empty_folder(empty_lake: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    fails(tracerlake("ingest", empty_lake, tmp_path / "empty"), "empty folder")


@pytest.mark.xdist_group("prefect")
@pytest.mark.usefixtures("prefect_server")
def test_a_folder_without_dicom(empty_lake: Path, tmp_path: Path) -> None:
    (tmp_path / "papers").mkdir()
    (tmp_path / "papers" / "notes.txt").write_text("no DICOM here\n" * 20)
    result = tracerlake("ingest", empty_lake, tmp_path / "papers")
    assert result.returncode == 0, result.stderr
    assert "no DICOM" in " ".join(result.stderr.split())
    with lake.open(empty_lake, read_only=True) as lk:
        assert lk.sql("SELECT outcome, reason_code FROM files").fetchall() == [
            ("ignored", "not_dicom")
        ]


@pytest.mark.xdist_group("prefect")
@pytest.mark.usefixtures("prefect_server")
def test_a_dask_address_that_does_not_answer(empty_lake: Path, tmp_path: Path) -> None:
    (tmp_path / "papers").mkdir()
    (tmp_path / "papers" / "notes.txt").write_text("some text")
    result = tracerlake("ingest", empty_lake, tmp_path / "papers", "--dask", "tcp://127.0.0.1:9")
    fails(result, "no Dask scheduler answers", "dask worker")


def test_sql_with_a_mistake_says_where(empty_lake: Path) -> None:
    fails(tracerlake("sql", empty_lake, "SELECT sereis_instance_uid FROM series"), "error:",
          "series_instance_uid")  # fmt: skip


@pytest.mark.parametrize("fmt", ["csv", "json", "parquet", "table"])
def test_sql_formats(empty_lake: Path, tmp_path: Path, fmt: str) -> None:
    out = tmp_path / f"answer.{fmt}"
    query = "SELECT 1 AS a, 'x' AS b"
    result = tracerlake("sql", empty_lake, query, "--format", fmt, "--output", out)
    assert result.returncode == 0, result.stderr
    if fmt == "parquet":
        assert pq.read_table(out).to_pylist() == [{"a": 1, "b": "x"}]
    elif fmt == "json":
        assert json.loads(out.read_text()) == [{"a": 1, "b": "x"}]
    else:
        assert out.read_text().split() == ["a,b", "1,x"]


def test_sql_reads_the_past(empty_lake: Path) -> None:
    with lake.open(empty_lake) as lk:
        before = lk.snapshot
        row = {"run_id": "r1", "flow_name": "test", "run_state": "completed"}
        lk.commit(lambda tx: tx.insert("runs", [row]), message="a run")
    query = ("SELECT count(*) AS n FROM runs", "--format", "csv")
    assert tracerlake("sql", empty_lake, *query).stdout.split() == ["n", "1"]
    then = tracerlake("sql", empty_lake, *query, "--snapshot", str(before))
    assert then.stdout.split() == ["n", "0"], then.stderr


def test_interactive_sql_goes_on_after_a_mistake(empty_lake: Path) -> None:
    lines = ".tables\nSELECT nothing_like_it;\nSELECT 6 *\n 7 AS answer;\n.quit\n"
    result = tracerlake("sql", empty_lake, "--format", "csv", stdin=lines)
    assert result.returncode == 0, result.stderr
    assert "answer" in result.stdout
    assert "42" in result.stdout
    assert "nothing_like_it" in result.stderr


def test_tables_lists_everything_that_is_declared(empty_lake: Path) -> None:
    shown = tracerlake("tables", empty_lake).stdout
    assert all(name in shown for name in TABLES)
