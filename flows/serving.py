"""The nightly flow on a schedule: on the configured Prefect server, or on one started here."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import IO, Final

from flows.orchestration import OWN_SERVER
from schemas.errors import InvalidInputError, TracerlakeError

_PREFERRED_PORT: Final = 4200
_START_TIMEOUT_S: Final = 180.0


class PrefectServerError(TracerlakeError, RuntimeError):
    """The local Prefect server did not start."""

    kind = "prefect_server"


def serve_nightly(
    parameters: Mapping[str, object],
    *,
    cron: str,
    timezone: str | None,
    say: Callable[[str], None],
) -> None:
    """Deploy the nightly flow with a schedule and run it when due, until interrupted.

    Two runs never overlap: a run that is still going when the next is due makes it wait.

    Parameters
    ----------
    parameters : mapping
        Of `flows.nightly.nightly`.
    cron : str
        Five fields, such as ``0 2 * * *``.
    timezone : str or None
        IANA name; None: this machine's.
    say : callable
        Told where the server is.

    Raises
    ------
    InvalidInputError
        `cron` or `timezone` is not understood.
    PrefectServerError
        No server is configured and none could be started.
    """
    # Served runs have no progress bar; their log is what the operator reads.
    os.environ["PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL"] = "INFO"
    from prefect.schedules import Cron
    from prefect.types.entrypoint import EntrypointType

    from flows.nightly import nightly

    try:
        schedule = Cron(cron, timezone=timezone or _local_timezone())
    except ValueError as error:
        raise InvalidInputError(f"--cron {cron!r} or --timezone {timezone!r}: {error}") from error
    with _server(say):
        nightly.serve(
            name=f"nightly-{_lake_id(str(parameters['location']))}",
            schedule=schedule,
            parameters=dict(parameters),
            limit=1,
            entrypoint_type=EntrypointType.MODULE_PATH,
        )


def _lake_id(location: str) -> str:
    import lake

    with lake.open(location, read_only=True) as lk:
        return lk.settings.lake_id


def _local_timezone() -> str:
    from tzlocal import get_localzone_name

    return str(get_localzone_name())


@contextmanager
def _server(say: Callable[[str], None]) -> Iterator[None]:
    """Use the configured Prefect API, or start a server on loopback for the time being."""
    from prefect.settings import get_current_settings

    configured = get_current_settings().api.url
    if configured:
        say(f"Prefect server: {configured}")
        yield
        return
    with local_server() as url:
        say(f"Prefect server started: {url.removesuffix('/api')} (ends with this command)")
        yield


@contextmanager
def local_server() -> Iterator[str]:
    """Start a Prefect server on loopback; this process and its children use it inside the block.

    Yields
    ------
    str
        Its API URL.

    Raises
    ------
    PrefectServerError
        It does not start.
    """
    from prefect.settings import PREFECT_API_URL, temporary_settings

    port = _free_port()
    url = f"http://127.0.0.1:{port}/api"
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1"]
    # Into a file, not a pipe: a pipe that nobody empties would stop the server in the end.
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen([*command, "--port", str(port)], stdout=log, stderr=log)
        with _stopping(process):
            _await_health(process, url, log)
            # Flow runs are processes of their own.
            os.environ["PREFECT_API_URL"] = os.environ[OWN_SERVER] = url
            with temporary_settings({PREFECT_API_URL: url}):
                yield url


@contextmanager
def _stopping(process: subprocess.Popen[bytes]) -> Iterator[None]:
    try:
        yield
    finally:
        os.environ.pop("PREFECT_API_URL", None)
        os.environ.pop(OWN_SERVER, None)
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _free_port() -> int:
    """Prefect's own port if it is free, otherwise any."""
    for port in (_PREFERRED_PORT, 0):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise PrefectServerError("no free port on loopback for the Prefect server")


def _await_health(process: subprocess.Popen[bytes], url: str, log: IO[bytes]) -> None:
    deadline = time.monotonic() + _START_TIMEOUT_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            log.seek(0)
            text = log.read().decode(errors="replace")
            raise PrefectServerError(f"the local Prefect server ended at once: {text[-500:]}")
        try:
            with urllib.request.urlopen(f"{url}/health", timeout=2):  # noqa: S310  loopback http
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.5)
    raise PrefectServerError(
        f"the local Prefect server did not answer within {_START_TIMEOUT_S:.0f} s; start one with "
        "`prefect server start` and set PREFECT_API_URL"
    )
