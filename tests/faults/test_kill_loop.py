"""kill -9 inside a transaction and at other moments, and two runs at once over one source."""

from __future__ import annotations

import random
import subprocess
from pathlib import Path

import pytest

from flows.ingest import ingest
from tests.faults.kill_loop import INSIDE, command, kill_after, kill_when
from tests.support.taking import assert_whole, content, new_lake, outcomes, write_series

pytestmark = [pytest.mark.xdist_group("prefect"), pytest.mark.usefixtures("prefect_server")]

N_SERIES, N = 5, 6


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("source") / "dicom"
    for series in range(1, N_SERIES + 1):
        write_series(folder / str(series), range(1, N + 1), series=series, edge=64)
    write_series(folder / "copy", range(1, N + 1), series=1, edge=64)
    (folder / "notes.txt").write_text("no DICOM")
    return folder


@pytest.fixture(scope="module")
def clean(
    prefect_server: None, source: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    """Content of a lake after one run that nobody disturbed."""
    location = new_lake(tmp_path_factory.mktemp("clean") / "lake")
    ingest(str(location), [str(source)], workers=1)
    assert outcomes(location) == {"ingested": N_SERIES * N, "duplicate": N, "not_dicom": 1}
    return content(location)


@pytest.mark.timeout(600)
def test_killed_at_four_moments_and_one_more_run_equal_one_clean_run(
    source: Path, clean: dict[str, str], tmp_path: Path
) -> None:
    location = new_lake(tmp_path / "lake")
    killed = [kill_when(location, source, pattern) for pattern in INSIDE.values()]
    killed.append(kill_after(location, source, random.Random(3).uniform(0, 1)))
    assert killed.count(True) >= 4
    last = subprocess.run(
        command(location, source), capture_output=True, text=True, timeout=300, check=False
    )
    assert last.returncode == 0, last.stderr
    assert content(location) == clean
    assert_whole(location)


@pytest.mark.timeout(600)
def test_two_runs_at_once_equal_one(source: Path, clean: dict[str, str], tmp_path: Path) -> None:
    location = new_lake(tmp_path / "lake")
    runs = [
        subprocess.Popen(command(location, source), stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    for run in runs:
        _, said = run.communicate(timeout=300)
        assert run.returncode == 0, said
    assert content(location) == clean
    assert_whole(location)
