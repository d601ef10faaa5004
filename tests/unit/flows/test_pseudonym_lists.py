"""The list of the settings: who may read it, and that a change never splits a patient."""

from __future__ import annotations

from pathlib import Path

import pytest

from flows.identities import pseudonymiser, remember
from flows.issuers import Issuers
from lake import LakeSettings
from lake.keys import KeyStore
from lake.settings import dump_settings, make_settings, read_settings
from schemas.errors import ConflictError, InvalidInputError
from schemas.sources import FolderSettings

LAKE_ID = "0123456789abcdef"


@pytest.fixture
def keys(tmp_path: Path) -> KeyStore:
    return KeyStore.open_or_create(tmp_path / "keys")


def settings(path: Path, text: str, **options: object) -> LakeSettings:
    path.write_text(f"patient_id,pseudonym\n{text}", encoding="utf-8")
    path.chmod(0o600)
    return make_settings({"lake_id": LAKE_ID, "pseudonyms": {"file": str(path), **options}})


def take_in(keys: KeyStore, chosen: LakeSettings, patient_id: str) -> str:
    key = pseudonymiser(chosen, keys).patient_key(patient_id)
    remember(keys, [{"patient_key": key, "patient_id": patient_id}])
    return key


def test_patients_get_the_keys_of_the_list(keys: KeyStore, tmp_path: Path) -> None:
    chosen = settings(tmp_path / "list.csv", "4711,S-1\n")
    assert take_in(keys, chosen, "4711") == "S-1"
    assert take_in(keys, chosen, "0815").startswith("P-")
    assert keys.patient("S-1") == ("", "4711")


def test_settings_survive_the_file(tmp_path: Path) -> None:
    chosen = settings(tmp_path / "list.csv", "4711,S-1\n", require_listed=True)
    (tmp_path / "tracerlake.toml").write_text(dump_settings(chosen), encoding="utf-8")
    assert read_settings(tmp_path / "tracerlake.toml").pseudonyms == chosen.pseudonyms


def test_the_file_is_of_its_owner_and_outside_the_lake(keys: KeyStore, tmp_path: Path) -> None:
    chosen = settings(tmp_path / "list.csv", "4711,S-1\n")
    (tmp_path / "list.csv").chmod(0o640)
    with pytest.raises(InvalidInputError, match="chmod 0600"):
        pseudonymiser(chosen, keys)
    (tmp_path / "list.csv").unlink()
    with pytest.raises(InvalidInputError, match="No such file"):
        pseudonymiser(chosen, keys)
    (tmp_path / "tracerlake.toml").touch()
    with pytest.raises(InvalidInputError, match="inside the lake"):
        pseudonymiser(settings(tmp_path / "list.csv", "4711,S-1\n"), keys)
    with pytest.raises(InvalidInputError, match="absolute path"):
        make_settings({"lake_id": LAKE_ID, "pseudonyms": {"file": "list.csv"}})


def test_entries_may_be_added(keys: KeyStore, tmp_path: Path) -> None:
    take_in(keys, settings(tmp_path / "list.csv", "4711,S-1\n"), "4711")
    assert take_in(keys, settings(tmp_path / "list.csv", "4711,S-1\n0815,S-2\n"), "0815") == "S-2"


@pytest.mark.parametrize(
    ("first", "then", "options", "n_split"),
    [
        ("4711,S-1\n", "4711,S-2\n", {}, 1),  # another pseudonym
        ("4711,S-1\n", "0815,S-2\n", {}, 1),  # gone: the patient would get a keyed one
        ("0815,S-2\n", "4711,S-1\n", {}, 1),  # listed only now: had a keyed one
        ("4711,S-1\n", "0815,S-1\n", {"require_listed": True}, 1),  # the key of another patient
        ("4711,S-1\n", "0815,S-2\n", {"require_listed": True}, 0),  # withdrawn: nothing new comes
    ],
)
def test_a_changed_list_never_splits_a_patient(
    keys: KeyStore, tmp_path: Path, first: str, then: str, options: dict[str, object], n_split: int
) -> None:
    take_in(keys, settings(tmp_path / "list.csv", first), "4711")
    changed = settings(tmp_path / "list.csv", then, **options)
    if n_split == 0:
        pseudonymiser(changed, keys)
        return
    for _ in range(2):  # a refused list is not remembered as the one in use
        with pytest.raises(ConflictError, match=f"{n_split} patients of this lake") as caught:
            pseudonymiser(changed, keys)
        assert "4711" not in str(caught.value)
        assert "S-1" not in str(caught.value)
    pseudonymiser(settings(tmp_path / "list.csv", first), keys)


def test_taking_the_list_away_is_a_change_too(keys: KeyStore, tmp_path: Path) -> None:
    take_in(keys, settings(tmp_path / "list.csv", "4711,S-1\n"), "4711")
    with pytest.raises(ConflictError, match="1 patients"):
        pseudonymiser(make_settings({"lake_id": LAKE_ID}), keys)


def test_issuers_by_source(keys: KeyStore) -> None:
    declared = {
        "a": FolderSettings(kind="folder", path=Path("/a"), issuer="HOSPITAL-A"),
        "b": FolderSettings(kind="folder", path=Path("/b")),
    }
    issuers = Issuers(declared, "X")
    assert [issuers.of(n) for n in ("a", "b", "folder", None)] == ["HOSPITAL-A", "X", "X", "X"]
    assert Issuers(declared).of("b") == ""
    assert Issuers(declared).is_any
    assert not Issuers({"b": declared["b"]}).is_any


def test_a_source_keeps_its_issuer(keys: KeyStore) -> None:
    Issuers({}, "A").refuse_change(keys, LAKE_ID, "/data/a")
    Issuers({}, "A").refuse_change(keys, LAKE_ID, "/data/a")
    Issuers({}).refuse_change(keys, LAKE_ID, "/data/b")
    Issuers({}).refuse_change(keys, "another0", "/data/a")
    for other in ("", "B"):
        with pytest.raises(ConflictError, match="second key"):
            Issuers({}, other).refuse_change(keys, LAKE_ID, "/data/a")
