"""DuckDB extensions: placed from wheels, signed, never fetched behind anyone's back."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path

import duckdb
import pytest

from lake import extensions
from schemas.errors import StorageError


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "tracerlake" / "duckdb"


def test_wheels_have_the_version_of_duckdb() -> None:
    for package, _ in extensions.WHEELS.values():
        assert version(package.replace("_", "-")) == duckdb.__version__


def test_placed_under_the_name_that_duckdb_loads(cache: Path) -> None:
    connection = extensions.connect()
    extensions.load(connection, "sqlite_scanner")
    (file,) = cache.rglob("*.duckdb_extension")
    assert file.name == "sqlite_scanner.duckdb_extension"
    assert file.parent.parent.name == f"v{duckdb.__version__}"
    before = file.stat().st_mtime_ns
    extensions.load(extensions.connect(), "sqlite_scanner")
    assert file.stat().st_mtime_ns == before


def test_a_half_copied_extension_is_replaced(cache: Path) -> None:
    extensions.load(extensions.connect(), "sqlite_scanner")
    (file,) = cache.rglob("*.duckdb_extension")
    size = file.stat().st_size
    file.unlink()  # the library is mapped into this process: its bytes must not change
    file.write_bytes(b"half")
    extensions.load(extensions.connect(), "sqlite_scanner")
    assert file.stat().st_size == size


def test_many_may_place_it_at_once(cache: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: extensions.load(extensions.connect(), "sqlite_scanner"), range(4)))
    assert [p.name for p in cache.rglob("*") if p.is_file()] == ["sqlite_scanner.duckdb_extension"]


def test_unsigned_extensions_stay_off() -> None:
    connection = extensions.connect()
    settings = dict(
        connection.execute(
            "SELECT name, value FROM duckdb_settings() WHERE name IN "
            "('allow_unsigned_extensions', 'autoinstall_known_extensions', 'TimeZone')"
        ).fetchall()
    )
    assert settings == {
        "allow_unsigned_extensions": "false",
        "autoinstall_known_extensions": "false",
        "TimeZone": "UTC",
    }


def test_without_wheel_and_network_the_remedy_is_named(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(extensions, "_wheel_file", lambda _: None)
    connection = extensions.connect()
    connection.execute("SET custom_extension_repository = 'http://127.0.0.1:9'")
    with pytest.raises(StorageError, match=r"duckdb-extension-sqlite==") as caught:
        extensions.load(connection, "sqlite_scanner")
    assert "extensions.duckdb.org" in str(caught.value)
    assert not list(cache.rglob("*.duckdb_extension"))


def test_an_unwritable_cache_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(StorageError, match="XDG_CACHE_HOME"):
        extensions.load(extensions.connect(), "sqlite_scanner")
