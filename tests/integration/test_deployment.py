"""A nightly deployment against a PACS: its second run picks up only a newly stored study."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

import lake
from lake.verify import verify
from tests.instances import ct_instance
from tests.orthanc import Orthanc, orthanc_server

pytestmark = [pytest.mark.services, pytest.mark.xdist_group("serve")]

_PATIENCE_S = 240.0


@dataclass(frozen=True)
class Served:
    """A running `tracerlake serve`."""

    process: subprocess.Popen[bytes]
    log: Path
    api: httpx.Client

    def run_now(self) -> dict[str, object]:
        """Have the deployment run once and wait for its end."""
        (deployment,) = self.api.post("/deployments/filter", json={}).json()
        made = self.api.post(f"/deployments/{deployment['id']}/create_flow_run", json={}).json()
        deadline = time.monotonic() + _PATIENCE_S
        while time.monotonic() < deadline:
            run: dict[str, object] = self.api.get(f"/flow_runs/{made['id']}").json()
            if run["state_type"] in {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}:
                return run
            assert self.process.poll() is None, self.log.read_text()[-3000:]
            time.sleep(0.5)
        pytest.fail(self.log.read_text()[-3000:])


@contextmanager
def _serving(location: Path, tmp_path: Path) -> Iterator[Served]:
    command = [sys.executable, "-m", "flows.cli.main", "serve", str(location),
               "--cron", "0 2 * * *", "--timezone", "UTC", "--source", "pacs"]  # fmt: skip
    environment = {k: v for k, v in os.environ.items() if k != "PREFECT_API_URL"}
    environment["PREFECT_HOME"] = str(tmp_path / "prefect")
    log = tmp_path / "serve.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, stdout=out, stderr=out, env=environment, start_new_session=True
        )
    try:
        with httpx.Client(base_url=_api(process, log), trust_env=False, timeout=60) as api:
            yield Served(process, log, api)
    finally:
        os.killpg(process.pid, signal.SIGINT)
        try:
            process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _api(process: subprocess.Popen[bytes], log: Path) -> str:
    """Address of the server, once the deployment is there."""
    deadline = time.monotonic() + _PATIENCE_S
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()[-3000:]
        found = re.search(r"server started: (http://\S+)", log.read_text())
        if found:
            url = f"{found[1]}/api"
            if httpx.post(f"{url}/deployments/filter", json={}, trust_env=False).json():
                return url
        time.sleep(0.5)
    pytest.fail(log.read_text()[-3000:])


def _last_ingestion(location: Path) -> dict[str, object]:
    with lake.open(location, read_only=True) as lk:
        assert verify(lk) == []
        rows = lk.sql(
            "SELECT n_files, n_unchanged, n_ingested, n_written, run_state FROM runs "
            "WHERE flow_name = 'ingest' ORDER BY started_at DESC LIMIT 1"
        )
        row: dict[str, object] = rows.to_arrow_table().to_pylist()[0]
    return row


@pytest.fixture
def orthanc() -> Iterator[Orthanc]:
    with orthanc_server() as server:
        yield server


@pytest.mark.timeout(900)
def test_the_second_run_of_the_deployment_takes_only_the_new_study(
    orthanc: Orthanc, tmp_path: Path
) -> None:
    declared = orthanc.dicomweb().model_dump(mode="json", exclude_defaults=True)
    location = tmp_path / "lake"
    values = {"sources": {"pacs": declared}, "retrieval_dir": str(tmp_path / "retrieved")}
    lake.create(location, settings=values).close()
    for number in range(4):
        orthanc.store(ct_instance(1, 1, number))
    with _serving(location, tmp_path) as served:
        (schedule,) = served.api.post("/deployments/filter", json={}).json()[0]["schedules"]
        assert schedule["schedule"]["cron"] == "0 2 * * *"
        assert served.run_now()["state_type"] == "COMPLETED"
        assert _last_ingestion(location) == {
            "n_files": 4, "n_unchanged": 0, "n_ingested": 4, "n_written": 1,
            "run_state": "completed",
        }  # fmt: skip
        for number in range(3):
            orthanc.store(ct_instance(2, 1, number))
        before = len(orthanc.served())
        assert served.run_now()["state_type"] == "COMPLETED"
    assert _last_ingestion(location) == {
        "n_files": 7, "n_unchanged": 4, "n_ingested": 3, "n_written": 1, "run_state": "completed",
    }  # fmt: skip
    assert sorted(set(orthanc.served()[before:])) == [f"2.25.92.1.{n}" for n in range(3)]
    assert (location / "reports" / "runs" / "latest.html").is_file()
    assert "s3cret" not in served.log.read_text()
