"""The one writer of a lake: its turn, its transactions, its second attempts."""

from __future__ import annotations

import getpass
import json
import logging
import random
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from typing import Final, TypeVar

import duckdb

from lake import catalog, locks
from lake.catalog import WRITER, quoted
from lake.durable import synchronise
from lake.folder import LakeFolder
from lake.transactions import Transaction
from schemas.errors import ConflictError, StorageError

logger = logging.getLogger(__name__)

Result = TypeVar("Result")

_LOCK_DATABASE: Final = "tracerlake_lock"
#: Words by which the catalogs say that another writer was in the way.
_TRY_AGAIN: Final = ("database is locked", "conflict", "could not serialize", "deadlock")


@dataclass(frozen=True, slots=True)
class CommitInfo:
    """What is kept with a snapshot: what was done, by whom, and JSON values about the run."""

    message: str
    author: str | None = None
    extra: Mapping[str, object] | None = None


class Writer:
    """Writes to one lake over one DuckDB; used through `Lake`.

    Parameters
    ----------
    folder : LakeFolder
        The lake.
    connection : duckdb.DuckDBPyConnection
        With the extensions loaded.
    """

    def __init__(self, folder: LakeFolder, connection: duckdb.DuckDBPyConnection) -> None:
        self._folder = folder
        self._connection = connection
        self._attached = False

    @contextmanager
    def session(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Hold the lake as its one writer, with its catalog attached as ``writer``.

        Raises
        ------
        ConflictError
            If another process writes for longer than ``retry.lock_timeout_s``, or was in the way.
        StorageError
            If the lake cannot be written.
        """
        with self._turn(), _write_errors():
            cursor = self._connection.cursor()
            try:
                self._attach(cursor)
                yield cursor
            finally:
                cursor.close()

    @contextmanager
    def transaction(self, info: CommitInfo) -> Iterator[Transaction]:
        """One transaction, one snapshot; see `Lake.transaction`."""
        with self.session() as cursor:
            try:
                cursor.execute("BEGIN")
                transaction = Transaction(cursor)
                yield transaction
                self._synchronise(transaction)
                _finish(cursor, transaction, info)
            except BaseException:
                with suppress(duckdb.Error):  # a failed COMMIT has rolled back already
                    cursor.execute("ROLLBACK")
                raise

    def commit(self, change: Callable[[Transaction], Result], info: CommitInfo) -> Result:
        """Run a change in a transaction, again after a conflict; see `Lake.commit`."""
        retry = self._folder.settings.retry
        attempt = 1
        while True:
            try:
                with self.transaction(info) as transaction:
                    result = change(transaction)
            except ConflictError:
                if attempt >= retry.attempts:
                    raise
                wait = min(retry.first_wait_s * 2 ** (attempt - 1), retry.max_wait_s)
                wait *= random.uniform(0.5, 1.5)  # noqa: S311 - jitter, not a secret
                logger.info("commit attempt %d met a conflict; again in %.2f s", attempt, wait)
                time.sleep(wait)
                attempt += 1
            else:
                return result

    def _synchronise(self, transaction: Transaction) -> None:
        """Bring volumes and Parquet files to the disk before the catalog speaks of them.

        The catalog itself is brought there by its database; DuckDB does not do so with what it
        writes, and a power cut would leave rows that point at empty files.
        """
        if not transaction.changed:
            return
        try:
            synchronise([self._folder.tables_root, self._folder.volumes_root])
        except OSError as error:
            raise StorageError(
                f"the lake's disk does not take what was written: {error.strerror}; check free "
                "space and the disk. Nothing was committed."
            ) from error

    def _attach(self, cursor: duckdb.DuckDBPyConnection) -> None:
        if not self._attached:
            catalog.attach(cursor, self._folder, WRITER, read_only=False)
            catalog.upgrade(cursor)
            self._attached = True
        cursor.execute(f"USE {WRITER}")

    def _turn(self) -> AbstractContextManager[None]:
        settings = self._folder.settings
        timeout = settings.retry.lock_timeout_s
        if settings.catalog is None:
            return locks.file_lock(self._folder.lock_file, timeout)
        cursor = self._connection.cursor()
        with _write_errors():
            cursor.execute(
                f"ATTACH IF NOT EXISTS {quoted(settings.catalog)} AS {_LOCK_DATABASE} "
                "(TYPE postgres, READ_ONLY)"
            )
        key = zlib.crc32(settings.lake_id.encode())
        return locks.postgres_lock(cursor, _LOCK_DATABASE, key, timeout)


def _finish(cursor: duckdb.DuckDBPyConnection, transaction: Transaction, info: CommitInfo) -> None:
    if not transaction.changed:
        cursor.execute("ROLLBACK")  # nothing to say: no snapshot
        return
    details = json.dumps(dict(info.extra or {}), sort_keys=True, default=str)
    cursor.execute(
        f"CALL {WRITER}.set_commit_message({quoted(info.author or getpass.getuser())}, "
        f"{quoted(info.message)}, extra_info => {quoted(details)})"
    )
    cursor.execute("COMMIT")
    row = cursor.execute(f"FROM {WRITER}.last_committed_snapshot()").fetchone()
    transaction.snapshot = int(row[0]) if row else None


@contextmanager
def _write_errors() -> Iterator[None]:
    try:
        yield
    except duckdb.Error as error:
        first = str(error).splitlines()[0]
        if any(sign in str(error).lower() for sign in _TRY_AGAIN):
            raise ConflictError(f"another writer was in the way: {first}") from error
        raise StorageError(f"writing to the lake failed: {first}") from error
