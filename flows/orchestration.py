"""How Prefect is set up when nothing is configured: local, quiet, no telemetry."""

from __future__ import annotations

import os
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


def embed_prefect() -> None:
    """Set the defaults of an embedded Prefect; call before prefect is imported."""
    for name, value in EMBEDDED_DEFAULTS.items():
        os.environ.setdefault(name, value)
