"""Prefect stores names of sources, never paths."""

from __future__ import annotations

from typing import Any

import pytest

from flows.clinical import ingest_clinical
from flows.ingest import ingest
from flows.nightly import nightly


@pytest.mark.parametrize("flow", [ingest, nightly, ingest_clinical])
def test_paths_are_hidden(flow: Any) -> None:
    stored = flow.serialize_parameters(
        {
            "location": "/lake", "workers": 2, "sources": ["pacs", "/data/Doe, Jane", "Doe.zip"],
            "redcap": ["/data/Doe.csv"], "fhir": None, "fhir_mapping": "/data/Doe.toml",
        }
    )  # fmt: skip
    assert stored == {
        "location": "/lake", "workers": 2, "sources": ["pacs", "<path>", "<path>"],
        "redcap": ["<path>"], "fhir": None, "fhir_mapping": "<path>",
    }  # fmt: skip
