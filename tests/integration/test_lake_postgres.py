"""Several processes on one lake: nothing is lost, nothing is doubled, readers never wait."""

from __future__ import annotations

import fcntl
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import lake
from lake import Lake
from schemas.errors import ConflictError, StorageError
from tests.postgres import postgres_server

ROOT = Path(__file__).resolve().parents[2]
WRITERS, TIMES = 2, 4


@pytest.fixture(scope="module")
def postgres_url() -> Iterator[str]:
    with postgres_server() as url:
        yield url


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.services)])
def lk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Lake]:
    url = request.getfixturevalue("postgres_url") if request.param == "postgres" else None
    with lake.create(tmp_path / "lake", catalog=url) as made:
        yield made


def test_processes_take_turns(lk: Lake) -> None:
    writers = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.support.lake_writers", "counter", str(lk.location),
             f"w{number}", str(TIMES)],
            cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        )
        for number in range(WRITERS)
    ]  # fmt: skip
    seen = [0]
    while any(writer.poll() is None for writer in writers):
        (count,) = lk.sql("SELECT count(*) FROM files").fetchall()
        seen.append(count[0])
        time.sleep(0.1)
    errors = [writer.communicate()[1] for writer in writers]
    assert [writer.returncode for writer in writers] == [0] * WRITERS, errors
    assert seen == sorted(seen)
    total = WRITERS * TIMES
    rows = lk.sql("SELECT count(*), count(DISTINCT file_key), max(size_bytes) FROM files")
    assert rows.fetchone() == (total + 1, total + 1, total)


def test_a_writer_that_waits_too_long_says_why(tmp_path: Path) -> None:
    settings = {"retry": {"attempts": 2, "lock_timeout_s": 0.05, "first_wait_s": 0.01}}
    with (
        lake.create(tmp_path / "lake", settings=settings) as lk,
        lk.folder.lock_file.open("w") as held,
    ):
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(ConflictError, match="another process has been writing"):
            lk.commit(lambda tx: tx.insert("files", [{"file_key": "a"}]), message="m")
        assert lk.sql("SELECT count(*) FROM files").fetchone() == (0,)
        fcntl.flock(held, fcntl.LOCK_UN)
        lk.commit(lambda tx: tx.insert("files", [{"file_key": "a"}]), message="m")
        assert lk.sql("SELECT count(*) FROM files").fetchone() == (1,)


def test_a_conflict_is_tried_again(tmp_path: Path) -> None:
    calls = []

    def change(tx: lake.Transaction) -> str:
        calls.append(tx.insert("files", [{"file_key": "a"}]))
        if len(calls) < 3:
            raise ConflictError("another writer was in the way")
        return "done"

    with lake.create(tmp_path / "lake", settings={"retry": {"first_wait_s": 0.001}}) as lk:
        before = len(lk.snapshots())
        assert lk.commit(change, message="m") == "done"
        assert (len(calls), len(lk.snapshots())) == (3, before + 1)


def test_a_catalog_that_does_not_answer(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"postgresql://nobody@127\.0\.0\.1:9/none"):
        lake.create(tmp_path / "lake", catalog="postgresql://nobody@127.0.0.1:9/none")
