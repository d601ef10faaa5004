"""An Orthanc of our own for tests that need a PACS."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from schemas.sources import Attempts, DicomwebSettings, DimseSettings

#: Where tests put ``user:password``; sources name it as `secret_env`.
SECRET_ENV = "TRACERLAKE_TEST_ORTHANC_SECRET"
_USER, _PASSWORD = "lake", "s3cret"
_PLUGINS = ("/usr/share/orthanc/plugins", "/usr/lib/orthanc/plugins")
_START_TIMEOUT_S = 60
_SERVED = re.compile(r"GET /dicom-web/studies/\S+/instances/([0-9.]+)$|Sending resource")
_QUICK = Attempts(attempts=2, first_wait_s=0.01, timeout_s=30)


@dataclass
class Orthanc:
    """A running server, and how a lake declares it."""

    http_port: int
    dicom_port: int
    own_port: int
    client: httpx.Client = field(repr=False)
    log: Path

    @property
    def url(self) -> str:
        """Base of its DICOMweb service."""
        return f"http://127.0.0.1:{self.http_port}/dicom-web"

    def dicomweb(self, **changes: object) -> DicomwebSettings:
        """Declare it as a DICOMweb source, with small pages."""
        values: dict[str, object] = {
            "kind": "dicomweb", "url": self.url, "auth": "basic", "secret_env": SECRET_ENV,
            "page_size": 2, "retry": _QUICK,
        }  # fmt: skip
        return DicomwebSettings.model_validate(values | changes)

    def dimse(self, **changes: object) -> DimseSettings:
        """Declare it as a DIMSE source."""
        values: dict[str, object] = {
            "kind": "dimse", "host": "127.0.0.1", "port": self.dicom_port, "ae_title": "ORTHANC",
            "own_ae_title": "TRACERLAKE", "own_host": "127.0.0.1", "own_port": self.own_port,
            "retry": _QUICK,
        }  # fmt: skip
        return DimseSettings.model_validate(values | changes)

    def store(self, data: bytes) -> None:
        """Store an object."""
        answer = self.client.post("/instances", content=data)
        assert answer.status_code == 200, answer.text

    def clear(self) -> None:
        """Remove all patients."""
        for patient in self.client.get("/patients").json():
            self.client.delete(f"/patients/{patient}").raise_for_status()

    @contextmanager
    def delivering_to(self, port: int) -> Iterator[None]:
        """Send what is moved to us to another port for a while."""
        try:
            self._deliver_to(port)
            yield
        finally:
            self._deliver_to(self.own_port)

    def _deliver_to(self, port: int) -> None:
        peer = {"AET": "TRACERLAKE", "Host": "127.0.0.1", "Port": port}
        self.client.put("/modalities/lake", json=peer).raise_for_status()

    def served(self) -> list[str]:
        """What has been fetched so far: SOP Instance UIDs (WADO-RS), ``series`` (C-MOVE)."""
        lines = self.log.read_text(errors="replace").splitlines()
        found = (_SERVED.search(line) for line in lines)
        return [match[1] or "series" for match in found if match]

    def remove_instance(self, sop_instance_uid: str) -> None:
        """Remove one instance."""
        found = self.client.post("/tools/lookup", content=sop_instance_uid).json()
        for entry in found:
            if entry["Type"] == "Instance":
                self.client.delete(entry["Path"]).raise_for_status()


@contextmanager
def orthanc_server() -> Iterator[Orthanc]:
    """Start a private server on free loopback ports; skips where there is none, fails in CI."""
    program, plugin = _installed()
    folder = Path(tempfile.mkdtemp(prefix="tracerlake-orthanc-"))
    http_port, dicom_port, own_port = _free_ports(3)
    config = folder / "orthanc.json"
    config.write_text(json.dumps(_configuration(folder, plugin, http_port, dicom_port, own_port)))
    os.environ[SECRET_ENV] = f"{_USER}:{_PASSWORD}"  # workers inherit it
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(
            [program, "--verbose", str(config)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=folder,
        )
    base = f"http://127.0.0.1:{http_port}"
    try:
        with httpx.Client(base_url=base, auth=(_USER, _PASSWORD), trust_env=False) as client:
            _await(process, client, folder / "log")
            yield Orthanc(http_port, dicom_port, own_port, client, folder / "log")
    finally:
        process.kill()  # a graceful end takes seconds, and nothing is to be kept
        process.wait()
        os.environ.pop(SECRET_ENV, None)
        shutil.rmtree(folder, ignore_errors=True)


def _installed() -> tuple[str, str]:
    program = shutil.which("Orthanc") or shutil.which("Orthanc", path="/usr/sbin")
    plugins = [p for d in _PLUGINS for p in sorted(Path(d).glob("libOrthancDicomWeb.so*"))]
    if program is None or not plugins:
        message = "no Orthanc with DICOMweb here; install the packages orthanc, orthanc-dicomweb"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return program, str(plugins[0])


def _configuration(
    folder: Path, plugin: str, http_port: int, dicom_port: int, own_port: int
) -> dict[str, object]:
    return {
        "Name": "tests",
        "StorageDirectory": str(folder / "storage"),
        "IndexDirectory": str(folder / "storage"),
        "HttpPort": http_port,
        "DicomPort": dicom_port,
        "DicomAet": "ORTHANC",
        "DicomAlwaysAllowFind": True,
        "DicomAlwaysAllowMove": True,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": True,
        "RegisteredUsers": {_USER: _PASSWORD},
        "DicomModalities": {"lake": ["TRACERLAKE", "127.0.0.1", own_port]},
        "Plugins": [plugin],
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
        "OverwriteInstances": True,
        "StableAge": 1,
    }


def _free_ports(n: int) -> list[int]:
    probes = [socket.socket() for _ in range(n)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]
    finally:
        for probe in probes:
            probe.close()


def _await(process: subprocess.Popen[bytes], client: httpx.Client, log: Path) -> None:
    deadline = time.monotonic() + _START_TIMEOUT_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            pytest.fail(f"Orthanc ended at once: {log.read_text(errors='replace')[-1000:]}")
        try:
            if client.get("/system").status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    pytest.fail("Orthanc did not answer")
