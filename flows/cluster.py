"""Dask: a local cluster or an existing one, and bounded streaming of work through it."""

from __future__ import annotations

import logging
import math
import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Generic, Self, TypeVar

import dask
from distributed import Client, KilledWorker, LocalCluster, as_completed

from schemas.errors import ClusterError, InvalidInputError

J = TypeVar("J")
R = TypeVar("R")

_CONNECT_TIMEOUT_S = 10
#: Workers may join and leave during a run.
_ASK_EVERY_S = 1.0
#: A task that was running on this many dying workers is given up (and its series quarantined).
_WORKER_DEATHS = 2
#: Dask makes workers give back every freed 64 KiB at once, so that each slice that is read and each
#: chunk that is compressed gets pages that the system has to clear first: half as much time again
#: for a CT. Up to 64 MiB are kept instead; whole volumes still go back.
_WORKER_MEMORY = {"MALLOC_TRIM_THRESHOLD_": 64 * 2**20, "MALLOC_MMAP_THRESHOLD_": 16 * 2**20}

#: Every connection keeps its last messages for whoever debugs Dask, and with them whole jobs: with
#: Dask's 1000, the memory of a run grew with every series.
_SHORT_LOGS = {"distributed.admin.low-level-log-length": 20}


@dataclass(frozen=True)
class Done(Generic[J, R]):
    """One finished job: a result, or the error it ended with."""

    job: J
    result: R | None
    error: BaseException | None


def failure_reason(error: BaseException | None) -> str:
    """Reason code for the objects of a job that ended with an error.

    Want of memory and workers that die are no faults of ours; everything else is.
    """
    if isinstance(error, KilledWorker):
        return "killed_workers"
    return "out_of_memory" if isinstance(error, MemoryError) else "internal_error"


@contextmanager
def open_cluster(address: str | None = None, *, workers: int | None = None) -> Iterator[Client]:
    """Connect to the scheduler at `address`, or start a local cluster of processes.

    Parameters
    ----------
    address : str or None
        Such as ``tcp://host:8786``; None starts a local cluster that ends with the block.
    workers : int or None
        Local worker processes, one thread each; None: one per core.

    Raises
    ------
    ClusterError
        Nothing answers at `address`, or it has no workers.
    InvalidInputError
        `address` is not a Dask address.
    """
    if address is None:
        with _local_cluster(workers or os.cpu_count() or 1) as cluster, Client(cluster) as client:
            yield client
        return
    with _connect(address) as client:
        yield client


class ClusterOnDemand:
    """A cluster that is started, or connected to, by the first work that needs it.

    Most nights bring nothing new to most lakes: starting worker processes takes longer than finding
    that out.

    Parameters
    ----------
    address, workers
        As in `open_cluster`.
    """

    def __init__(self, address: str | None = None, *, workers: int | None = None) -> None:
        self._address = address
        self._workers = workers
        self._client: Client | None = None
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def start(self) -> None:
        """Start now; errors as `client`."""
        _ = self.client

    @property
    def client(self) -> Client:
        """Client of the running cluster.

        Raises
        ------
        ClusterError, InvalidInputError
            As `open_cluster`.
        """
        if self._client is None:
            self._client = self._stack.enter_context(
                open_cluster(self._address, workers=self._workers)
            )
        return self._client


@contextmanager
def _local_cluster(workers: int) -> Iterator[LocalCluster]:
    settings = {
        "distributed.scheduler.allowed-failures": _WORKER_DEATHS - 1,
        "distributed.worker.multiprocessing-method": "spawn",
        **_SHORT_LOGS,
        **{f"distributed.nanny.pre-spawn-environ.{k}": v for k, v in _WORKER_MEMORY.items()},
    }
    with (
        dask.config.set(settings),
        LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            dashboard_address="127.0.0.1:0",  # any free port, loopback only
            silence_logs=logging.ERROR,
        ) as cluster,
    ):
        yield cluster


