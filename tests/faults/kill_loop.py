"""Kill ingestion again and again at random moments, then once let it end: is the lake whole?

``python -m tests.faults.kill_loop LAKE SOURCE --kills 20 --seed 1`` prints when each run died. The
test of the same name does a few rounds; run this for as long as you like.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

#: Moments that are hard to hit by chance: the first file that matches ends the run.
INSIDE = {
    "a volume is being written": "volumes/raw/*/*.unfinished-*",
    "volumes are there, rows are not": "volumes/raw/*/*.zarr",
    "inside the transaction, first table": "tables/main/files/*.parquet",
    "inside the transaction, last table": "tables/main/volumes/*.parquet",
}


def command(location: Path, source: Path) -> list[str]:
    """Command line of one run."""
    return [
        sys.executable, "-m", "flows.cli.main", "ingest", str(location), str(source),
        "--workers", "1",
    ]  # fmt: skip


def kill_when(location: Path, source: Path, pattern: str) -> bool:
    """Start a run and kill all its processes when a new file matches; False if it ended first."""
    before = set(location.glob(pattern))
    process = _started(location, source)
    while process.poll() is None:
        if set(location.glob(pattern)) - before:
            return _kill(process)
        time.sleep(0.001)
    return False


def kill_after(location: Path, source: Path, seconds: float) -> bool:
    """Start a run and kill all its processes so long after it made its first file."""
    before = set(location.rglob("*.parquet"))
    process = _started(location, source)
    while process.poll() is None and not set(location.rglob("*.parquet")) - before:
        time.sleep(0.001)
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return _kill(process)
    return False


def _started(location: Path, source: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command(location, source),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _kill(process: subprocess.Popen[bytes]) -> bool:
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    return True


def main() -> None:
    """Kill, run once more, verify."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.kill_loop", description=__doc__)
    parser.add_argument("lake", type=Path)
    parser.add_argument("source", type=Path)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--longest-s", type=float, default=8.0)
    options = parser.parse_args()
    rng = random.Random(options.seed)
    for number in range(options.kills):
        if number % 3 == 0:
            moment, pattern = rng.choice(sorted(INSIDE.items()))
            died = kill_when(options.lake, options.source, pattern)
        else:
            seconds = rng.uniform(0, options.longest_s)
            moment = f"{seconds:.2f} s after its first file"
            died = kill_after(options.lake, options.source, seconds)
        print(f"run {number}: {'killed' if died else 'ended before'}: {moment}", flush=True)
    subprocess.run(command(options.lake, options.source), check=True)

    from tests.support.taking import assert_whole, content, outcomes

    assert_whole(options.lake)
    print(outcomes(options.lake))
    for table, digest in content(options.lake).items():
        print(table, digest)


if __name__ == "__main__":
    main()
