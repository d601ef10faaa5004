"""`tracerlake reidentify`: what the key holder sees, and that it is logged."""

from __future__ import annotations

import csv
import stat
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

import lake
from flows.cli.main import app
from schemas.errors import InvalidInputError


@pytest.fixture
def location(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TRACERLAKE_KEY_DIR", str(tmp_path / "keys"))
    monkeypatch.setenv("COLUMNS", "200")
    with lake.create(tmp_path / "lake") as lk:
        keys = lk.keys()
        keys.remember_patients([("P-1", "", "Zwiebel [4711]")])
        keys.remember_locations([("f1", "file:///pacs/zwiebel.dcm")])
        row = {"file_key": "f1", "sop_instance_uid": "2.25.7", "outcome": "ingested"}
        with lk.transaction(message="test") as tx:
            tx.replace("files", [row], scope=("file_key",))
    return tmp_path / "lake"


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["reidentify", *map(str, arguments)])


def test_shown_and_logged(location: Path) -> None:
    shown = run(location, "P-1", "2.25.7", "--reason", "incidental finding")
    assert shown.exit_code == 0, shown.output
    assert "Zwiebel [4711]" in shown.output
    assert "file:///pacs/zwiebel.dcm" in shown.output
    history = run(location, "--history")
    assert history.exit_code == 0
    assert "incidental finding" in history.output
    assert "P-1" in history.output
    assert "wiebel" not in history.output
    log = (location.parent / "keys" / "reidentification.sqlite").read_bytes()
    assert b"incidental finding" in log
    assert not any(
        b"incidental finding" in p.read_bytes() for p in location.rglob("*") if p.is_file()
    )


def test_what_is_unknown_is_said(location: Path) -> None:
    shown = run(location, "P-2", "P-1")
    assert shown.exit_code == 1
    assert "1 of 2" in shown.output


def test_csv_is_for_its_owner_and_never_in_a_lake(location: Path) -> None:
    out = location.parent / "who.csv"
    assert run(location, "P-1", "--csv", out).exit_code == 0
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    with out.open(encoding="utf-8", newline="") as file:
        assert list(csv.DictReader(file)) == [
            {"pseudonym": "P-1", "kind": "patient", "original": "Zwiebel [4711]", "issuer": ""}
        ]
    again = run(location, "P-1", "--csv", out)
    assert isinstance(again.exception, InvalidInputError)
    inside = run(location, "P-1", "--csv", location / "reports" / "who.csv")
    assert isinstance(inside.exception, InvalidInputError)
    assert not (location / "reports" / "who.csv").exists()


def test_without_the_key_nothing_is_told(
    location: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TRACERLAKE_KEY_DIR", str(tmp_path / "others"))
    assert isinstance(run(location, "P-1").exception, InvalidInputError)


def test_something_must_be_asked(location: Path) -> None:
    assert isinstance(run(location).exception, InvalidInputError)
