"""The key holder's folder: the secret of the pseudonyms and what lies behind them.

It never lies inside a lake, so that a lake can be copied or shared without it.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import sqlite3
import stat
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from lake.settings import SETTINGS_FILE
from schemas.errors import InvalidInputError, StorageError

SECRET_FILE: Final = "secret.key"  # noqa: S105 - a file name
REIDENTIFICATION_FILE: Final = "reidentification.sqlite"
SECRET_BYTES: Final = 32

_SCHEMA = """
CREATE TABLE IF NOT EXISTS patients (
    patient_key TEXT PRIMARY KEY, issuer TEXT NOT NULL, patient_id TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS uids (pseudonym TEXT PRIMARY KEY, original TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS locations (file_key TEXT PRIMARY KEY, uri TEXT NOT NULL);
"""


class KeyStore:
    """Secret key and re-identification table; open with `open_or_create`.

    Parameters
    ----------
    folder : Path
        An existing folder with mode 0700.
    secret : bytes
        32 random bytes.
    """

    def __init__(self, folder: Path, secret: bytes) -> None:
        self.folder = folder
        self._secret = secret
        self._database = folder / REIDENTIFICATION_FILE

    def __repr__(self) -> str:
        """Without the secret."""
        return f"KeyStore({str(self.folder)!r})"

    @classmethod
    def open_or_create(cls, key_dir: str | Path) -> KeyStore:
        """Open the key folder, or make one with a new random secret.

        Raises
        ------
        InvalidInputError
            If the folder lies inside a lake, or others may read it.
        StorageError
            If it cannot be made, or the secret in it is damaged.
        """
        folder = Path(key_dir).expanduser().resolve()
        _refuse_inside_lake(folder)
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            _refuse_wide(folder, 0o700)
            secret = _read_or_make_secret(folder)
            store = cls(folder, secret)
            store._prepare()
        except OSError as error:
            if isinstance(error, StorageError):
                raise
            raise StorageError(
                f"the key folder {folder} cannot be used: {error.strerror}; set key_dir in "
                f"{SETTINGS_FILE} or TRACERLAKE_KEY_DIR to a folder of your own outside the lake"
            ) from error
        return store

    def fingerprint(self, lake_id: str) -> str:
        """Value by which a lake knows its key again; it says nothing about the key."""
        text = f"tracerlake key of {lake_id}".encode()
        return hmac.new(self._secret, text, hashlib.sha256).hexdigest()

    @property
    def secret(self) -> bytes:
        """The 32 bytes that all pseudonyms of the lake depend on."""
        return self._secret

    def remember_patients(self, rows: Iterable[tuple[str, str, str]]) -> None:
        """Keep (patient_key, issuer, patient_id); what is known already stays."""
        self._insert("INSERT OR IGNORE INTO patients VALUES (?, ?, ?)", rows)

    def remember_uids(self, rows: Iterable[tuple[str, str]]) -> None:
        """Keep (pseudonym, original) UIDs; what is known already stays."""
        self._insert("INSERT OR IGNORE INTO uids VALUES (?, ?)", rows)

    def remember_locations(self, rows: Iterable[tuple[str, str]]) -> None:
        """Keep (file_key, uri); what is known already stays."""
        self._insert("INSERT OR IGNORE INTO locations VALUES (?, ?)", rows)

    def patient(self, patient_key: str) -> tuple[str, str] | None:
        """(issuer, patient_id) behind a patient key, or None."""
        row = self._first(
            "SELECT issuer, patient_id FROM patients WHERE patient_key = ?", patient_key
        )
        return (row[0], row[1]) if row else None

    def original_uid(self, pseudonym: str) -> str | None:
        """Return the original UID behind a pseudonymised one, or None."""
        row = self._first("SELECT original FROM uids WHERE pseudonym = ?", pseudonym)
        return row[0] if row else None

    def location(self, file_key: str) -> str | None:
        """URI behind a file key, or None."""
        row = self._first("SELECT uri FROM locations WHERE file_key = ?", file_key)
        return row[0] if row else None

    def _prepare(self) -> None:
        if not self._database.exists():
            # made by us, so that SQLite never creates it (and its journal) with a wider umask
            os.close(os.open(self._database, os.O_CREAT | os.O_RDWR, 0o600))
        _refuse_wide(self._database, 0o600)
        with self._connected() as connection:
            connection.executescript(_SCHEMA)

    def _insert(self, statement: str, rows: Iterable[tuple[str, ...]]) -> None:
        with self._connected() as connection:
            connection.executemany(statement, list(rows))

    def _first(self, query: str, key: str) -> tuple[str, ...] | None:
        with self._connected() as connection:
            row: tuple[str, ...] | None = connection.execute(query, (key,)).fetchone()
            return row

    @contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        try:
            with closing(sqlite3.connect(self._database, timeout=60.0)) as connection, connection:
                yield connection
        except sqlite3.Error as error:
            raise StorageError(f"{self._database} cannot be used: {error}") from error


def _refuse_inside_lake(folder: Path) -> None:
    for parent in (folder, *folder.parents):
        if (parent / SETTINGS_FILE).exists():
            raise InvalidInputError(
                f"the key folder {folder} lies inside the lake {parent}; whoever gets the lake "
                f"would get its key. Set key_dir in {SETTINGS_FILE} or TRACERLAKE_KEY_DIR to a "
                "folder outside it."
            )


def _refuse_wide(path: Path, allowed: int) -> None:
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & ~allowed:
        raise InvalidInputError(
            f"{path} has mode {mode:04o}, so that others may read it; "
            f"run: chmod {allowed:04o} {path}"
        )


def _read_or_make_secret(folder: Path) -> bytes:
    path = folder / SECRET_FILE
    if not path.exists():
        _make_secret(path)
    _refuse_wide(path, 0o600)
    secret = path.read_bytes()
    if len(secret) != SECRET_BYTES:
        raise StorageError(
            f"{path} holds {len(secret)} bytes instead of {SECRET_BYTES}; restore it from a backup "
            "(a new key would give every patient a second pseudonym)"
        )
    return secret


def _make_secret(path: Path) -> None:
    # A link either takes the name with all 32 bytes behind it or fails because another process
    # was first: no reader ever sees half a key, and no key is ever replaced.
    temporary = path.with_name(f".{SECRET_FILE}-{secrets.token_hex(8)}")
    handle = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(secrets.token_bytes(SECRET_BYTES))
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(temporary, path)
        except FileExistsError:
            return
    finally:
        temporary.unlink()
