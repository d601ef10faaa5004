"""Making, finding and refusing lakes; settings; what users are told."""

from __future__ import annotations

import gc
import os
import shutil
import tomllib
from pathlib import Path

import pytest

import lake
from lake import Lake
from lake.settings import dump_settings, make_settings, read_settings
from schemas.errors import (
    InvalidInputError,
    LakeVersionError,
    NotFoundInLakeError,
    StorageError,
)
from schemas.tables import LAKE_FORMAT

ID = "0123456789abcdef"


def test_a_new_lake_has_its_parts(empty_lake: Path) -> None:
    names = {p.name for p in empty_lake.iterdir()}
    assert names >= {"tracerlake.toml", "catalog.sqlite", "tables", "volumes", "reports"}
    assert ".tracerlake-creating" not in names
    values = tomllib.loads((empty_lake / "tracerlake.toml").read_text())
    assert values["format"] == LAKE_FORMAT
    assert len(values["lake_id"]) == 16


def test_a_lake_can_be_moved(empty_lake: Path, tmp_path: Path) -> None:
    shutil.copytree(empty_lake, tmp_path / "before")
    with lake.open(tmp_path / "before") as lk:
        lk.commit(lambda tx: tx.insert("files", [{"file_key": "a"}]), message="m")
    (tmp_path / "before").rename(tmp_path / "after")
    with lake.open(tmp_path / "after") as lk:
        assert lk.sql("SELECT file_key FROM files").fetchall() == [("a",)]
        lk.commit(lambda tx: tx.insert("files", [{"file_key": "b"}]), message="m")
        assert lk.sql("SELECT count(*) FROM files").fetchone() == (2,)
    assert not (tmp_path / "before").exists()


def test_create_refuses_what_is_there(tmp_path: Path, empty_lake: Path) -> None:
    (tmp_path / "thesis.doc").touch()
    with pytest.raises(InvalidInputError, match=r"not empty \(it holds 'thesis.doc'\)"):
        lake.create(tmp_path)
    with pytest.raises(InvalidInputError, match="is a lake already"):
        lake.create(empty_lake)


def test_create_goes_on_after_a_crash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("lake.catalog._describe_columns", crash)
        with pytest.raises(KeyboardInterrupt):
            lake.create(tmp_path / "lake")
    with pytest.raises(NotFoundInLakeError):
        lake.open(tmp_path / "lake")
    with lake.create(tmp_path / "lake") as lk:
        assert lk.sql("SELECT count(*) FROM files").fetchone() == (0,)


@pytest.mark.parametrize("name", ["nothing-here", ""])
def test_open_says_what_is_no_lake(tmp_path: Path, name: str) -> None:
    with pytest.raises(NotFoundInLakeError, match="make one with: tracerlake init"):
        lake.open(tmp_path / name)


def test_a_newer_lake_asks_for_a_newer_tracerlake(empty_lake: Path, tmp_path: Path) -> None:
    text = (empty_lake / "tracerlake.toml").read_text()
    newer = text.replace(f"format = {LAKE_FORMAT}", f"format = {LAKE_FORMAT + 1}")
    (tmp_path / "tracerlake.toml").write_text(newer + 'from_the_future = "yes"\n')
    with pytest.raises(LakeVersionError, match="Install a newer tracerlake"):
        lake.open(tmp_path)


def test_a_lake_from_before_the_first_release_says_so(empty_lake: Path, tmp_path: Path) -> None:
    text = (empty_lake / "tracerlake.toml").read_text()
    (tmp_path / "tracerlake.toml").write_text(text.replace(f"format = {LAKE_FORMAT}", "format = 1"))
    with pytest.raises(LakeVersionError, match="ingest again"):
        lake.open(tmp_path)


def test_unwritable_lakes_say_so(
    empty_lake: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="choose a folder that this account may write"):
        lake.create(tmp_path / "file" / "lake")
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(StorageError, match="may not write"):
        lake.open(empty_lake)


def test_read_only_lakes_refuse_writes(lk: Lake) -> None:
    with (
        lake.open(lk.location, read_only=True) as other,
        pytest.raises(InvalidInputError, match="read-only"),
    ):
        other.commit(lambda tx: None, message="m")
    with lk.at(lk.snapshot) as old, pytest.raises(InvalidInputError, match="earlier snapshot"):
        old.commit(lambda tx: None, message="m")


