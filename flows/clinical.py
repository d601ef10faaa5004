"""Flow `ingest_clinical`: eCRF and FHIR files to pseudonymised clinical tables."""

from __future__ import annotations
