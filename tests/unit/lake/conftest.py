"""A new embedded lake for every test, copied from one that is made once."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import lake
from lake import Lake


@pytest.fixture(scope="session")
def empty_lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("template") / "lake"
    lake.create(folder).close()
    return folder


@pytest.fixture
def lk(empty_lake: Path, tmp_path: Path) -> Iterator[Lake]:
    shutil.copytree(empty_lake, tmp_path / "lake")
    with lake.open(tmp_path / "lake") as opened:
        yield opened
