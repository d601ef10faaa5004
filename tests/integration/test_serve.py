"""`tracerlake serve` starts a Prefect server, schedules the nightly flow and really runs it."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

import lake
from tests.cohorts import CENTRES, Cohort
from tests.serving import serving

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
    with serving(location, tmp_path, "--cron", "* * * * *", "--source", str(source)) as served:
        deadline = time.monotonic() + 360
        while "harmonise" not in _finished_runs(location):
            served.assert_alive()
            assert time.monotonic() < deadline, served.tail()
            time.sleep(1)
    assert _finished_runs(location)[:5] == [
        "ingest", "standardise", "extract_features", "check_protocol", "harmonise",
    ]  # fmt: skip
    with lake.open(location, read_only=True) as lk:
        assert lk.sql("SELECT count(*) FROM volumes WHERE zone = 'standard'").fetchall()[0][0] >= 2
