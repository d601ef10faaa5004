"""`tracerlake quarantine`: what is shown to whom, and the folder view."""

from __future__ import annotations

import csv
import json
import stat
import zipfile
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

import lake
from flows.cli.main import app
from flows.quarantine import Choice, remedy
from flows.retrying import known_places
from schemas.errors import InvalidInputError, NotFoundInLakeError
from schemas.reasons import QUARANTINE_REASONS, SUV_REFUSALS
from schemas.records import Row
from schemas.remedies import REMEDIES, SUV_REMEDIES
from tasks.sources.retrieved import Connections
from tasks.sources.uris import make_uri

PET = "1.2.840.10008.5.1.4.1.1.128"


def _row(key: str, reason: str | None, series: str | None, **more: object) -> Row:
    outcome = "quarantined" if reason else "ingested"
    return {
        "file_key": key, "source_name": "pacs", "size_bytes": 7, "modified_ns": 1,
        "series_instance_uid": series, "outcome": outcome, "reason_code": reason,
        "reason_text": f"Text of {reason}." if reason else None, "sop_class_uid": PET, **more,
    }  # fmt: skip


@pytest.fixture
def originals(tmp_path: Path) -> Path:
    """Where the objects lie: a file, and a member of an archive."""
    folder = tmp_path / "Zwiebel, Anna"
    folder.mkdir()
    (folder / "1.dcm").write_bytes(b"content")
    with zipfile.ZipFile(folder / "cd.zip", "w") as archive:
        archive.writestr("2.dcm", b"member")
        archive.writestr("3.dcm", b"another")
    return folder


@pytest.fixture
def location(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, originals: Path) -> Path:
    monkeypatch.setenv("TRACERLAKE_KEY_DIR", str(tmp_path / "keys"))
    monkeypatch.setenv("COLUMNS", "240")
    tag = ["(0028,0030) PixelSpacing"]
    with lake.create(tmp_path / "lake") as lk:
        lk.keys().remember_locations(
            [
                ("aaaaaa1", make_uri("file", originals / "1.dcm")),
                ("aaaaaa2", make_uri("zip", originals / "cd.zip", "2.dcm")),
                ("bbbbbb1", make_uri("file", originals / "gone.dcm")),
            ]
        )
        rows = [
            _row("aaaaaa1", "invalid_attribute", "2.25.1", reason_tags=tag),
            _row("aaaaaa2", "invalid_attribute", "2.25.1", reason_tags=tag),
            _row("bbbbbb1", "truncated", "2.25.2", source_name="usb"),
            _row("cccccc1", None, "2.25.1"),
        ]
        with lk.transaction(message="test") as tx:
            tx.replace("files", rows, scope=("file_key",))
    return tmp_path / "lake"


def run(command: str, location: Path, *arguments: object) -> Result:
    words = ["quarantine", command, str(location), *map(str, arguments)]
    return CliRunner().invoke(app, words)


def test_list_groups_by_reason(location: Path) -> None:
    shown = run("list", location, "--format", "json")
    assert shown.exit_code == 0, shown.output
    first, second = json.loads(shown.stdout)
    assert first | {"meaning": ""} == {
        "reason_code": "invalid_attribute", "source_name": "pacs", "objects": 2, "series": 1,
        "attributes": "(0028,0030) PixelSpacing", "meaning": "",
    }  # fmt: skip
    assert first["meaning"] == QUARANTINE_REASONS["invalid_attribute"]
    assert (second["reason_code"], second["objects"]) == ("truncated", 1)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--reason", "truncated"], ["truncated"]),
        (["--source", "pacs"], ["invalid_attribute"]),
        (["--series", "2.25.2"], ["truncated"]),
        (["--series", "2.25.2", "--source", "pacs"], []),
    ],
)
def test_list_can_be_narrowed(location: Path, options: list[str], expected: list[str]) -> None:
    shown = run("list", location, "--format", "json", *options)
    assert [row["reason_code"] for row in json.loads(shown.stdout)] == expected


def test_an_unknown_reason_is_a_mistake(location: Path) -> None:
    assert isinstance(run("list", location, "--reason", "trunkated").exception, InvalidInputError)


def test_show_says_everything_but_who(location: Path) -> None:
    shown = run("show", location, "aaaaaa1")
    assert shown.exit_code == 0, shown.output
    for text in (
        "Text of invalid_attribute.", "(0028,0030) PixelSpacing", remedy("invalid_attribute"),
        "Positron Emission Tomography Image Storage", "ingested 1, invalid_attribute 2",
    ):  # fmt: skip
        assert text in shown.output
    assert "Zwiebel" not in shown.output


def test_show_takes_a_series_or_the_beginning_of_a_key(location: Path) -> None:
    assert run("show", location, "2.25.1").output.count("what to do") == 2
    assert run("show", location, "bbbbbb").output.count("what to do") == 1
    assert isinstance(run("show", location, "aaaaaa").exception, InvalidInputError)
    assert isinstance(run("show", location, "aaaaa").exception, NotFoundInLakeError)
    assert isinstance(run("show", location, "cccccc1").exception, NotFoundInLakeError)


