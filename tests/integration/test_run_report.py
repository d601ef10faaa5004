"""The report of an ingestion run: numbers that add up, pictures, and nobody's identity."""

from __future__ import annotations

import base64
import os
import re
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

import lake
from flows.cli.main import app
from flows.cluster import open_cluster
from flows.identities import pseudonymiser
from flows.ingest import ingest
from schemas.errors import NotFoundInLakeError, SourceUnavailableError
from tests.instances import ct_instance

pytestmark = pytest.mark.xdist_group("prefect")

#: A folder as sites have them: with a name and a number.
FOLDER = "Doe Jane 4711"


@pytest.fixture(scope="module")
def nights(prefect_server: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake after two nights: a series grows, one object is cut off, the PACS is down."""
    base = tmp_path_factory.mktemp("nights")
    pacs = {"kind": "dicomweb", "url": "http://127.0.0.1:9/dicom-web", "retry": {"attempts": 1}}
    values = {"sources": {"pacs": pacs}, "retrieval_dir": str(base / "retrieved")}
    lake.create(base / "lake", settings=values).close()
    inbox = base / FOLDER
    inbox.mkdir()
    (inbox / "notes.txt").write_text("no DICOM\n" * 20)
    for number in range(4):
        (inbox / f"{number}.dcm").write_bytes(ct_instance(1, 1, number, edge=16))
    with open_cluster(workers=1) as client:
        address = str(client.scheduler.address)
        ingest(str(base / "lake"), [str(inbox)], dask_address=address)
        for number in range(4, 6):
            (inbox / f"{number}.dcm").write_bytes(ct_instance(1, 1, number, edge=16))
        for number in range(3):
            (inbox / f"new{number}.dcm").write_bytes(ct_instance(2, 1, number, edge=16))
        (inbox / "cut.dcm").write_bytes(ct_instance(3, 1, 0, edge=16)[:-20])
        with pytest.raises(SourceUnavailableError):
            ingest(str(base / "lake"), [str(inbox), "pacs"], dask_address=address)
    return base / "lake"


def _runs(location: Path) -> list[str]:
    with lake.open(location, read_only=True) as lk:
        rows = lk.sql("SELECT run_id FROM runs ORDER BY started_at").fetchall()
    return [run for (run,) in rows]


def _html(location: Path, name: str) -> str:
    return (location / "reports" / "runs" / f"{name}.html").read_text(encoding="utf-8")


def _rows(html: str, title: str) -> list[list[str]]:
    """Cells of the table below a heading."""
    section = html.split(f"<h2>{title}</h2>")[1].split("<h2>", maxsplit=1)[0]
    table = re.search(r"<table>(.*?)</table>", section, re.DOTALL)
    assert table
    lines = re.findall(r"<tr.*?</tr>", table[1], re.DOTALL)
    cells = [re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", line, re.DOTALL) for line in lines]
    return [[re.sub(r"<[^>]+>|\s+", " ", c).strip() for c in line] for line in cells]


def test_every_object_is_in_the_numbers_and_they_add_up(nights: Path) -> None:
    html = _html(nights, "latest")
    assert html == _html(nights, _runs(nights)[-1])
    assert _rows(html, "Where every object ended")[1:] == [
        ["unchanged", "5"], ["ingested", "5"], ["duplicate", "0"], ["quarantined", "1"],
        ["ignored", "0"], ["sum", "11"], ["objects looked at", "11"],
    ]  # fmt: skip
    assert "The numbers add up." in html
    assert "failed" in html.split("</h1>")[0]
    sources = _rows(html, "Sources")[1:]
    assert sources[0] == ["folder", "11", "6", "5", "complete"]
    assert sources[1][:4] == ["pacs", "0", "0", "0"]
    assert "no answer" in sources[1][4]
    assert sources[2][:4] == ["sum", "11", "6", "5"]


def test_new_and_grown_volumes_are_told_apart(nights: Path) -> None:
    first, second = (_html(nights, run) for run in _runs(nights))
    heading = "New in the lake, by centre and modality"
    assert [row[1:] for row in _rows(first, heading)[1:]] == [["CT", "1", "4", "1", "0"]]
    assert [row[1:] for row in _rows(second, heading)[1:]] == [["CT", "2", "9", "1", "1"]]
    pictures = re.findall(r"data:image/png;base64,([A-Za-z0-9+/=]+)", second)
    assert len(pictures) == 2
    assert all(base64.b64decode(p).startswith(b"\x89PNG") for p in pictures)
    assert second.count("<b>grown</b>") == 1


def test_quarantine_names_reason_advice_and_the_series_by_pseudonym(nights: Path) -> None:
    html = _html(nights, "latest")
    with lake.open(nights, read_only=True) as lk:
        series = pseudonymiser(lk.settings, lk.keys()).uid("2.25.93.1")
    row = _rows(html, "Quarantined")[1]
    assert (row[0], row[2], row[3], row[4]) == ("truncated", "1", "1", "folder")
    assert "transfer it again" in row[1]
    assert series in row[5]


def test_reports_are_chained_and_nothing_comes_from_outside(nights: Path) -> None:
    first, second = _runs(nights)
    html = _html(nights, "latest")
    assert f'<a href="{first}.html">' in html
    assert re.findall(r'(?:href|src)="(?!data:|[0-9a-f]{12}\.html)', html) == []
    assert "It is the first run" in _html(nights, first)
    assert first != second


def test_nothing_in_a_report_tells_who_it_was(nights: Path) -> None:
    for run in (*_runs(nights), "latest"):
        html = _html(nights, run)
        for secret in ("Doe", "Jane", "4711", "19600101", "2.25.91", "2.25.93.1", ">P1<", "A1<",
                       str(nights), str(nights.parent)):  # fmt: skip
            assert secret not in html, secret


def test_prefect_shows_the_report_in_short(nights: Path) -> None:
    url = f"{os.environ['PREFECT_API_URL']}/artifacts/ingest-run/latest"
    artifact = httpx.get(url, trust_env=False).json()
    assert artifact["description"] == f"Ingestion run {_runs(nights)[-1]}"
    text = artifact["data"]
    assert "| **sum** | 11 |" in text
    assert "| truncated | 1 | 1 |" in text
    assert "no answer" in text
    assert all(secret not in text for secret in ("Doe", "Jane", "4711", str(nights.parent)))


def test_times_and_rates_can_be_asked_in_sql(nights: Path) -> None:
    with lake.open(nights, read_only=True) as lk:
        (row,) = lk.sql(
            "SELECT * FROM runs ORDER BY started_at DESC LIMIT 1"
        ).to_arrow_table().to_pylist()  # fmt: skip
        outcomes = lk.sql(
            "SELECT outcome, reason_code, n_objects FROM run_outcomes WHERE run_id = $run "
            "ORDER BY ALL", {"run": row["run_id"]},
        ).fetchall()  # fmt: skip
    assert outcomes == [("ingested", "", 5), ("quarantined", "truncated", 1)]
    stages = [row[f"{s}_s"] for s in ("discover", "retrieve", "scan", "convert", "commit")]
    assert all(s >= 0 for s in stages)
    assert 0 < sum(stages) <= row["elapsed_s"]
    assert row["n_series"] == 2
    files = list((nights.parent / FOLDER).glob("[45].dcm"))
    files += [*(nights.parent / FOLDER).glob("new*.dcm"), nights.parent / FOLDER / "cut.dcm"]
    assert row["input_bytes"] == sum(f.stat().st_size for f in files)
    assert row["objects_per_s"] == pytest.approx(6 / row["elapsed_s"])
    assert row["megabytes_per_s"] == pytest.approx(row["input_bytes"] / 1e6 / row["elapsed_s"])


def test_a_run_is_reported_as_it_was_also_later(nights: Path, tmp_path: Path) -> None:
    first = _runs(nights)[0]
    out = tmp_path / "first.html"
    result = CliRunner().invoke(app, ["report", str(nights), "--run", first, "-o", str(out)])
    assert result.exit_code == 0, result.output
    then = _rows(out.read_text(encoding="utf-8"), "New in the lake, by centre and modality")
    assert then[1][1:] == ["CT", "1", "4", "1", "0"]  # the series has grown since


def test_an_unknown_run_is_said_so(nights: Path) -> None:
    result = CliRunner().invoke(app, ["report", str(nights), "--run", "nonsense"])
    assert isinstance(result.exception, NotFoundInLakeError)
