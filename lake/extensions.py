"""DuckDB extensions from their wheels, where DuckDB looks for them."""

from __future__ import annotations

import importlib.util
import logging
import os
import shutil
import tempfile
from pathlib import Path
from typing import Final

import duckdb

from schemas.errors import StorageError

logger = logging.getLogger(__name__)

#: Name DuckDB loads -> (import name of the wheel, file stem inside it).
WHEELS: Final[dict[str, tuple[str, str]]] = {
    "ducklake": ("duckdb_extension_ducklake", "ducklake"),
    "sqlite_scanner": ("duckdb_extension_sqlite", "sqlite"),
    "postgres_scanner": ("duckdb_extension_postgres", "postgres"),
    "httpfs": ("duckdb_extension_httpfs", "httpfs"),
}


def extension_directory() -> Path:
    """Our own extension folder under the user's cache folder."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "tracerlake" / "duckdb"


def connect() -> duckdb.DuckDBPyConnection:
    """Open an in-memory DuckDB that takes signed extensions from our folder only.

    Extensions are never installed behind the user's back from the network.
    """
    connection = duckdb.connect(
        ":memory:",
        config={
            "extension_directory": str(extension_directory()),
            "allow_unsigned_extensions": "false",
            "autoinstall_known_extensions": "false",
            "python_enable_replacements": "false",
        },
    )
    connection.execute("SET TimeZone = 'UTC'")
    return connection


def load(connection: duckdb.DuckDBPyConnection, *names: str) -> None:
    """Load extensions, placing them from their wheels where that has not been done yet.

    Parameters
    ----------
    connection : duckdb.DuckDBPyConnection
        From `connect`.
    *names : str
        Keys of `WHEELS`.

    Raises
    ------
    StorageError
        If an extension is neither in a wheel nor can be installed.
    """
    for name in names:
        _place(connection, name)
        try:
            connection.execute(f"LOAD {name}")
        except duckdb.Error as error:
            _install(connection, name, error)


def _place(connection: duckdb.DuckDBPyConnection, name: str) -> None:
    source = _wheel_file(name)
    if source is None:
        return
    platform = connection.execute("PRAGMA platform").fetchone()
    folder = extension_directory() / f"v{duckdb.__version__}" / (platform or ("unknown",))[0]
    target = folder / f"{name}.duckdb_extension"
    if target.exists() and target.stat().st_size == source.stat().st_size:
        return
    # DuckDB expects sqlite_scanner and postgres_scanner where the wheels say sqlite and postgres.
    # Processes may race here: each copies to a name of its own, the last rename wins.
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=folder, prefix=f".{name}-")
        os.close(handle)
        shutil.copyfile(source, temporary)
        Path(temporary).replace(target)
    except OSError as error:
        raise StorageError(
            f"cannot place the DuckDB extension {name} in {folder}: {error.strerror}. Make the "
            "folder writable or set XDG_CACHE_HOME to one that is."
        ) from error


def _wheel_file(name: str) -> Path | None:
    package, stem = WHEELS[name]
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        return None
    root = Path(next(iter(spec.submodule_search_locations)))
    path = root / "extensions" / f"v{duckdb.__version__}" / f"{stem}.duckdb_extension"
    return path if path.is_file() else None


def _install(connection: duckdb.DuckDBPyConnection, name: str, cause: duckdb.Error) -> None:
    logger.warning("DuckDB extension %s is not in a wheel; trying the network", name)
    try:
        connection.execute(f"INSTALL {name}")
        connection.execute(f"LOAD {name}")
    except duckdb.Error as error:
        wheel = WHEELS[name][0].replace("_", "-")
        raise StorageError(
            f"DuckDB extension {name} cannot be loaded ({cause}); install the wheel "
            f"{wheel}=={duckdb.__version__}, or let this machine reach extensions.duckdb.org once"
        ) from error
