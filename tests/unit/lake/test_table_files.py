"""Digests of table files, orphans among them, and what keeps a lake small."""

from __future__ import annotations

import os
import time
from datetime import timedelta
from pathlib import Path

import numpy as np

import lake
from lake import Lake
from lake.maintenance import maintain
from lake.snapshots import pin
from lake.table_files import live_volumes, record_digests, table_files
from lake.vacuum import compact, expire, vacuum
from lake.verify import verify
from schemas.records import Row


def files(lk: Lake, *keys: str, size: int = 0) -> None:
    rows: list[Row] = [{"file_key": k, "outcome": "ingested", "size_bytes": size} for k in keys]
    lk.commit(lambda tx: tx.replace("files", rows, scope=["file_key"]), message="files")


def volumes(lk: Lake, series: str, *paths: str) -> None:
    """Rows that name volumes; there are none on disk."""
    rows: list[Row] = [
        {"volume_id": p, "series_instance_uid": series, "zone": "raw", "volume_path": p}
        for p in paths
    ]
    scope = ["series_instance_uid", "zone"]
    lk.commit(lambda tx: tx.replace("volumes", rows, scope=scope), message="volumes")


def parquet(lk: Lake, table: str) -> list[Path]:
    return sorted((lk.location / "tables" / "main" / table).glob("*.parquet"))


def problems(lk: Lake) -> list[tuple[str, str]]:
    return [(p.kind, Path(p.subject).name) for p in verify(lk)]


def flip(path: Path, offset: int) -> None:
    """Change one bit; size and time stay."""
    status = path.stat()
    data = bytearray(path.read_bytes())
    data[offset] ^= 1
    path.write_bytes(bytes(data))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def test_every_file_of_every_snapshot_is_listed_with_the_catalogs_size(lk: Lake) -> None:
    for number in range(3):
        files(lk, "same", f"k{number}", size=number)
    found = [f for f in table_files(lk) if f.table == "files"]
    assert {Path(f.path) for f in found} == set(parquet(lk, "files"))
    assert all(Path(f.path).stat().st_size == f.size_bytes for f in found)
    data = [f for f in found if f.deletes_from is None]
    assert [f.n_rows for f in data] == [2, 2, 2]
    # "same" was deleted from the first two files; each list of deleted rows names its data file
    deletes = [f.deletes_from for f in found if f.deletes_from is not None]
    assert sorted(deletes) == sorted(f.file_id for f in data)[:2]


def test_one_flipped_bit_in_a_table_file_is_found(lk: Lake) -> None:
    files(lk, "ab", "cd")
    assert record_digests(lk) == len(table_files(lk))
    assert record_digests(lk) == 0
    assert verify(lk) == []
    (path,) = parquet(lk, "files")
    flip(path, path.read_bytes().index(b"ab"))
    assert problems(lk) == [("damaged_file", path.name)]
    assert verify(lk, deep=False) == []


def test_a_file_without_digest_is_read_to_its_end(lk: Lake) -> None:
    files(lk, *(f"key-{n}" for n in range(2000)))
    (path,) = parquet(lk, "files")
    assert verify(lk) == []
    path.write_bytes(path.read_bytes()[:200] + bytes(path.stat().st_size - 200))
    assert problems(lk) == [("damaged_file", path.name)]


def test_lost_and_cut_files_are_named_and_the_rest_is_looked_at(lk: Lake) -> None:
    files(lk, "a")
    volumes(lk, "1", "raw/1/a.zarr")
    cut, lost = parquet(lk, "files")[0], parquet(lk, "volumes")[0]
    cut.write_bytes(cut.read_bytes()[:-1])
    lost.unlink()
    found = problems(lk)
    assert {("wrong_size", cut.name), ("missing_file", lost.name)} <= set(found)
    assert ("unreadable_table", "volumes") in found


def test_a_file_that_no_snapshot_knows_is_an_orphan_until_vacuum(lk: Lake) -> None:
    files(lk, "a")
    orphan = parquet(lk, "files")[0].with_name("ducklake-00000000-orphan.parquet")
    orphan.write_bytes(parquet(lk, "files")[0].read_bytes())
    assert problems(lk) == [("orphan_file", orphan.name)]
    vacuum(lk, grace=timedelta(hours=24))
    assert orphan.exists()
    vacuum(lk, grace=timedelta(0))
    assert not orphan.exists()
    assert verify(lk) == []


def test_volumes_of_any_snapshot_are_live_and_of_expired_ones_not(lk: Lake) -> None:
    volumes(lk, "1", "raw/1/a.zarr")
    volumes(lk, "2", "raw/2/a.zarr")
    pinned = lk.snapshot
    volumes(lk, "1", "raw/1/b.zarr")
    volumes(lk, "1", "raw/1/c.zarr")
    every = {"raw/1/a.zarr", "raw/1/b.zarr", "raw/1/c.zarr", "raw/2/a.zarr"}
    assert live_volumes(lk) == every
    pin(lk, "paper", pinned)
    expire(lk, older_than=timedelta(0))
    assert live_volumes(lk) == every - {"raw/1/b.zarr"}
    compact(lk)
    assert live_volumes(lk) >= every - {"raw/1/b.zarr"}


def test_maintenance_expires_by_age_and_spares_what_is_pinned(tmp_path: Path) -> None:
    settings = {"maintenance": {"expire_after_days": 0.0}}
    with lake.create(tmp_path / "lake", settings=settings) as lk:
        for number in range(4):
            files(lk, "same", f"k{number}", size=number)
        middle = lk.snapshots()[-2].snapshot_id
        pin(lk, "paper", middle)
        with lk.at(middle) as old:
            then = sorted(old.sql("FROM files").fetchall())
        now = sorted(lk.sql("FROM files").fetchall())
        done = maintain(lk, grace=timedelta(0))
        assert done.n_expired > 0
        assert done.n_compacted > 0
        assert sorted(lk.sql("FROM files").fetchall()) == now
        with lk.at(middle) as old:
            assert sorted(old.sql("FROM files").fetchall()) == then
        assert all(f.sha256 for f in table_files(lk))
        assert verify(lk) == []


def test_snapshots_are_kept_for_90_days(lk: Lake) -> None:
    files(lk, "a")
    before = {s.snapshot_id for s in lk.snapshots()}
    assert maintain(lk).n_expired == 0
    assert before <= {s.snapshot_id for s in lk.snapshots()}


def test_finding_live_volumes_does_not_ask_each_snapshot(lk: Lake) -> None:
    """Ten times the snapshots without volumes must not take ten times as long."""
    volumes(lk, "1", "raw/1/a.zarr")

    def seconds() -> float:
        took = []
        for _ in range(5):
            start = time.perf_counter()
            assert live_volumes(lk) == {"raw/1/a.zarr"}
            took.append(time.perf_counter() - start)
        return float(np.median(took))

    few = seconds()
    for number in range(20):
        files(lk, f"k{number}")
    assert seconds() < 3 * few + 0.05
