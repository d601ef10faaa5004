"""kill -9 in the middle of ingestion, then again: the lake equals that of one clean run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest

import lake
from lake.vacuum import vacuum
from lake.verify import verify
from tests.cohorts import CENTRES, Cohort

pytestmark = pytest.mark.xdist_group("prefect")


def _nightly(location: Path, cohort: Cohort) -> list[str]:
    return [
        sys.executable, "-m", "flows.cli.main", "nightly", str(location),
        "--source", str(cohort.dicom), "--redcap", str(cohort.redcap), "--fhir", str(cohort.fhir),
        "--workers", "1",
    ]  # fmt: skip


def _kill_when(location: Path, command: list[str], pattern: str, n: int) -> bool:
    """Start the command, kill its whole process group once `n` files match; True if killed."""
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    deadline = time.monotonic() + 200
    while process.poll() is None and time.monotonic() < deadline:
        if len(list(location.glob(pattern))) >= n:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return True
        time.sleep(0.02)
    process.wait(timeout=200)
    return False


@pytest.mark.timeout(600)
def test_killed_runs_and_one_more_equal_one_clean_run(
    built_lake: Path, tiny_cohort: Cohort, tmp_path: Path
) -> None:
    location = tmp_path / "killed"
    lake.create(location, settings={"centres": CENTRES}).close()
    command = _nightly(location, tiny_cohort)
    kills = [
        _kill_when(location, command, "volumes/raw/*/*", 3),
        _kill_when(location, command, "volumes/standard/*/*", 2),
        _kill_when(location, command, "volumes/mask/*/*", 4),
    ]
    assert all(kills)
    last = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert last.returncode == 0, last.stderr
    with lake.open(location) as lk, lake.open(built_lake, read_only=True) as clean:
        assert lk.content_digest() == clean.content_digest()
        vacuum(lk, grace=timedelta(0))  # takes what the killed runs left unfinished
        assert verify(lk) == []
        states = [s for (s,) in lk.sql("SELECT run_state FROM runs").fetchall()]
    assert "running" in states  # the killed ones left their trace
