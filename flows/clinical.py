"""Flow `ingest_clinical`: eCRF and FHIR files to pseudonymised clinical tables."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from prefect import get_run_logger
from prefect.runtime import flow_run

import lake
from flows.identities import pseudonymiser, remember
from flows.private_flow import private_flow
from flows.progress import stage
from flows.protocol_checks import renew_checks
from flows.runs import RunLog, author, run_record
from schemas.reasons import REASONS
from schemas.records import Row
from tasks.clinical.batch import ClinicalBatch, RejectedRecord
from tasks.clinical.fhir import read_fhir_ndjson
from tasks.clinical.mapping import FhirMapping, RedcapMapping, load_mapping
from tasks.clinical.redcap import read_redcap_csv
from tasks.findings.row import finding_row

#: Rows with the same values in these columns are replaced as a whole.
_SCOPES: Final = {
    "patients": ("patient_key",),
    "clinical_items": ("record_key",),
    "consents": ("record_key",),
}


@private_flow("ingest_clinical")
def ingest_clinical(
    location: str,
    *,
    redcap: list[str] | None = None,
    fhir: list[str] | None = None,
    redcap_mapping: str | None = None,
    fhir_mapping: str | None = None,
) -> dict[str, int]:
    """Take clinical values and consents into the lake; what is unchanged is left alone.

    Parameters
    ----------
    location : str
        The lake.
    redcap, fhir : list of str or None
        REDCap CSV exports and FHIR NDJSON files.
    redcap_mapping, fhir_mapping : str or None
        TOML files that say which column or code is which item; None: those of the simulator.

    Returns
    -------
    dict
        ``n_files``: records read; ``n_quarantined``: values or records refused (in `findings`);
        ``n_written``: rows that are new or changed.
    """
    with (
        lake.open(location) as lk,
        run_record(lk, "ingest_clinical", {}, prefect_id=str(flow_run.id)) as log,
    ):
        pseudonyms = pseudonymiser(lk.settings, lk.keys())
        redcap_map = load_mapping(Path(redcap_mapping), RedcapMapping) if redcap_mapping else None
        fhir_map = load_mapping(Path(fhir_mapping), FhirMapping) if fhir_mapping else None
        with stage("clinical", len(redcap or []) + bool(fhir)) as progress:
            batches = []
            for path in redcap or []:
                batches.append(read_redcap_csv(Path(path), redcap_map, pseudonyms))
                progress.advance("clinical")
            if fhir:  # all files at once: references go from one to another
                batches.append(read_fhir_ndjson([Path(p) for p in fhir], fhir_map, pseudonyms))
                progress.advance("clinical")
        if lk.settings.deidentify:
            remember(lk.keys(), [i for batch in batches for i in batch.identities])
        _publish(lk, log, batches)
        renew_checks(lk, log)
        get_run_logger().info("%d clinical records", log.counts["n_files"])
        return {k: log.counts[k] for k in ("n_files", "n_quarantined", "n_written")}


def _publish(lk: lake.Lake, log: RunLog, batches: list[ClinicalBatch]) -> None:
    log.count("n_files", sum(b.n_records for b in batches))
    log.count("n_quarantined", sum(len(b.rejected) for b in batches))
    tables = _tables(batches)
    findings: dict[str, list[Row]] = defaultdict(list)
    for batch in batches:
        source = f"clinical data: {batch.source_system}"
        findings[source] += _findings(batch, source)

    def write(tx: lake.Transaction) -> int:
        written = 0
        for table, rows in tables.items():
            if rows:
                written += tx.replace(table, log.stamp(rows), scope=_SCOPES[table])
        for source, rows in findings.items():
            if rows:
                tx.replace("findings", log.stamp(rows), scope=("finding_source",))
            else:
                tx.delete("findings", {"finding_source": [source]})
        return written

    written = lk.commit(write, message=log.message("clinical data"), author=author())
    log.count("n_written", written)


def _tables(batches: Iterable[ClinicalBatch]) -> dict[str, list[Row]]:
    """Rows of all sources; of a patient known to several, the first source's row, completed."""
    tables: dict[str, list[Row]] = {table: [] for table in _SCOPES}
    patients: dict[object, Row] = {}
    for batch in batches:
        for row in batch.rows.get("patients", []):
            known = patients.setdefault(row["patient_key"], dict(row))
            for column, value in row.items():
                if known.get(column) is None:
                    known[column] = value
        for table in ("clinical_items", "consents"):
            tables[table].extend(batch.rows.get(table, []))
    tables["patients"] = list(patients.values())
    return tables


def _findings(batch: ClinicalBatch, source: str) -> list[Row]:
    """Refused values, one finding each; what nobody asked for, one finding per name."""
    refused = [_refusal(record, source) for record in batch.rejected]
    unknown = [
        finding_row(
            rule_id="CLIN-UNKNOWN",
            severity="info",
            subject_kind="source",
            subject_id=batch.source_system,
            message=f"{name} is in the data but in no mapping",
            observed_value=float(n),
            finding_source=source,
        )
        for name, n in batch.unknown.items()
    ]
    return list({str(row["finding_id"]): row for row in [*refused, *unknown]}.values())


def _refusal(record: RejectedRecord, source: str) -> Row:
    sentence = REASONS[record.reason_code]
    return finding_row(
        rule_id="CLIN-REFUSED",
        severity="warn",
        subject_kind="record",
        subject_id=record.record_key or "unknown",
        message=f"{record.path}: {sentence} ({record.detail})",
        finding_source=source,
    )
