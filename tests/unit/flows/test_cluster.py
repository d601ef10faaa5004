"""Bounded streaming through Dask, and what happens to workers and schedulers that go away."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from distributed import Client

from flows.cluster import ClusterOnDemand, failure_reason, open_cluster, stream
from schemas.errors import ClusterError, InvalidInputError

pytestmark = pytest.mark.xdist_group("dask")


def double(n: int) -> int:
    return 2 * n


def fail_on_three(n: int) -> int:
    if n == 3:
        raise ValueError("three")
    return n


def die_on_two(n: int) -> int:
    if n == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return n


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with open_cluster(workers=2) as opened:
        yield opened


def test_every_job_comes_back_once(client: Client) -> None:
    done = list(stream(client, double, range(50)))
    assert sorted(d.job for d in done) == list(range(50))
    assert all(d.result == 2 * d.job for d in done)


def test_jobs_are_taken_only_as_slots_become_free(client: Client) -> None:
    taken = []

    def jobs() -> Iterator[int]:
        for n in range(1000):
            taken.append(n)
            yield n

    results = stream(client, double, jobs(), per_worker=2)
    next(results)
    assert len(taken) <= 2 * 2 + 1
    results.close()  # type: ignore[attr-defined]


def test_an_error_costs_one_job(client: Client) -> None:
    done = {d.job: d for d in stream(client, fail_on_three, range(6))}
    assert isinstance(done[3].error, ValueError)
    assert done[3].result is None
    assert [done[n].result for n in (0, 1, 2, 4, 5)] == [0, 1, 2, 4, 5]


def test_want_of_memory_is_no_fault_of_ours() -> None:
    assert failure_reason(MemoryError()) == "out_of_memory"
    assert failure_reason(KeyError("x")) == "internal_error"


def test_a_job_that_kills_its_worker_twice_is_given_up() -> None:
    with open_cluster(workers=2) as own:
        done = {d.job: d for d in stream(own, die_on_two, range(6), per_worker=1)}
    assert failure_reason(done[2].error) == "killed_workers"
    assert [done[n].result for n in (0, 1, 3, 4, 5)] == [0, 1, 3, 4, 5]


def test_jobs_that_waited_behind_a_killer_are_not_given_up() -> None:
    with open_cluster(workers=1) as own:
        done = {d.job: d for d in stream(own, die_on_two, range(8), per_worker=8)}
    assert {n for n, d in done.items() if d.error is not None} == {2}
    assert [done[n].result for n in (0, 1, 3, 4, 5, 6, 7)] == [0, 1, 3, 4, 5, 6, 7]


def test_an_address_that_does_not_answer_says_what_to_do() -> None:
    with pytest.raises(ClusterError, match="dask scheduler"), open_cluster("tcp://127.0.0.1:9"):
        pass


def test_a_cluster_on_demand_waits_for_work() -> None:
    with ClusterOnDemand("tcp://127.0.0.1:9"):
        pass  # nobody is there, and nobody was needed
    with (
        ClusterOnDemand("tcp://127.0.0.1:9") as cluster,
        pytest.raises(ClusterError, match="dask scheduler"),
    ):
        _ = cluster.client


def test_a_cluster_on_demand_starts_once_and_ends() -> None:
    with ClusterOnDemand(workers=1) as cluster:
        client = cluster.client
        assert cluster.client is client
        assert [d.result for d in stream(client, double, [3])] == [6]
    assert client.status == "closed"


def test_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="tcp://"), open_cluster("nonsense://x"):
        pass


def test_a_scheduler_without_workers_says_so(tmp_path: Path) -> None:
    info = tmp_path / "scheduler.json"
    command = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1",
               "--port", "0", "--no-dashboard", "--scheduler-file", str(info)]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            deadline = time.monotonic() + 60
            while not info.exists() and time.monotonic() < deadline:
                time.sleep(0.1)
            import json

            address = json.loads(info.read_text())["address"]
            with pytest.raises(ClusterError, match="no workers"), open_cluster(address):
                pass
        finally:
            process.terminate()
