"""The key holder's folder: the secret of the pseudonyms and what lies behind them.

It never lies inside a lake, so that a lake can be copied or shared without it.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple

from lake.key_files import (
    SECRET_FILE,
    make_folder,
    read_or_make_secret,
    refuse_inside_lake,
    refuse_wide,
)
from lake.settings import SETTINGS_FILE
from schemas.errors import StorageError

__all__ = ["REIDENTIFICATION_FILE", "SECRET_FILE", "KeyStore", "Lookup", "Original"]

REIDENTIFICATION_FILE: Final = "reidentification.sqlite"

_SCHEMA = """
CREATE TABLE IF NOT EXISTS patients (
    patient_key TEXT PRIMARY KEY, issuer TEXT NOT NULL, patient_id TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS uids (pseudonym TEXT PRIMARY KEY, original TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS locations (file_key TEXT PRIMARY KEY, uri TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS notes (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS lookups (
    looked_up_at TEXT NOT NULL, account TEXT NOT NULL, pseudonym TEXT NOT NULL,
    kind TEXT NOT NULL, reason TEXT NOT NULL);
"""


class Original(NamedTuple):
    """What is behind a pseudonym.

    Parameters
    ----------
    pseudonym : str
        As asked for.
    kind : str
        ``patient``, ``uid``, ``file`` or ``unknown``.
    original : str
        Patient ID, UID or place; empty if unknown.
    issuer : str
        Of a patient ID.
    """

    pseudonym: str
    kind: str
    original: str = ""
    issuer: str = ""


class Lookup(NamedTuple):
    """One line of the log of re-identifications; it holds no identity."""

    looked_up_at: datetime
    account: str
    pseudonym: str
    kind: str
    reason: str


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
        refuse_inside_lake(folder)
        try:
            make_folder(folder)
            refuse_wide(folder, 0o700)
            secret = read_or_make_secret(folder)
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

    def patients(self) -> list[tuple[str, str, str]]:
        """(patient_key, issuer, patient_id) of all patients known."""
        with self._connected() as connection:
            return connection.execute(
                "SELECT patient_key, issuer, patient_id FROM patients ORDER BY patient_key"
            ).fetchall()

    def note(self, name: str) -> str | None:
        """Return what was noted under a name, such as which list of pseudonyms was used."""
        row = self._first("SELECT value FROM notes WHERE name = ?", name)
        return row[0] if row else None

    def set_note(self, name: str, value: str) -> None:
        """Note a value under a name, instead of what was there."""
        self._insert("INSERT OR REPLACE INTO notes VALUES (?, ?)", [(name, value)])

    def reidentify(
        self, pseudonyms: Iterable[str], *, account: str, reason: str = ""
    ) -> list[Original]:
        """Look up what is behind pseudonyms, and log that it was done.

        Parameters
        ----------
        pseudonyms : iterable of str
            Patient keys, pseudonymised UIDs (study, series) or file keys.
        account : str
            Who asks.
        reason : str
            Why, for the log.

        Returns
        -------
        list of Original
            In the order asked. The log has been written before.

        Raises
        ------
        StorageError
            If the log cannot be written: then nothing is told.
        """
        found = [self._original(pseudonym) for pseudonym in pseudonyms]
        now = datetime.now(tz=UTC).isoformat(timespec="seconds")
        self._insert(
            "INSERT INTO lookups VALUES (?, ?, ?, ?, ?)",
            [(now, account, o.pseudonym, o.kind, reason) for o in found],
        )
        return found

    def lookups(self) -> list[Lookup]:
        """Who looked up which pseudonym and when, oldest first."""
        with self._connected() as connection:
            rows = connection.execute("SELECT * FROM lookups ORDER BY rowid").fetchall()
        return [Lookup(datetime.fromisoformat(at), *rest) for at, *rest in rows]

    def _original(self, pseudonym: str) -> Original:
        if patient := self.patient(pseudonym):
            return Original(pseudonym, "patient", patient[1], patient[0])
        if uid := self.original_uid(pseudonym):
            return Original(pseudonym, "uid", uid)
        if uri := self.location(pseudonym):
            return Original(pseudonym, "file", uri)
        return Original(pseudonym, "unknown")

    def _prepare(self) -> None:
        if not self._database.exists() and not self._database.is_symlink():
            # made by us, so that SQLite never creates it (and its journal) with a wider umask
            os.close(os.open(self._database, os.O_CREAT | os.O_RDWR, 0o600))
        refuse_wide(self._database, 0o600)
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
