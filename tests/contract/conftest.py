"""Services that contract suites are held against."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.orthanc import Orthanc, orthanc_server
from tests.postgres import postgres_server


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """URL of a PostgreSQL server."""
    with postgres_server() as url:
        yield url


@pytest.fixture(scope="session")
def orthanc() -> Iterator[Orthanc]:
    """An empty PACS."""
    with orthanc_server() as server:
        yield server
