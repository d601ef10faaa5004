"""The simulated cohort's two clinical systems tell the same story about the same patients."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks.clinical import ClinicalBatch, read_fhir_ndjson, read_redcap_csv
from tasks.deidentify import Pseudonymiser
from tasks.simulate.clinical import write_fhir, write_redcap
from tasks.simulate.patient import draw_patient

PSEUDONYMS = Pseudonymiser(
    b"0123456789abcdef", {"Simulated Centre A": "A", "Simulated Centre B": "B"}
)
PATIENTS = [
    draw_patient(7, c, n, "II", activity_mbq_per_kg=3.0) for c in "AB" for n in range(1, 13)
]


def _values(batch: ClinicalBatch) -> dict[tuple[object, object], object]:
    return {
        (r["patient_key"], r["item"]): r["value_text"] or r["value_number"]
        for r in batch.rows["clinical_items"]
    }


@pytest.fixture(scope="module")
def batches(tmp_path_factory: pytest.TempPathFactory) -> tuple[ClinicalBatch, ClinicalBatch]:
    folder = tmp_path_factory.mktemp("clinical")
    redcap, fhir = Path(folder / "redcap.csv"), Path(folder / "fhir.ndjson")
    write_redcap(redcap, PATIENTS)
    write_fhir(fhir, PATIENTS)
    return read_redcap_csv(redcap, None, PSEUDONYMS), read_fhir_ndjson(fhir, None, PSEUDONYMS)


def test_nothing_is_refused_or_unknown(batches: tuple[ClinicalBatch, ClinicalBatch]) -> None:
    redcap, fhir = batches
    assert redcap.rejected == fhir.rejected == ()
    assert redcap.unknown == {}
    assert set(fhir.unknown) <= {"Condition without stage"}


def test_both_agree(batches: tuple[ClinicalBatch, ClinicalBatch]) -> None:
    redcap, fhir = (_values(b) for b in batches)
    shared = redcap.keys() & fhir.keys()
    assert {item for _, item in shared} == {"glucose", "stage", "outcome_event", "outcome_days"}
    assert redcap.keys() - fhir.keys() == {k for k in redcap if k[1] == "age"}
    for key in shared:
        is_number = isinstance(fhir[key], float)
        expected = pytest.approx(fhir[key], rel=2e-3) if is_number else fhir[key]  # rounded glucose
        assert redcap[key] == expected


def test_patients_centres_and_consents_agree(
    batches: tuple[ClinicalBatch, ClinicalBatch],
) -> None:
    redcap, fhir = batches
    for name, column in (
        ("patients", "centre"),
        ("patients", "sex"),
        ("consents", "consent_status"),
    ):
        one, other = ({r["patient_key"]: r[column] for r in b.rows[name]} for b in batches)
        assert one == other
        assert len(one) == len(PATIENTS)
    assert {r["centre"] for r in redcap.rows["patients"]} == {"A", "B"}
    assert {r["consent_status"] for r in fhir.rows["consents"]} == {"permit", "deny"}
