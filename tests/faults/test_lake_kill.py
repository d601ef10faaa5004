"""A writer that is killed leaves a lake that is whole, and that running again completes."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

import lake
from lake.vacuum import vacuum
from lake.verify import verify
from tests.support.lake_writers import write_series

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("delay_s", [0.0, 0.05])
def test_killed_and_run_again_equals_never_killed(tmp_path: Path, delay_s: float) -> None:
    lake.create(tmp_path / "lake").close()
    writer = subprocess.Popen(
        [sys.executable, "-m", "tests.support.lake_writers", "endless", str(tmp_path / "lake")],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert writer.stdout is not None
    with writer.stdout as lines:
        for line in lines:
            if line.strip() == "0":
                break
        try:
            writer.wait(delay_s)
        except subprocess.TimeoutExpired:
            writer.kill()  # somewhere between writing a volume and committing its row
    writer.wait()
    with lake.open(tmp_path / "lake") as killed, lake.create(tmp_path / "clean") as clean:
        present = killed.sql("SELECT count(*) FROM series").fetchone()
        assert present is not None
        assert present[0] >= 1
        assert present == killed.sql("SELECT count(*) FROM volumes").fetchone()
        kinds = {p.kind for p in verify(killed)}
        assert kinds <= {"orphan_volume", "unfinished_volume", "orphan_file"}
        for number in range(present[0] + 1):
            write_series(killed, number)
            write_series(clean, number)
        assert killed.content_digest() == clean.content_digest()
        vacuum(killed, grace=timedelta(0))
        assert verify(killed) == []
