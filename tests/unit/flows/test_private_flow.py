"""Prefect stores names of sources, never paths."""

from __future__ import annotations

from typing import Any

import pytest
from prefect.settings import PREFECT_API_URL, get_current_settings, temporary_settings

from flows.clinical import ingest_clinical
from flows.ingest import ingest
from flows.kinetics import kinetics
from flows.nightly import nightly
from flows.orchestration import OWN_SERVER, heartbeat_if_watched


@pytest.mark.parametrize("flow", [ingest, nightly, ingest_clinical, kinetics])
def test_paths_are_hidden(flow: Any) -> None:
    stored = flow.serialize_parameters(
        {
            "location": "/lake", "workers": 2, "sources": ["pacs", "/data/Doe, Jane", "Doe.zip"],
            "redcap": ["/data/Doe.csv"], "fhir": None, "fhir_mapping": "/data/Doe.toml",
            "profile_file": "/data/Doe.toml", "blood_samples": "/data/Doe.csv",
        }
    )  # fmt: skip
    assert stored == {
        "location": "/lake", "workers": 2, "sources": ["pacs", "<path>", "<path>"],
        "redcap": ["<path>"], "fhir": None, "fhir_mapping": "<path>",
        "profile_file": "<path>", "blood_samples": "<path>",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("url", "own", "chosen", "is_sent"),
    [
        (None, None, None, False),  # a server that Prefect starts for this one call
        ("http://127.0.0.1:1/api", "http://127.0.0.1:1/api", None, False),
        ("http://127.0.0.1:1/api", None, None, True),
        ("http://prefect.hospital/api", "http://127.0.0.1:1/api", None, True),
        (None, None, "60", True),
    ],
)
def test_only_a_server_that_somebody_runs_gets_heartbeats(
    url: str | None, own: str | None, chosen: str | None, is_sent: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    for name, value in ((OWN_SERVER, own), ("PREFECT_FLOWS_HEARTBEAT_FREQUENCY", chosen)):
        monkeypatch.delenv(name, raising=False)
        if value is not None:
            monkeypatch.setenv(name, value)
    with temporary_settings({PREFECT_API_URL: url}), heartbeat_if_watched():
        assert (get_current_settings().flows.heartbeat_frequency is not None) is is_sent
