"""A PostgreSQL server of our own for tests that need one."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def postgres_server() -> Iterator[str]:
    """URL of a private server on a free loopback port; skips where there is none, fails in CI.

    ``TRACERLAKE_TEST_POSTGRES`` may name a running server instead.
    """
    given = os.environ.get("TRACERLAKE_TEST_POSTGRES")
    if given:
        yield given
        return
    initdb = _initdb()
    folder = Path(tempfile.mkdtemp(prefix="tracerlake-postgres-"))
    account = _account(folder)
    port = _free_port()
    data, control = str(folder / "data"), str(Path(initdb).with_name("pg_ctl"))
    options = (
        f"-c listen_addresses=127.0.0.1 -p {port} -c unix_socket_directories={folder} -c fsync=off"
    )
    start = ["-w", "-l", str(folder / "server.log"), "-o", options, "start"]
    try:
        _call(
            folder, account, initdb, "-D", data, "-U", "lake", "--auth=trust", "-E", "UTF8",
            "--no-sync",
        )  # fmt: skip
        _call(folder, account, control, "-D", data, *start)
        try:
            yield f"postgresql://lake@127.0.0.1:{port}/postgres"
        finally:
            _call(folder, account, control, "-D", data, "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _initdb() -> str:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    initdb = shutil.which("initdb") or (str(found[-1]) if found else None)
    if initdb is None:
        message = "no PostgreSQL here (initdb not found); install the package 'postgresql'"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return initdb


def _account(folder: Path) -> Mapping[str, int]:
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")  # PostgreSQL refuses to run as root
    os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    return {"user": nobody.pw_uid, "group": nobody.pw_gid}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _call(folder: Path, account: Mapping[str, int], *arguments: str) -> None:
    # no pipes: the server would keep them open, and a reader would wait for it forever
    with (folder / "calls.log").open("ab") as log:
        subprocess.run(
            arguments,
            check=True,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            extra_groups=[] if account else None,
            user=account.get("user"),
            group=account.get("group"),
        )
