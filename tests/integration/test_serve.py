"""`tracerlake serve` starts a Prefect server, schedules the nightly flow and really runs it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import lake
from tests.cohorts import CENTRES, Cohort

pytestmark = pytest.mark.xdist_group("serve")


def _finished_runs(location: Path) -> list[str]:
    with lake.open(location, read_only=True) as lk:
        rows = lk.sql(
            "SELECT flow_name FROM runs WHERE run_state = 'completed' ORDER BY started_at"
        ).fetchall()
    return [name for (name,) in rows]


@pytest.mark.timeout(420)
def test_the_scheduled_flow_runs_when_it_is_due(tiny_cohort: Cohort, tmp_path: Path) -> None:
    location = tmp_path / "lake"
    lake.create(location, settings={"centres": CENTRES}).close()
    source = next(tiny_cohort.dicom.glob("S/*"))
    command = [sys.executable, "-m", "flows.cli.main", "serve", str(location),
               "--cron", "* * * * *", "--source", str(source)]  # fmt: skip
    environment = {k: v for k, v in os.environ.items() if k != "PREFECT_API_URL"}
    environment["PREFECT_HOME"] = str(tmp_path / "prefect")
    log = tmp_path / "serve.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, stdout=out, stderr=out, env=environment, start_new_session=True
        )
    try:
        deadline = time.monotonic() + 360
        while "harmonise" not in _finished_runs(location):
            assert process.poll() is None, log.read_text()[-3000:]
            assert time.monotonic() < deadline, log.read_text()[-3000:]
            time.sleep(1)
    finally:
        os.killpg(process.pid, signal.SIGINT)
        try:
            process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    assert _finished_runs(location)[:4] == [
        "ingest", "standardise", "extract_features", "harmonise",
    ]  # fmt: skip
    with lake.open(location, read_only=True) as lk:
        assert lk.sql("SELECT count(*) FROM volumes WHERE zone = 'standard'").fetchall()[0][0] >= 2