def test_settings_survive_their_file(tmp_path: Path) -> None:
    given = {
        "lake_id": ID,
        "deidentify": False,
        "data": "/data/ä b\\c",
        "centres": {'Hôpital "X"\n\x7f': "A", "b": "B"},
        "limits": {"max_voxels": 5},
        "key_dir": "/keys",
    }
    settings = make_settings(given)
    path = tmp_path / "tracerlake.toml"
    path.write_text(dump_settings(settings), encoding="utf-8")
    assert read_settings(path) == settings
    assert "retry" not in path.read_text()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"colour": "red"}, "colour: Extra inputs"),
        ({"retry": {"attempts": 0}}, "retry.attempts: .*greater than or equal to 1"),
        ({"catalog": "mysql://x"}, "catalog: .*postgresql://"),
        ({"catalog": "postgresql://me:secret@host/db"}, "catalog: .*password.*pgpass"),
        ({"lake_id": "../x"}, "lake_id: .*pattern"),
    ],
)
def test_wrong_settings_are_named_without_their_value(
    values: dict[str, object], message: str
) -> None:
    with pytest.raises(InvalidInputError, match=message) as caught:
        make_settings({"lake_id": ID, **values})
    assert "secret" not in str(caught.value)


def test_damaged_settings_file(tmp_path: Path) -> None:
    (tmp_path / "tracerlake.toml").write_text("format = ")
    with pytest.raises(InvalidInputError, match="not valid TOML"):
        lake.open(tmp_path)
    (tmp_path / "tracerlake.toml").write_text("format = 'one'")
    with pytest.raises(InvalidInputError, match="whole number"):
        lake.open(tmp_path)


def test_key_folder_from_file_then_environment_then_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACERLAKE_KEY_DIR", "/from/environment")
    monkeypatch.setenv("TRACERLAKE_DATA", "/must/not/matter")
    settings = make_settings({"lake_id": ID})
    assert (settings.key_folder, settings.data) == (Path("/from/environment"), None)
    assert "environment" not in dump_settings(make_settings({"lake_id": ID}))
    assert make_settings({"lake_id": ID, "key_dir": "/file"}).key_folder == Path("/file")
    monkeypatch.delenv("TRACERLAKE_KEY_DIR")
    home = Path.home() / ".config" / "tracerlake" / "keys" / ID
    assert make_settings({"lake_id": ID}).key_folder == home


def test_additive_schema_changes_reach_old_lakes(lk: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    location = lk.location
    lk.close()
    with lake.open(location) as old:
        old.commit(lambda tx: tx.insert("files", [{"file_key": "a"}]), message="m")
        with old.maintenance() as cursor:
            cursor.execute("ALTER TABLE writer.files DROP COLUMN source_name")
            cursor.execute("DROP TABLE writer.consents")
    with lake.open(location) as new:
        new.commit(
            lambda tx: tx.insert("files", [{"file_key": "b", "source_name": "s"}]), message="m"
        )
        rows = new.sql("SELECT file_key, source_name FROM quarantine UNION ALL "
                       "SELECT file_key, source_name FROM files ORDER BY 1").fetchall()  # fmt: skip
        assert rows == [("a", None), ("b", "s")]
        assert new.sql("SELECT count(*) FROM consents").fetchone() == (0,)
        assert new.sql("SELECT count(*) FROM cohort").fetchone() == (0,)


def test_a_lake_on_a_read_only_medium_can_be_read(
    lk: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    lk.commit(lambda tx: tx.insert("files", [{"file_key": "a"}]), message="m")
    before = {p.name: p.stat().st_mtime_ns for p in lk.location.iterdir()}
    monkeypatch.setattr(os, "access", lambda *_: False)
    with lake.open(lk.location, read_only=True) as other:
        assert other.folder.catalog_file.parent != lk.location
        assert other.sql("SELECT file_key FROM files").fetchall() == [("a",)]
        copy = other.folder.catalog_file
    assert {p.name: p.stat().st_mtime_ns for p in lk.location.iterdir()} == before
    del other
    gc.collect()
    assert not copy.exists()
