"""Who a series is of: for the key holder's table only, never for the lake."""

from __future__ import annotations

from collections.abc import Mapping

from pydicom.dataset import Dataset

from schemas.records import Row
from tasks.dicom import values


def identity_of(original: Dataset, row: Row) -> Mapping[str, str]:
    """Pairs of original and pseudonymised identifiers of a series.

    Parameters
    ----------
    original : Dataset
        A header of the series as it came.
    row : Row
        Its row of the `series` table.
    """
    found = {
        "patient_key": row["patient_key"],
        "patient_id": values.text(original, "PatientID"),
        "issuer_of_patient_id": values.text(original, "IssuerOfPatientID"),
        "study_instance_uid": row["study_instance_uid"],
        "original_study_instance_uid": values.text(original, "StudyInstanceUID"),
        "series_instance_uid": row["series_instance_uid"],
        "original_series_instance_uid": values.text(original, "SeriesInstanceUID"),
    }
    return {name: str(value) for name, value in found.items() if value is not None}
