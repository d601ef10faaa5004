"""Structured reports with image measurements: rows, one per measured value."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from pydicom.dataset import Dataset

from schemas.errors import RejectedObjectError
from schemas.records import Row
from tasks.deidentify.identity import IdentifierFilter
from tasks.dicom import values
from tasks.dicom.references import only
from tasks.ingest.context import Context, Conversion
from tasks.ingest.documents import read_documents
from tasks.ingest.findings import partial_series_findings
from tasks.ingest.identity import identity_of
from tasks.ingest.load import LoadedObject
from tasks.ingest.outcomes import OutcomeBook
from tasks.ingest.report_content import Codes, read_content
from tasks.ingest.report_references import References, series_of_evidence
from tasks.ingest.report_rows import ReportRows
from tasks.ingest.series_row import common_row

#: Parts that the row of the series does not need.
_BULK: Final = (
    "ContentSequence",
    "CurrentRequestedProcedureEvidenceSequence",
    "PertinentOtherEvidenceSequence",
)


def convert_report(
    objects: Iterable[LoadedObject], context: Context, book: OutcomeBook
) -> Conversion:
    """Convert the reports of a series.

    Reports without image measurements are ignored by that name.

    Parameters
    ----------
    objects : iterable of LoadedObject
        SR objects of one series.
    context : Context
        Pseudonyms, limits, profile.
    book : OutcomeBook
        Takes the outcome of objects that cannot be used or hold no measurements.

    Raises
    ------
    RejectedObjectError
        If none can be used.

    References
    ----------
    DICOM PS3.16 TID 1500 (Measurement Report).
    """
    rows = ReportRows(context)
    used = read_documents(
        objects, book, "ContentSequence", lambda ds: _add_report(ds, context, rows), _BULK
    )
    if not used.headers:
        raise _no_measurements()
    header = used.headers[0]
    row = common_row(header, context.clean(header), "report", used.digests, context)
    row["referenced_series_uid"] = only(
        str(m["measured_series_uid"]) for m in rows.measurements if m.get("measured_series_uid")
    )
    return Conversion(
        rows={
            "series": [row],
            "measurements": rows.measurements,
            "evaluations": rows.evaluations,
            "findings": partial_series_findings(row, book.reasons(), None, len(used.headers)),
        },
        identity=identity_of(header, row),
    )


def _add_report(dataset: Dataset, context: Context, rows: ReportRows) -> None:
    if "ContentSequence" not in dataset:  # absent, or too damaged to be read
        raise RejectedObjectError("missing_attribute", "ContentSequence is absent or unreadable")
    codes = Codes(IdentifierFilter(dataset) if context.deidentify else None)
    references = References(context, series_of_evidence(dataset))
    key: Row = {
        "report_series_uid": context.uid(values.text(dataset, "SeriesInstanceUID")),
        "sop_instance_uid": context.uid(values.text(dataset, "SOPInstanceUID")),
        "patient_key": context.patient_key(dataset),
    }
    if not rows.add(read_content(dataset, codes), codes, references, key):
        raise _no_measurements()


def _no_measurements() -> RejectedObjectError:
    return RejectedObjectError("report_without_measurements", "")
