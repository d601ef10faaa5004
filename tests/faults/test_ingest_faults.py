"""A full disk, reading that fails half-way, lost workers, a second run in between."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from distributed import LocalCluster, WorkerPlugin

import flows.ingest
from flows.cluster import open_cluster
from flows.ingest import ingest
from flows.work.ingest import IngestContext, StoredSeries, convert_and_store
from schemas.errors import StorageError
from schemas.records import SeriesGroup
from tests.support.taking import ask, assert_whole, content, new_lake, outcomes, write_series

pytestmark = [pytest.mark.xdist_group("prefect"), pytest.mark.usefixtures("prefect_server")]

N = 6


@pytest.fixture(scope="module")
def threads() -> Iterator[str]:
    """Address of a cluster inside this process, so that tests can make its reading fail."""
    with LocalCluster(
        n_workers=1,
        threads_per_worker=1,
        processes=False,
        host="127.0.0.1",
        protocol="tcp",
        dashboard_address="127.0.0.1:0",
    ) as cluster:
        yield str(cluster.scheduler_address)


@pytest.fixture
def location(tmp_path: Path) -> Path:
    return new_lake(tmp_path / "lake")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 48 MiB of its own."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", str(place)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no mount command here")
    if done.returncode:
        pytest.skip(f"this account may not mount a small disk: {done.stderr.strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def _fill(disk: Path, free_bytes: int) -> Path:
    """Leave only so much of a file system free."""
    filler = disk / "filler"
    status = os.statvfs(disk)
    with filler.open("wb") as out:
        os.posix_fallocate(out.fileno(), 0, status.f_bavail * status.f_frsize - free_bytes)
    return filler


@pytest.mark.parametrize("free_kib", [4, 96, 1000])
def test_a_full_disk_ends_the_run_and_loses_nothing(
    small_disk: Path, tmp_path: Path, threads: str, free_kib: int
) -> None:
    location = new_lake(small_disk / "lake")
    source = write_series(tmp_path / "source", range(1, N + 1), edge=256, noise=True)
    write_series(source, range(1, N + 1), series=2, edge=256, noise=True)
    filler = _fill(small_disk, free_kib * 1024)
    with pytest.raises(StorageError):
        ingest(str(location), [str(source)], dask_address=threads)
    filler.unlink()
    counts = ingest(str(location), [str(source)], dask_address=threads)
    assert counts["n_ingested"] + counts["n_unchanged"] == 2 * N
    assert outcomes(location) == {"ingested": 2 * N}
    assert_whole(location)


def test_a_read_error_half_way_leaves_the_series_for_the_next_run(
    location: Path, tmp_path: Path, threads: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write_series(tmp_path / "source", range(1, N + 1))
    write_series(source, range(1, N + 1), series=2)
    from tasks.sources import file_reading

    original, seen = file_reading._read, {"times": 0}

    def failing(handle: int, n_bytes: int) -> bytes:
        if Path(f"/proc/self/fd/{handle}").readlink().name == "1-1-003.dcm":
            seen["times"] += 1
            if seen["times"] == 2:  # the first time its header was looked at
                os.read(handle, n_bytes // 2)
                raise OSError(errno.EIO, os.strerror(errno.EIO))
        return original(handle, n_bytes)

    monkeypatch.setattr(file_reading, "_read", failing)
    counts = ingest(str(location), [str(source)], dask_address=threads)
    assert (counts["n_ingested"], counts["n_quarantined"], counts["n_written"]) == (N, N, 1)
    expected = {"ingested": N, "unreadable": 1, "series_incomplete": N - 1}
    assert outcomes(location) == expected
    assert ingest(str(location), [str(source)], dask_address=threads)["n_ingested"] == N
    assert outcomes(location) == {"ingested": 2 * N}
    assert_whole(location)


def test_a_folder_that_vanishes_while_it_is_read_takes_no_volume_away(
    location: Path, tmp_path: Path, threads: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write_series(tmp_path / "source", range(1, 5))
    ingest(str(location), [str(source)], dask_address=threads)
    before = ask(location, "SELECT volume_id FROM volumes")
    write_series(source, range(5, N + 1))
    safe = Path(shutil.copytree(source, tmp_path / "safe"))

    def vanish(context: IngestContext, group: SeriesGroup) -> StoredSeries:
        shutil.rmtree(source)  # a share that is unmounted after its headers were read
        return convert_and_store(context, group)

    monkeypatch.setattr("flows.ingest.convert_and_store", vanish)
    assert ingest(str(location), [str(source)], dask_address=threads)["n_quarantined"] == 2
    assert ask(location, "SELECT volume_id FROM volumes") == before
    monkeypatch.undo()
    shutil.copytree(safe, source)
    assert ingest(str(location), [str(source)], dask_address=threads)["n_ingested"] == 2
    assert ask(location, "SELECT shape_z FROM volumes") == [(N,)]
    assert_whole(location)


def test_another_run_in_between_is_neither_undone_nor_doubled(
    location: Path, tmp_path: Path, threads: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = write_series(tmp_path / "first", range(1, 5))
    second = write_series(tmp_path / "second", range(3, N + 1))
    looked_up = flows.ingest._known

    def overtaken(*arguments: object) -> object:
        known = looked_up(*arguments)  # type: ignore[arg-type]
        monkeypatch.undo()
        ingest(str(location), [str(second)], dask_address=threads)
        return known

    monkeypatch.setattr("flows.ingest._known", overtaken)
    assert ingest(str(location), [str(first)], dask_address=threads)["n_quarantined"] == 4
    assert outcomes(location) == {"ingested": 4, "overtaken": 4}
    assert ask(location, "SELECT shape_z FROM volumes") == [(4,)]
    counts = ingest(str(location), [str(first), str(second)], dask_address=threads)
    assert (counts["n_ingested"], counts["n_duplicate"], counts["n_unchanged"]) == (2, 2, 4)
    assert ask(location, "SELECT shape_z FROM volumes") == [(N,)]
    assert_whole(location)


def test_a_copy_that_another_run_took_in_between_is_a_duplicate(
    location: Path, tmp_path: Path, threads: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = write_series(tmp_path / "first", range(1, N + 1))
    copy = Path(shutil.copytree(first, tmp_path / "copy"))
    looked_up = flows.ingest._known

    def overtaken(*arguments: object) -> object:
        known = looked_up(*arguments)  # type: ignore[arg-type]
        monkeypatch.undo()
        ingest(str(location), [str(copy)], dask_address=threads)
        return known

    monkeypatch.setattr("flows.ingest._known", overtaken)
    assert ingest(str(location), [str(first)], dask_address=threads)["n_duplicate"] == N
    assert outcomes(location) == {"ingested": N, "duplicate": N}
    assert_whole(location)


def test_lost_workers_cost_a_retry_and_no_series(location: Path, tmp_path: Path) -> None:
    source = tmp_path / "source"
    for series in range(1, 13):
        write_series(source, range(1, N + 1), series=series, edge=128)
    killed: list[int] = []

    def kill_at_first_volume(pids: list[int]) -> None:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            if list((location / "volumes").glob("raw/*/*")):
                for pid in pids:
                    os.kill(pid, signal.SIGKILL)
                    killed.append(pid)
                return
            time.sleep(0.002)

    with open_cluster(workers=2) as client:
        pids = list(client.run(os.getpid).values())
        killer = threading.Thread(target=kill_at_first_volume, args=(pids,))
        killer.start()
        address = str(client.scheduler.address)
        counts = ingest(str(location), [str(source)], dask_address=address)
        killer.join()
    assert len(killed) == 2
    assert counts["n_ingested"] == 12 * N
    assert_whole(location)
    clean = new_lake(tmp_path / "clean")
    ingest(str(clean), [str(source)], workers=1)
    assert content(location)["volumes"] == content(clean)["volumes"]


class Poison(WorkerPlugin):  # type: ignore[misc]  # distributed has no types
    """Makes a worker die of one series, again after every restart."""

    def setup(self, worker: object) -> None:
        del worker
        work: Any = import_module("flows.work.ingest")
        convert = work.convert_series

        def deadly(group: object, **options: object) -> object:
            if str(getattr(group, "series_instance_uid", "")).endswith(".2"):
                os.kill(os.getpid(), signal.SIGKILL)
            return convert(group, **options)

        work.convert_series = deadly


def test_a_series_that_kills_two_workers_is_quarantined_and_the_others_are_not(
    location: Path, tmp_path: Path
) -> None:
    source = tmp_path / "source"
    for series in range(1, 4):
        write_series(source, range(1, N + 1), series=series)
    with open_cluster(workers=2) as client:
        client.register_plugin(Poison())
        address = str(client.scheduler.address)
        counts = ingest(str(location), [str(source)], dask_address=address)
    assert (counts["n_ingested"], counts["n_quarantined"]) == (2 * N, N)
    assert outcomes(location) == {"ingested": 2 * N, "killed_workers": N}
    assert_whole(location)
