"""Clinical data (eCRF exports, FHIR) to pseudonymised rows in canonical units."""

from __future__ import annotations

from tasks.clinical.batch import ClinicalBatch, RejectedRecord
from tasks.clinical.fhir import read_fhir_ndjson
from tasks.clinical.mapping import (
    FhirMapping,
    RedcapMapping,
    default_fhir_mapping,
    default_redcap_mapping,
    load_mapping,
)
from tasks.clinical.redcap import read_redcap_csv

__all__ = [
    "ClinicalBatch",
    "FhirMapping",
    "RedcapMapping",
    "RejectedRecord",
    "default_fhir_mapping",
    "default_redcap_mapping",
    "load_mapping",
    "read_fhir_ndjson",
    "read_redcap_csv",
]
