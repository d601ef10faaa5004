"""Whatever is written, pinned, expired and merged: vacuum keeps what a snapshot needs."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import lake
from lake import Lake
from lake.snapshots import pin, pins
from lake.vacuum import compact, expire, vacuum
from lake.verify import verify
from lake.volumes import stores, write_raw
from schemas.geometry import Geometry
from schemas.records import Row
from schemas.volume import RawVolume

GRID = Geometry((2, 2, 2), np.eye(4))
NOW = timedelta(0)


def _volume(value: int) -> RawVolume:
    stored = np.full(GRID.shape, value, np.int16)
    return RawVolume(stored, np.ones(2), np.zeros(2), GRID, "HU")


def _publish(lk: Lake, series: int, value: int) -> None:
    row: Row = write_raw(lk.volumes_root, str(series), _volume(value))
    scope = ["series_instance_uid", "zone"]
    lk.commit(lambda tx: tx.replace("volumes", [row], scope=scope), message="volume")


def _withdraw(lk: Lake, series: int, _: int) -> None:
    lk.commit(
        lambda tx: tx.delete("volumes", {"series_instance_uid": [str(series)]}), message="gone"
    )


def _orphan(lk: Lake, series: int, value: int) -> None:
    write_raw(lk.volumes_root, str(series), _volume(1000 + value))


def _pin(lk: Lake, *_: int) -> None:
    name = f"at-{lk.snapshot}"
    if name not in {p.name for p in pins(lk)}:
        pin(lk, name)


STEPS: dict[str, Callable[[Lake, int, int], object]] = {
    "publish": _publish,
    "withdraw": _withdraw,
    "orphan": _orphan,
    "pin": _pin,
    "expire": lambda lk, *_: expire(lk, older_than=NOW),
    "compact": lambda lk, *_: compact(lk),
    "vacuum": lambda lk, *_: vacuum(lk, grace=NOW),
}


def _seen(lk: Lake) -> dict[int, list[object]]:
    """Volumes that each snapshot shows."""
    shown: dict[int, list[object]] = {}
    for snapshot in lk.snapshots():
        if snapshot.snapshot_id > 0:
            with lk.at(snapshot.snapshot_id) as old:
                rows = old.sql("SELECT volume_path FROM volumes ORDER BY 1").fetchall()
            shown[snapshot.snapshot_id] = [path for (path,) in rows]
    return shown


@given(
    steps=st.lists(
        st.tuples(st.sampled_from(sorted(STEPS)), st.integers(0, 2), st.integers(0, 2)),
        min_size=3,
        max_size=9,
    )
)
@settings(max_examples=8, deadline=None)
def test_vacuum_never_removes_what_a_snapshot_shows(steps: list[tuple[str, int, int]]) -> None:
    with tempfile.TemporaryDirectory() as folder, lake.create(Path(folder) / "lake") as lk:
        for name, series, value in [("publish", 0, 0), *steps]:
            STEPS[name](lk, series, value)
        before = _seen(lk)
        pinned = {p.snapshot_id for p in pins(lk)}
        vacuum(lk, grace=NOW)
        assert _seen(lk) == before
        assert pinned <= set(before)
        on_disk = {path for path, _, _ in stores.list_volumes(lk.volumes_root)}
        needed = {str(path) for paths in before.values() for path in paths}
        assert needed <= on_disk
        if "compact" not in {name for name, _, _ in steps}:  # merged files may keep a little more
            assert on_disk == needed
        assert verify(lk) == []
        expire(lk, older_than=NOW)
        vacuum(lk, grace=NOW)
        assert verify(lk) == []
        assert {s: before[s] for s in pinned} == {s: _seen(lk)[s] for s in pinned}
