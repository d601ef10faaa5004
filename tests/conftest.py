"""Fixtures shared by all tests."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cohorts import CENTRES, Cohort

ROOT = Path(__file__).resolve().parent.parent


def pytest_configure() -> None:
    """Keep keys, Prefect's database and its server away from the account that runs the tests."""
    home = tempfile.mkdtemp(prefix="tracerlake-tests-")
    os.environ["PREFECT_HOME"] = str(Path(home) / "prefect")
    os.environ["TRACERLAKE_KEY_DIR"] = str(Path(home) / "keys")
    os.environ.pop("PREFECT_API_URL", None)
    from flows.orchestration import embed_prefect

    embed_prefect()


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


@pytest.fixture(scope="session")
def tiny_cohort(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    """Two PET/CT centres with three patients each and one SPECT patient, coarse voxels."""
    from tasks.simulate.cohort import simulate_cohort

    root = tmp_path_factory.mktemp("cohort")
    simulate_cohort(
        root, centres=2, patients_per_centre=3, spect_patients=1, voxel_scale=2.0, workers=1
    )
    return Cohort(root)


@pytest.fixture(scope="session")
def prefect_server() -> Iterator[None]:
    """One real Prefect server for all flows of this process and the commands it starts."""
    from flows.serving import local_server

    with local_server():
        yield


@pytest.fixture(scope="session")
def built_lake(
    prefect_server: None, tiny_cohort: Cohort, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A lake after one nightly run over the tiny cohort. Never write to it."""
    import lake
    from flows.nightly import nightly

    location = tmp_path_factory.mktemp("lakes") / "built"
    lake.create(location, settings={"centres": CENTRES}).close()
    nightly(
        str(location),
        sources=[str(tiny_cohort.dicom)],
        redcap=[str(tiny_cohort.redcap)],
        fhir=[str(tiny_cohort.fhir)],
        workers=2,
    )
    return location
