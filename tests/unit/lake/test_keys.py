"""The key holder's folder."""

from __future__ import annotations

import os
import sqlite3
import stat
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

import lake
from lake import Lake
from lake.keys import KeyStore
from schemas.errors import InvalidInputError, StorageError


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_made_once_for_the_owner_only(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "keys"
    store = KeyStore.open_or_create(folder)
    assert len(store.secret) == 32
    assert KeyStore.open_or_create(str(folder)).secret == store.secret
    assert KeyStore.open_or_create(tmp_path / "b").secret != store.secret
    assert mode(folder) == 0o700
    assert sorted(p.name for p in folder.iterdir()) == ["reidentification.sqlite", "secret.key"]
    assert {mode(p) for p in folder.iterdir()} == {0o600}
    assert store.secret.hex() not in repr(store)


def test_processes_that_start_together_agree_on_the_secret(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        stores = list(pool.map(lambda _: KeyStore.open_or_create(tmp_path / "keys"), range(16)))
    assert len({store.secret for store in stores}) == 1
    assert not list((tmp_path / "keys").glob(".secret*"))


def test_remembers_and_finds(tmp_path: Path) -> None:
    store = KeyStore.open_or_create(tmp_path / "keys")
    for _ in range(2):  # again changes nothing
        store.remember_patients([("key-1", "issuer", "id-1"), ("key-2", "", "id-2")])
        store.remember_uids(iter([("2.25.1", "1.2.3")]))
        store.remember_locations([("f", "file:///x%20y")])
    again = KeyStore.open_or_create(tmp_path / "keys")
    assert again.patient("key-1") == ("issuer", "id-1")
    assert again.original_uid("2.25.1") == "1.2.3"
    assert again.location("f") == "file:///x%20y"
    assert [again.patient("x"), again.original_uid("x"), again.location("x")] == [None] * 3


@pytest.mark.parametrize("name", [".", "secret.key", "reidentification.sqlite"])
def test_what_others_may_read_is_refused_with_the_remedy(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "keys"
    KeyStore.open_or_create(folder)
    (folder / name).chmod(0o755 if name == "." else 0o640)
    with pytest.raises(InvalidInputError, match=r"run: chmod 0[67]00"):
        KeyStore.open_or_create(folder)


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_modes_do_not_depend_on_the_umask(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        store = KeyStore.open_or_create(tmp_path / "a" / "b" / "keys")
        store.remember_uids([("2.25.1", "1.2.3")])
    finally:
        os.umask(before)
    assert {mode(tmp_path / "a" / p) for p in (".", "b", "b/keys")} == {0o700}
    assert {mode(p) for p in (tmp_path / "a" / "b" / "keys").iterdir()} == {0o600}


@pytest.mark.parametrize("name", ["secret.key", "reidentification.sqlite"])
@pytest.mark.parametrize("is_dangling", [False, True])
def test_links_are_refused(tmp_path: Path, name: str, is_dangling: bool) -> None:
    folder = tmp_path / "keys"
    KeyStore.open_or_create(folder)
    (folder / name).rename(tmp_path / "elsewhere")
    (folder / name).symlink_to(tmp_path / ("nowhere" if is_dangling else "elsewhere"))
    with pytest.raises(InvalidInputError, match="symbolic link"):
        KeyStore.open_or_create(folder)
    assert not (tmp_path / "nowhere").exists()


def test_files_of_another_account_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    KeyStore.open_or_create(tmp_path / "keys")
    monkeypatch.setattr("lake.key_files.os.geteuid", lambda: 4711)
    with pytest.raises(InvalidInputError, match="another account"):
        KeyStore.open_or_create(tmp_path / "keys")


def test_looking_up_is_logged_without_the_identity(tmp_path: Path) -> None:
    store = KeyStore.open_or_create(tmp_path / "keys")
    store.remember_patients([("P-1", "issuer", "id-1")])
    store.remember_uids([("2.25.1", "1.2.3")])
    store.remember_locations([("f", "file:///x")])
    found = store.reidentify(["f", "P-1", "2.25.1", "P-2"], account="ada", reason="finding")
    assert found == [
        ("f", "file", "file:///x", ""), ("P-1", "patient", "id-1", "issuer"),
        ("2.25.1", "uid", "1.2.3", ""), ("P-2", "unknown", "", ""),
    ]  # fmt: skip
    log = store.lookups()
    assert [(e.account, e.pseudonym, e.kind, e.reason) for e in log] == [
        ("ada", "f", "file", "finding"), ("ada", "P-1", "patient", "finding"),
        ("ada", "2.25.1", "uid", "finding"), ("ada", "P-2", "unknown", "finding"),
    ]  # fmt: skip
    assert not any(secret in str(log) for secret in ("id-1", "1.2.3", "file:///x"))
    assert all(abs((datetime.now(tz=UTC) - e.looked_up_at).total_seconds()) < 60 for e in log)


def test_nothing_is_told_if_it_cannot_be_logged(tmp_path: Path) -> None:
    store = KeyStore.open_or_create(tmp_path / "keys")
    with closing(sqlite3.connect(tmp_path / "keys" / "reidentification.sqlite")) as database:
        database.execute("DROP TABLE lookups")
    with pytest.raises(StorageError, match="cannot be used"):
        store.reidentify(["P-1"], account="ada")


def test_never_inside_a_lake(tmp_path: Path) -> None:
    (tmp_path / "tracerlake.toml").touch()
    with pytest.raises(InvalidInputError, match="inside the lake"):
        KeyStore.open_or_create(tmp_path / "deep" / "keys")
    assert not (tmp_path / "deep").exists()
    (tmp_path / "link").symlink_to(tmp_path / "inside")
    with pytest.raises(InvalidInputError, match="inside the lake"):
        KeyStore.open_or_create(tmp_path / "link")


def test_a_damaged_secret_is_never_replaced(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    KeyStore.open_or_create(folder)
    (folder / "secret.key").write_bytes(b"short")
    with pytest.raises(StorageError, match="restore it from a backup"):
        KeyStore.open_or_create(folder)
    assert (folder / "secret.key").read_bytes() == b"short"


def test_unusable_folder_and_table(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="TRACERLAKE_KEY_DIR"):
        KeyStore.open_or_create(tmp_path / "file" / "keys")
    folder = tmp_path / "keys"
    KeyStore.open_or_create(folder)
    (folder / "reidentification.sqlite").write_bytes(b"no database at all" * 100)
    with pytest.raises(StorageError, match="cannot be used"):
        KeyStore.open_or_create(folder)


def test_a_lake_knows_its_key_again(
    lk: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRACERLAKE_KEY_DIR", str(tmp_path / "right"))
    with lake.open(lk.location) as first:
        secret = first.keys().secret
        assert first.keys().secret == secret
    monkeypatch.setenv("TRACERLAKE_KEY_DIR", str(tmp_path / "gone"))
    with lake.open(lk.location) as later, pytest.raises(InvalidInputError, match="not in"):
        later.keys()
    assert not (tmp_path / "gone").exists()
    KeyStore.open_or_create(tmp_path / "wrong")
    monkeypatch.setenv("TRACERLAKE_KEY_DIR", str(tmp_path / "wrong"))
    with (
        lake.open(lk.location) as later,
        pytest.raises(InvalidInputError, match="second pseudonym"),
    ):
        later.keys()
