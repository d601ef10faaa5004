"""One writer at a time, across processes.

DuckLake merges two transactions that only insert, so two writers could each add a row with the
same key. Writers therefore take turns; readers never wait.
"""

from __future__ import annotations

import fcntl
import os
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from schemas.errors import ConflictError, StorageError

_POLL_S = (0.005, 0.25)


@contextmanager
def file_lock(path: Path, timeout_s: float) -> Iterator[None]:
    """Hold an advisory lock on a file; the system lets go of it when the process dies.

    Raises
    ------
    ConflictError
        If another process holds it for longer than `timeout_s`.
    StorageError
        If the file cannot be opened for writing.
    """
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise StorageError(
            f"the lake in {path.parent} cannot be written: {error.strerror}"
        ) from error
    try:
        _wait(lambda: _try_flock(handle), timeout_s)
        yield
    finally:
        os.close(handle)


@contextmanager
def postgres_lock(
    connection: duckdb.DuckDBPyConnection, database: str, key: int, timeout_s: float
) -> Iterator[None]:
    """Hold a transaction-level advisory lock in PostgreSQL.

    Parameters
    ----------
    connection : duckdb.DuckDBPyConnection
        Used for nothing else while the lock is held.
    database : str
        Name under which the PostgreSQL database is attached.
    key : int
        63-bit number that stands for the lake.
    timeout_s : float
        How long to wait.

    Raises
    ------
    ConflictError
        If another writer holds it for longer.
    """
    connection.execute("BEGIN")
    try:
        query = f"SELECT pg_try_advisory_xact_lock({key}) AS got"
        statement = f"SELECT got FROM postgres_query('{database}', '{query}')"  # noqa: S608
        _wait(lambda: (connection.execute(statement).fetchone() or (False,))[0] is True, timeout_s)
        yield
    finally:
        connection.execute("ROLLBACK")


def _try_flock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _wait(acquire: Callable[[], bool], timeout_s: float) -> None:
    end = time.monotonic() + timeout_s
    while not acquire():
        if time.monotonic() >= end:
            raise ConflictError(
                f"another process has been writing to the lake for over {timeout_s:g} s; try again "
                "when it has finished, or raise retry.lock_timeout_s in tracerlake.toml"
            )
        time.sleep(random.uniform(*_POLL_S))  # noqa: S311 - jitter, not a secret
