"""`--dask ADDRESS`: a scheduler and two workers that were started separately do the work."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from distributed import Client

import lake
from flows.ingest import ingest
from flows.standardise import standardise
from tests.cohorts import CENTRES, Cohort

pytestmark = [pytest.mark.xdist_group("prefect"), pytest.mark.usefixtures("prefect_server")]


@pytest.fixture
def scheduler(tmp_path: Path) -> Iterator[str]:
    info = tmp_path / "scheduler.json"
    processes = [
        _start("scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard",
               "--scheduler-file", str(info)),
    ]  # fmt: skip
    _wait_for(info)
    processes += [
        _start("worker", "--scheduler-file", str(info), "--nthreads", "1", "--name", name,
               "--no-dashboard", "--local-directory", str(tmp_path))
        for name in ("one", "two")
    ]  # fmt: skip
    import json

    try:
        yield str(json.loads(info.read_text())["address"])
    finally:
        for process in reversed(processes):
            process.terminate()
            process.wait(timeout=30)


def _start(what: str, *options: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", f"distributed.cli.dask_{what}", *options]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _wait_for(path: Path) -> None:
    deadline = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < deadline, "the scheduler did not start"
        time.sleep(0.1)


def test_both_workers_do_the_work_and_the_lake_is_the_same(
    scheduler: str, tiny_cohort: Cohort, built_lake: Path, tmp_path: Path
) -> None:
    location = tmp_path / "lake"
    lake.create(location, settings={"centres": CENTRES}).close()
    with Client(scheduler, set_as_default=False) as client:
        client.wait_for_workers(2, timeout=60)
        ingest(str(location), [str(tiny_cohort.dicom)], dask_address=scheduler)
        standardise(str(location), dask_address=scheduler)
        tasks_done = client.run(lambda dask_worker: dask_worker.state.transition_counter > 0)
    assert list(tasks_done.values()) == [True, True]
    with lake.open(location) as lk, lake.open(built_lake, read_only=True) as embedded:
        volumes = "SELECT volume_id FROM volumes WHERE zone IN ('raw', 'standard') ORDER BY ALL"
        assert lk.sql(volumes).fetchall() == embedded.sql(volumes).fetchall()
        files = "SELECT file_key, outcome, reason_code FROM files ORDER BY ALL"
        assert lk.sql(files).fetchall() == embedded.sql(files).fetchall()
