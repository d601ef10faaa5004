"""The folder of a lake: what lies in it, how it is made, how it is recognised."""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from lake.keys import SECRET_FILE, KeyStore
from lake.settings import SETTINGS_FILE, LakeSettings, dump_settings, read_settings
from schemas.errors import InvalidInputError, NotFoundInLakeError, StorageError

#: In the folder while a lake is being made; what lies beside it is ours to clear away.
CREATING_MARK: Final = ".tracerlake-creating"
SUBFOLDERS: Final = ("tables", "volumes", "reports")
CATALOG_FILE: Final = "catalog.sqlite"
KEY_FINGERPRINT_FILE: Final = "key.fingerprint"
LOCK_FILE: Final = ".writer.lock"


@dataclass(frozen=True)
class LakeFolder:
    """Places of an existing lake.

    Parameters
    ----------
    path : Path
        Absolute path of the folder with ``tracerlake.toml``.
    settings : LakeSettings
        As read from it.
    catalog_copy : Path or None
        Copy of the catalog to read instead of the one in the folder.
    """

    path: Path
    settings: LakeSettings
    catalog_copy: Path | None = None

    @property
    def catalog_file(self) -> Path:
        """SQLite catalog (embedded lakes only)."""
        return self.catalog_copy or self.path / CATALOG_FILE

    @property
    def lock_file(self) -> Path:
        """File that the one writer of an embedded lake locks."""
        return self.path / LOCK_FILE

    @property
    def tables_root(self) -> str:
        """Where the Parquet files lie; ends with a slash."""
        return _inside(self.path, self.settings.data, "tables").rstrip("/") + "/"

    @property
    def volumes_root(self) -> str:
        """Where the Zarr groups lie."""
        return _inside(self.path, self.settings.volumes, "volumes")

    @property
    def reports(self) -> Path:
        """Where flows put reports."""
        return self.path / "reports"


def find(location: str | Path) -> LakeFolder:
    """Recognise a lake folder.

    Raises
    ------
    NotFoundInLakeError
        If the folder is no lake.
    LakeVersionError, InvalidInputError, StorageError
        If its settings are of a newer version, wrong, or unreadable.
    """
    path = Path(location).expanduser().absolute()
    if not (path / SETTINGS_FILE).is_file():
        what = "does not exist" if not path.exists() else f"is not a lake (no {SETTINGS_FILE})"
        raise NotFoundInLakeError(f"{path} {what}; make one with: tracerlake init {location}")
    try:
        settings = read_settings(path / SETTINGS_FILE)
    except PermissionError as error:
        raise StorageError(f"{path / SETTINGS_FILE} may not be read by this account") from error
    return LakeFolder(path, settings)


def on_read_only_medium(folder: LakeFolder) -> LakeFolder:
    """Make an embedded lake readable that this account may not write to.

    SQLite cannot read a write-ahead-logged file in a folder where it may make none of its own, so
    the (small) catalog is read from a private copy: the lake as it is now.
    """
    if folder.settings.catalog is not None or os.access(folder.path, os.W_OK | os.X_OK):
        return folder
    place = Path(tempfile.mkdtemp(prefix="tracerlake-catalog-"))
    try:
        for file in folder.path.glob(f"{CATALOG_FILE}*"):
            if not file.name.endswith("-shm"):
                shutil.copyfile(file, place / file.name)
    except OSError as error:
        raise StorageError(f"the catalog of {folder.path} cannot be read: {error}") from error
    copied = replace(folder, catalog_copy=place / CATALOG_FILE)
    weakref.finalize(copied, shutil.rmtree, place, ignore_errors=True)
    return copied


def make(
    location: str | Path, settings: LakeSettings, fill: Callable[[LakeFolder], None]
) -> LakeFolder:
    """Make a lake folder; it is a lake only once everything is in it.

    Parameters
    ----------
    location : str or Path
        New or empty folder.
    settings : LakeSettings
        Of the new lake.
    fill : callable
        Makes the catalog.

    Raises
    ------
    InvalidInputError
        If the folder holds something else.
    StorageError
        If it cannot be written.
    """
    folder = LakeFolder(Path(location).expanduser().absolute(), settings)
    try:
        _prepare(folder.path)
        fill(folder)
        temporary = folder.path / f".{SETTINGS_FILE}"
        temporary.write_text(dump_settings(settings), encoding="utf-8")
        temporary.replace(folder.path / SETTINGS_FILE)
        (folder.path / CREATING_MARK).unlink()
    except OSError as error:
        if isinstance(error, StorageError):
            raise
        raise StorageError(
            f"a lake cannot be made in {folder.path}: {error.strerror}; choose a folder that this "
            "account may write"
        ) from error
    return folder


def require_writable(folder: LakeFolder) -> None:
    """Make sure that this account may write to a lake.

    Raises
    ------
    StorageError
        If it may not.
    """
    if not os.access(folder.path, os.W_OK | os.X_OK):
        raise StorageError(
            f"this account may not write to {folder.path}; open it read-only, or change its "
            "permissions"
        )


def open_keys(folder: LakeFolder) -> KeyStore:
    """Open the key store of a lake, and make sure that it is the one it was filled with.

    Raises
    ------
    InvalidInputError
        If it is another one, or has gone.
    StorageError
        As `KeyStore.open_or_create`.
    """
    place = folder.settings.key_folder
    known = folder.path / KEY_FINGERPRINT_FILE
    expected = known.read_text(encoding="ascii").strip() if known.is_file() else None
    if expected is not None and not (place / SECRET_FILE).exists():
        raise InvalidInputError(
            f"the key of this lake is not in {place}; set key_dir in {SETTINGS_FILE} or "
            "TRACERLAKE_KEY_DIR to the folder that holds it, or restore it from a backup"
        )
    keys = KeyStore.open_or_create(place)
    found = keys.fingerprint(folder.settings.lake_id)
    if expected is None and os.access(folder.path, os.W_OK):
        known.write_text(found + "\n", encoding="ascii")
    elif expected not in (None, found):
        raise InvalidInputError(
            f"the key in {place} is not the one this lake was filled with; set key_dir in "
            f"{SETTINGS_FILE} or TRACERLAKE_KEY_DIR to the right folder (another key would give "
            "every patient a second pseudonym)"
        )
    return keys


def _prepare(path: Path) -> None:
    path.mkdir(parents=True, exist_ok=True)
    if (path / SETTINGS_FILE).exists():
        raise InvalidInputError(f"{path} is a lake already; open it or choose another folder")
    present = sorted(p.name for p in path.iterdir())
    if present and CREATING_MARK not in present:
        raise InvalidInputError(
            f"{path} is not empty (it holds {present[0]!r}); choose a new or empty folder"
        )
    _clear_unfinished(path)
    (path / CREATING_MARK).touch()
    for name in SUBFOLDERS:
        (path / name).mkdir()


def _clear_unfinished(path: Path) -> None:
    for name in SUBFOLDERS:
        shutil.rmtree(path / name, ignore_errors=True)
    for file in path.glob(f"{CATALOG_FILE}*"):
        file.unlink()


def _inside(folder: Path, chosen: str | None, default: str) -> str:
    if chosen is None:
        return str(folder / default)
    return chosen if "://" in chosen else str(folder / Path(chosen).expanduser())
