"""How Prefect is set up when nothing is configured: local, quiet, no telemetry."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

#: Environment defaults for an embedded Prefect; whatever the user has set wins.
EMBEDDED_DEFAULTS: Final[dict[str, str]] = {
    # Hospital networks block it, it fails noisily offline, and nobody was asked.
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
    # The flow's own log goes to Prefect; the terminal belongs to the progress bar.
    "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
    "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
    # Dask reports every connection; of a served run only what went wrong is of interest.
    "DASK_LOGGING__DISTRIBUTED": "warning",
    # A loaded laptop needs longer than the default 20 s to start the embedded server.
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
}


#: URL of the server that `flows.serving.local_server` started, for the processes below it.
OWN_SERVER: Final = "TRACERLAKE_OWN_PREFECT_SERVER"
_HEARTBEAT: Final = "PREFECT_FLOWS_HEARTBEAT_FREQUENCY"


def embed_prefect() -> None:
    """Set the defaults of an embedded Prefect; call before prefect is imported."""
    for name, value in EMBEDDED_DEFAULTS.items():
        os.environ.setdefault(name, value)


@contextmanager
def heartbeat_if_watched() -> Iterator[None]:
    """Let flows called inside the block send heartbeats only to a server that somebody runs.

    A heartbeat tells a watching server when a flow's process has died. A server of ours ends with
    the command, and nobody has told it what to do then; but a flow waits up to a second for the end
    of its heartbeat, which is as long as a whole run takes in which nothing is new. What the user
    has set wins.
    """
    from prefect.context import SettingsContext, get_settings_context

    context = get_settings_context()
    settings = context.settings
    url = settings.api.url
    if _HEARTBEAT in os.environ or (url and url != os.environ.get(OWN_SERVER)):
        yield
        return
    # Copied, not built anew as `temporary_settings` does, which takes a tenth of a second.
    flows = settings.flows.model_copy(update={"heartbeat_frequency": None})
    without = settings.model_copy(update={"flows": flows})
    with SettingsContext(profile=context.profile, settings=without):
        yield