def test_places_are_revealed_to_the_key_holder_and_logged(location: Path) -> None:
    shown = run("show", location, "aaaaaa1", "--reveal", "--why", "export was broken")
    assert shown.exit_code == 0, shown.output
    assert "Zwiebel" in shown.output
    with lake.open(location, read_only=True) as lk:
        assert [row[-1] for row in lk.keys().lookups()] == ["export was broken"]


def test_places_stay_hidden_without_the_key(
    location: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRACERLAKE_KEY_DIR", str(tmp_path / "other"))
    hidden = run("show", location, "aaaaaa1", "--reveal")
    assert isinstance(hidden.exception, InvalidInputError)
    assert "Zwiebel" not in hidden.output


def test_export_is_a_folder_per_reason_without_identity(location: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert run("export", location, out).exit_code == 0
    assert sorted(p.name for p in out.iterdir()) == ["README.md", "invalid_attribute", "truncated"]
    with (out / "invalid_attribute" / "index.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [r["file_key"] for r in rows] == ["aaaaaa1", "aaaaaa2"]
    assert {r["reason_tags"] for r in rows} == {"(0028,0030) PixelSpacing"}
    text = "".join(p.read_text(encoding="utf-8") for p in out.rglob("*") if p.is_file())
    assert remedy("truncated") in text
    assert "Zwiebel" not in text
    assert stat.S_IMODE(out.stat().st_mode) == 0o700


def test_export_with_objects(location: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = run("export", location, out, "--with-objects", "--reason", "invalid_attribute")
    assert done.exit_code == 0, done.output
    assert "identified patient data" in " ".join(done.output.split())
    objects = out / "invalid_attribute" / "objects"
    assert (objects / "aaaaaa1.dcm").is_symlink()
    assert (objects / "aaaaaa1.dcm").read_bytes() == b"content"
    assert (objects / "aaaaaa2.dcm").read_bytes() == b"member"
    assert stat.S_IMODE((objects / "aaaaaa2.dcm").stat().st_mode) == 0o600


def test_export_says_which_objects_are_gone(location: Path, tmp_path: Path) -> None:
    done = run("export", location, tmp_path / "out", "--with-objects")
    assert isinstance(done.exception, InvalidInputError)
    assert "1 objects are no longer" in str(done.exception)
    assert (tmp_path / "out" / "invalid_attribute" / "objects" / "aaaaaa1.dcm").exists()


@pytest.mark.parametrize("inside", ["lake/reports/out", "full"])
def test_export_goes_nowhere_it_should_not(location: Path, tmp_path: Path, inside: str) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("...")
    assert isinstance(run("export", location, tmp_path / inside).exception, InvalidInputError)
    assert not (tmp_path / inside / "README.md").exists()


def test_an_empty_quarantine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACERLAKE_KEY_DIR", str(tmp_path / "keys"))
    lake.create(tmp_path / "lake").close()
    assert "nothing in quarantine" in run("list", tmp_path / "lake").output
    assert "nothing in quarantine" in run("retry", tmp_path / "lake").output
    assert run("export", tmp_path / "lake", tmp_path / "out").exit_code == 0


def test_objects_are_looked_for_where_they_lie_now(location: Path, originals: Path) -> None:
    with lake.open(location) as lk:
        found = known_places(lk, lk.keys(), ["aaaaaa1", "aaaaaa2", "bbbbbb1"], Connections())
    (source,) = found
    assert source.name == "pacs"
    refs = {ref.uri.rpartition("/")[2]: ref for ref in source.objects()}
    assert set(refs) == {"1.dcm", "cd.zip!2.dcm"}
    assert refs["1.dcm"].size_bytes == len(b"content")
    assert refs["1.dcm"].modified_ns == (originals / "1.dcm").stat().st_mtime_ns
    assert refs["cd.zip!2.dcm"].size_bytes == len(b"member")


def test_a_damaged_archive_gives_all_its_members_once_it_is_whole(
    location: Path, originals: Path
) -> None:
    with lake.open(location) as lk:
        lk.keys().remember_locations([("dddddd1", make_uri("zip", originals / "cd.zip"))])
        with lk.transaction(message="test") as tx:
            tx.replace("files", [_row("dddddd1", "archive_damaged", None)], scope=("file_key",))
        (source,) = known_places(lk, lk.keys(), ["dddddd1"], Connections())
    assert [ref.uri[-5:] for ref in source.objects()] == ["2.dcm", "3.dcm"]


def test_choices_are_checked() -> None:
    assert Choice("truncated").parameters["reason"] == "truncated"
    with pytest.raises(InvalidInputError, match="no reason code"):
        Choice("secondary_capture")


def test_every_reason_has_a_remedy() -> None:
    assert set(REMEDIES) == set(QUARANTINE_REASONS)
    assert set(SUV_REMEDIES) == set(SUV_REFUSALS)