@contextmanager
def _connect(address: str) -> Iterator[Client]:
    try:
        with dask.config.set(_SHORT_LOGS):
            client = Client(address, timeout=_CONNECT_TIMEOUT_S, set_as_default=False)
    except (OSError, TimeoutError) as error:
        raise ClusterError(
            f"no Dask scheduler answers at {address} within {_CONNECT_TIMEOUT_S} s; start one with "
            "`dask scheduler` and workers with `dask worker`, or leave --dask out to run locally"
        ) from error
    except ValueError as error:
        raise InvalidInputError(
            f"{address!r} is not a Dask address; expected something like tcp://host:8786"
        ) from error
    with client:
        try:
            client.wait_for_workers(1, timeout=_CONNECT_TIMEOUT_S)
        except TimeoutError as error:
            raise ClusterError(
                f"the Dask scheduler at {address} has no workers; start some with `dask worker`"
            ) from error
        yield client


def stream(
    client: Client, function: Callable[[J], R], jobs: Iterable[J], *, per_worker: int = 3
) -> Iterator[Done[J, R]]:
    """Run `function` over `jobs` with bounded work in flight; yield as they finish.

    The graph never holds more than `per_worker` jobs a worker, however long `jobs` is, and results
    leave the cluster as soon as they have been taken.

    Dask gives up every job that waited at workers which died, not only the one that killed them. So
    those are tried again at the end, one at a time: whoever kills two workers then is guilty.

    Raises
    ------
    ClusterError
        The scheduler is gone.
    """
    suspects: list[J] = []
    for done in _in_flight(client, function, jobs, _Slots(client, per_worker).now):
        if isinstance(done.error, KilledWorker):
            suspects.append(done.job)
        else:
            yield done
    yield from _in_flight(client, function, suspects, lambda: 1)


def _in_flight(
    client: Client, function: Callable[[J], R], jobs: Iterable[J], slots: Callable[[], int]
) -> Iterator[Done[J, R]]:
    """Keep as many jobs in flight as there are slots."""
    pending = iter(jobs)
    running: dict[object, J] = {}
    finished = as_completed(loop=client.loop, raise_errors=False)

    def submit_one() -> bool:
        for job in pending:
            future = client.submit(function, job, pure=False)
            running[future] = job
            finished.add(future)
            return True
        return False

    while len(running) < slots() and submit_one():
        pass
    while running:
        future = next(finished)
        if future.status == "lost":  # done, but its worker died with the result: it is done again
            finished.add(future)
            continue
        job = running.pop(future)
        yield _outcome(client, job, future)
        while len(running) < slots() and submit_one():
            pass


class _Slots:
    """How many jobs may be in flight; the scheduler is asked once a second, not for every job."""

    def __init__(self, client: Client, per_worker: int) -> None:
        self._client = client
        self._per_worker = per_worker
        self._threads = 0
        self._asked_s = -math.inf

    def now(self) -> int:
        """Jobs that may be in flight at present.

        Raises
        ------
        ClusterError
            The scheduler is gone.
        """
        if self._client.status != "running":
            raise ClusterError("the Dask scheduler is gone; what was committed is kept, run again")
        if time.monotonic() - self._asked_s > _ASK_EVERY_S:
            self._threads = sum(self._client.nthreads().values())
            self._asked_s = time.monotonic()
        return max(1, self._threads) * self._per_worker


def _outcome(client: Client, job: J, future: object) -> Done[J, R]:
    status = future.status  # type: ignore[attr-defined]
    if status == "finished":
        result = future.result()  # type: ignore[attr-defined]
        future.release()  # type: ignore[attr-defined]
        return Done(job, result, None)
    if status == "error":
        error = future.exception()  # type: ignore[attr-defined]
        future.release()  # type: ignore[attr-defined]
        return Done(job, None, error)
    raise ClusterError(f"the cluster lost a job ({status}, client {client.status}); run again")
