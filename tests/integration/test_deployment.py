"""A nightly deployment against a PACS: its second run picks up only a newly stored study."""

from __future__ import annotations

import re
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
from tests.serving import ServeProcess, serving

pytestmark = [pytest.mark.services, pytest.mark.xdist_group("serve")]

_PATIENCE_S = 240.0


@dataclass(frozen=True)
class Served:
    """A running `tracerlake serve` and its Prefect server."""

    running: ServeProcess
    api: httpx.Client

    def run_now(self) -> dict[str, object]:
        """Have the deployment run once and wait for its end."""
        (deployment,) = self.api.post("/deployments/filter", json={}).json()
        asked = self.api.post(f"/deployments/{deployment['id']}/create_flow_run", json={})
        made = asked.raise_for_status().json()
        deadline = time.monotonic() + _PATIENCE_S
        while time.monotonic() < deadline:
            answer = self.api.get(f"/flow_runs/{made['id']}")
            run: dict[str, object] = answer.json() if answer.is_success else {}  # else it is busy
            if run.get("state_type") in {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}:
                return run
            self.running.assert_alive()
            time.sleep(0.5)
        pytest.fail(self.running.tail())


@contextmanager
def _serving(location: Path, tmp_path: Path) -> Iterator[Served]:
    options = ("--cron", "0 2 * * *", "--timezone", "UTC", "--source", "pacs")
    with (
        serving(location, tmp_path, *options) as running,
        httpx.Client(base_url=_api(running), trust_env=False, timeout=60) as api,
    ):
        yield Served(running, api)


def _api(running: ServeProcess) -> str:
    """Address of the server, once the deployment is there."""
    deadline = time.monotonic() + _PATIENCE_S
    while time.monotonic() < deadline:
        running.assert_alive()
        found = re.search(r"server started: (http://\S+)", running.log.read_text())
        if found:
            url = f"{found[1]}/api"
            if httpx.post(f"{url}/deployments/filter", json={}, trust_env=False).json():
                return url
        time.sleep(0.5)
    pytest.fail(running.tail())


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
    assert "s3cret" not in served.running.log.read_text()
