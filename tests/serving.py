"""`tracerlake serve` as a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ServeProcess:
    """A running `tracerlake serve` and where its output goes."""

    process: subprocess.Popen[bytes]
    log: Path

    def assert_alive(self) -> None:
        """Fail with the end of its output if it has ended."""
        assert self.process.poll() is None, self.tail()

    def tail(self) -> str:
        """End of its output."""
        return self.log.read_text()[-3000:]


@contextmanager
def serving(location: Path, tmp_path: Path, *options: str) -> Iterator[ServeProcess]:
    """Run `tracerlake serve` on a lake, with a Prefect of its own; ended as by Ctrl-C."""
    command = [sys.executable, "-m", "flows.cli.main", "serve", str(location), *options]
    environment = {k: v for k, v in os.environ.items() if k != "PREFECT_API_URL"}
    environment["PREFECT_HOME"] = str(tmp_path / "prefect")
    log = tmp_path / "serve.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, stdout=out, stderr=out, env=environment, start_new_session=True
        )
    try:
        yield ServeProcess(process, log)
    finally:
        os.killpg(process.pid, signal.SIGINT)
        try:
            process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
