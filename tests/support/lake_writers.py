"""Programs that write to a lake, run as processes of their own by tests of concurrency and faults.

``python -m tests.support.lake_writers counter LAKE NAME N`` adds N rows, one transaction each, and
counts in a row that all writers share. ``... endless LAKE`` writes volumes and rows until killed.
"""

from __future__ import annotations

import itertools
import sys

import numpy as np

import lake
from lake import Lake, Transaction
from lake.volumes import write_raw
from schemas.geometry import Geometry
from schemas.records import Row
from schemas.volume import RawVolume

GRID = Geometry((16, 64, 64), np.diag([4.0, 4.0, 3.0, 1.0]))


def counted(lk: Lake, name: str, times: int) -> None:
    """Read-modify-write of one row: lost updates and double keys would show."""

    def change(tx: Transaction, number: int) -> None:
        found = tx.sql("SELECT size_bytes FROM files WHERE file_key = 'shared'").to_pylist()
        total = int(found[0]["size_bytes"]) + 1 if found else 1
        row: Row = {"file_key": "shared", "outcome": "ingested", "size_bytes": total}
        tx.replace("files", [row], scope=["file_key"])
        tx.insert("files", [{"file_key": f"{name}-{number}", "outcome": "ingested"}])

    for number in range(times):
        lk.commit(lambda tx, n=number: change(tx, n), message=f"{name} {number}")  # type: ignore[misc]


def volume(number: int) -> RawVolume:
    """Noise that its number alone determines."""
    stored = np.random.default_rng(number).integers(0, 1000, GRID.shape).astype(np.int16)
    lines = np.ones(16), np.zeros(16)
    return RawVolume(stored, *lines, GRID, "Bq/ml")


def write_series(lk: Lake, number: int) -> None:
    """One series: its volume first, then the rows that publish it, in one transaction."""
    uid = f"1.{number}"
    row = write_raw(lk.volumes_root, uid, volume(number))

    def change(tx: Transaction) -> None:
        tx.replace("series", [{"series_instance_uid": uid}], scope=["series_instance_uid"])
        tx.replace("volumes", [row], scope=["series_instance_uid", "zone"])

    lk.commit(change, message=uid)


def main(arguments: list[str]) -> None:
    """Run one of the programs."""
    with lake.open(arguments[1]) as lk:
        print("ready", flush=True)
        if arguments[0] == "counter":
            counted(lk, arguments[2], int(arguments[3]))
            return
        for number in itertools.count():
            write_series(lk, number)
            print(number, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
