"""A receiver that is killed: what it acknowledged is whole on disk, and the spool goes on."""

from __future__ import annotations

import io
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread
from pynetdicom import AE

from tasks.sources import open_source, read_object
from tests.instances import ct_instance

pytestmark = pytest.mark.services


def _start(spool: Path) -> tuple[subprocess.Popen[str], int]:
    """Start the command; its first line says the port."""
    command = [sys.executable, "-m", "flows.cli.main", "receive", str(spool), "--port", "0"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    line = process.stderr.readline()
    return process, int(line.split("127.0.0.1:")[1].split()[0])


def _associated(port: int) -> Any:
    entity = AE("SCANNER")
    entity.dimse_timeout = 10
    entity.add_requested_context("1.2.840.10008.5.1.4.1.1.2")
    association = entity.associate("127.0.0.1", port, ae_title="TRACERLAKE")
    assert association.is_established
    return association


def test_what_was_acknowledged_survives_kill_9(tmp_path: Path) -> None:
    process, port = _start(tmp_path / "spool")
    try:
        association = _associated(port)
        acknowledged = []
        for number in range(8):
            data = dcmread(io.BytesIO(ct_instance(1, 1, number, edge=64)))
            if association.send_c_store(data).get("Status") == 0:
                acknowledged.append(str(data.SOPInstanceUID))
        association.abort()
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()
    assert len(acknowledged) == 8
    assert _kept(tmp_path / "spool") == acknowledged

    process, port = _start(tmp_path / "spool")
    try:
        association = _associated(port)
        association.send_c_store(dcmread(io.BytesIO(ct_instance(1, 1, 9))))
        association.release()
    finally:
        process.terminate()
        _, said = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "1 objects taken" in said
    assert "2.25" not in said
    assert _kept(tmp_path / "spool") == [*acknowledged, "2.25.91.1.9"]


def _kept(spool: Path) -> list[str]:
    read = [read_object(r.uri, max_bytes=100_000) for r in open_source(spool).objects()]
    found = [dcmread(io.BytesIO(data)) for data in read]
    assert all(len(data_set.PixelData) in {32, 8192} for data_set in found)
    return sorted(str(data_set.SOPInstanceUID) for data_set in found)
