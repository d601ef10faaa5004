"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def reference_data() -> Callable[[str], Path]:
    """Folder of the reference data by name; skips for users without it, fails in CI."""
    base = Path(os.environ.get("TRACERLAKE_TEST_DATA", ROOT.parent / "shared" / "data"))

    def folder(name: str) -> Path:
        path = base / name
        if not path.exists():
            message = f"reference data {name!r} not found; set TRACERLAKE_TEST_DATA to its folder"
            if os.environ.get("CI"):
                pytest.fail(message)
            pytest.skip(message)
        return path

    return folder
