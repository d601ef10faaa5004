"""The documentation as a reader runs it: one study and one lake for all pages."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from lake import extensions
from tests.docs.pages import Block, Desk, blocks

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """A folder in which the tutorial's commands have been run, with what each printed."""
    home = tmp_path_factory.mktemp("reader")
    folder = home / "work"
    folder.mkdir()
    _place_extensions(home)
    kept = {"LANG", "LC_ALL", "TMPDIR", "XDG_CACHE_HOME"}
    environment = {name: value for name, value in os.environ.items() if name in kept} | {
        "HOME": str(home),
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), "/usr/bin", "/bin"]),
        "COLUMNS": "160",
        "NO_COLOR": "1",
    }
    place = Desk(folder, environment)
    for block in blocks(ROOT / "docs" / "tutorials" / "first-lake.md"):
        place.run(block)
    return place


def _place_extensions(home: Path) -> None:
    """Give a plain DuckDB the extensions that `INSTALL` would fetch from the network."""
    with extensions.connect() as connection:
        extensions.load(connection, "ducklake", "sqlite_scanner")
    (home / ".duckdb").mkdir()
    (home / ".duckdb" / "extensions").symlink_to(extensions.extension_directory())


@pytest.fixture
def page_blocks(request: pytest.FixtureRequest) -> list[Block]:
    """Blocks of the page named by the test's parameter."""
    return blocks(ROOT / str(request.param))
