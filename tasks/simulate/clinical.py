"""Clinical data of a simulated cohort: REDCap export and FHIR NDJSON, as far apart as real ones."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

from tasks.simulate.identifiers import uid
from tasks.simulate.patient import Patient

REDCAP_COLUMNS: Final = (
    "record_id", "redcap_event_name", "centre", "patient_id", "age", "sex", "glucose_mgdl",
    "stage", "outcome_event", "outcome_days", "consent", "study_date",
)  # fmt: skip

#: mg/dl per mmol/l of glucose (molar mass 180.156 g/mol).
MGDL_PER_MMOLL: Final = 18.0156

_FHIR_SEX: Final = {"F": "female", "M": "male"}
_HTEST: Final = {
    "security": [
        {
            "system": "http://terminology.hl7.org/CodeSystem/v3-ActReason",
            "code": "HTEST",
            "display": "test health data",
        }
    ]
}
_OUTCOME_SYSTEM: Final = "urn:tracerlake:simulated:outcome"
_MII_POLICY: Final = "urn:oid:2.16.840.1.113883.3.1937.777.24.5.3"
_MII_PROVISIONS: Final = (
    ("2.16.840.1.113883.3.1937.777.24.5.3.6", "MDAT erheben"),
    ("2.16.840.1.113883.3.1937.777.24.5.3.7", "MDAT speichern, verarbeiten"),
    ("2.16.840.1.113883.3.1937.777.24.5.3.8", "MDAT wissenschaftlich nutzen EU DSGVO NIVEAU"),
)

Json = dict[str, object]


@dataclass(frozen=True, slots=True)
class ClinicalRecord:
    """What a clinical system knows of one patient; None where it is missing.

    Parameters
    ----------
    glucose_mgdl : float or None
        Blood glucose before the scan.
    consents : bool
        Consent to research use.
    """

    patient: Patient
    glucose_mgdl: float | None
    stage: str | None
    outcome_event: str | None
    consents: bool


def clinical_record(patient: Patient) -> ClinicalRecord:
    """Knowledge of the clinical systems: gaps and refusals follow from centre and number."""
    number, shift = patient.number, ord(patient.centre) - ord("A")
    return ClinicalRecord(
        patient,
        glucose_mgdl=None if (number + 2 * shift) % 5 == 2 else patient.glucose_mgdl,
        stage=None if (number + shift) % 11 == 7 else patient.stage,
        outcome_event=None if (number + shift) % 9 == 4 else patient.outcome_event,
        consents=(number + 3 * shift) % 6 != 5,
    )


def write_redcap(path: Path, patients: Iterable[Patient]) -> None:
    """Write a flat REDCap export: one row per patient, coded as a data manager would."""
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, REDCAP_COLUMNS, lineterminator="\n")
        writer.writeheader()
        for record_id, patient in enumerate(patients, start=1):
            writer.writerow(redcap_row(record_id, clinical_record(patient)))


def redcap_row(record_id: int, record: ClinicalRecord) -> Mapping[str, object]:
    """One row of the export; empty where a value is missing."""
    patient = record.patient
    known = record.outcome_event is not None
    return {
        "record_id": record_id,
        "redcap_event_name": "baseline_arm_1",
        "centre": patient.centre,
        "patient_id": patient.patient_id,
        "age": patient.age_years,
        "sex": patient.sex,
        "glucose_mgdl": "" if record.glucose_mgdl is None else f"{record.glucose_mgdl:.0f}",
        "stage": record.stage or "",
        "outcome_event": record.outcome_event or "",
        "outcome_days": patient.outcome_days if known else "",
        "consent": "yes" if record.consents else "no",
        "study_date": f"{patient.study_start:%Y-%m-%d}",
    }


def write_fhir(path: Path, patients: Iterable[Patient]) -> None:
    """Write one FHIR R4 resource per line."""
    with path.open("w", encoding="utf-8", newline="\n") as stream:
        for patient in patients:
            for resource in fhir_resources(clinical_record(patient)):
                stream.write(json.dumps(resource, separators=(",", ":")) + "\n")


def fhir_resources(record: ClinicalRecord) -> list[Json]:
    """All resources of one patient; what is missing has no resource."""
    resources = [_patient(record), _condition(record), _consent(record)]
    if record.glucose_mgdl is not None:
        resources.append(_glucose(record, record.glucose_mgdl))
    if record.outcome_event is not None:
        resources.append(_outcome(record, record.outcome_event))
    return resources


def _resource(kind: str, record: ClinicalRecord, **content: object) -> Json:
    identity = uid(record.patient.patient_id, kind).rsplit(".", 1)[-1][:20]
    return {"resourceType": kind, "id": f"sim-{identity}", "meta": _HTEST, **content}


def _subject(record: ClinicalRecord) -> Json:
    return {"reference": f"Patient/{_resource('Patient', record)['id']}"}


def _coded(system: str, code: str, display: str) -> Json:
    return {"coding": [{"system": system, "code": code, "display": display}]}


def _patient(record: ClinicalRecord) -> Json:
    patient = record.patient
    identifier = {
        "type": _coded(
            "http://terminology.hl7.org/CodeSystem/v2-0203", "MR", "Medical record number"
        ),
        "system": f"urn:tracerlake:simulated:centre-{patient.centre.lower()}",
        "value": patient.patient_id,
    }
    return _resource(
        "Patient",
        record,
        identifier=[identifier],
        name=[{"family": "SIM", "given": [f"{patient.centre}-{patient.number:03d}"]}],
        gender=_FHIR_SEX[patient.sex],
        birthDate=f"{patient.birth_date:%Y-%m-%d}",
        managingOrganization={"display": f"Simulated Centre {patient.centre}"},
    )


def _condition(record: ClinicalRecord) -> Json:
    content: Json = {
        "clinicalStatus": _coded(
            "http://terminology.hl7.org/CodeSystem/condition-clinical", "active", "Active"
        ),
        "code": _coded(
            "http://fhir.de/CodeSystem/bfarm/icd-10-gm", "C34.9", "Malignant neoplasm of lung"
        ),
        "subject": _subject(record),
        "recordedDate": f"{record.patient.study_start - timedelta(days=21):%Y-%m-%d}",
    }
    if record.stage is not None:
        summary = _coded(
            "https://www.uicc.org/resources/tnm", record.stage, f"Stage {record.stage}"
        )
        stage_type = _coded("http://snomed.info/sct", "399537006", "Clinical TNM stage grouping")
        content["stage"] = [{"summary": summary, "type": stage_type}]
    return _resource("Condition", record, **content)


def _consent(record: ClinicalRecord) -> Json:
    """Consent after the German MII profile: the provisions say permit or deny, with a period."""
    start = record.patient.study_start - timedelta(days=2)
    period = {
        "start": f"{start:%Y-%m-%d}",
        "end": f"{start + timedelta(days=10957):%Y-%m-%d}",
    }
    decision = "permit" if record.consents else "deny"
    provisions = [
        {"type": decision, "period": period, "code": [_coded(_MII_POLICY, code, text)]}
        for code, text in _MII_PROVISIONS
    ]
    return _resource(
        "Consent",
        record,
        status="active",
        scope=_coded("http://terminology.hl7.org/CodeSystem/consentscope", "research", "Research"),
        category=[_coded("http://loinc.org", "57016-8", "Privacy policy acknowledgment Document")],
        patient=_subject(record),
        dateTime=f"{start:%Y-%m-%d}",
        policy=[{"uri": "urn:oid:2.16.840.1.113883.3.1937.777.24.2.1791"}],
        provision={"type": "deny", "period": period, "provision": provisions},
    )


def _glucose(record: ClinicalRecord, mgdl: float) -> Json:
    """Glucose in mg/dl, every second patient in mmol/l, as laboratories differ."""
    molar = record.patient.number % 2 == 0
    unit, loinc = ("mmol/L", "14749-6") if molar else ("mg/dL", "2345-7")
    value = round(mgdl / MGDL_PER_MMOLL, 2) if molar else mgdl
    names = {"14749-6": "Glucose [Moles/volume] in Serum or Plasma",
             "2345-7": "Glucose [Mass/volume] in Serum or Plasma"}  # fmt: skip
    return _resource(
        "Observation",
        record,
        status="final",
        category=[
            _coded(
                "http://terminology.hl7.org/CodeSystem/observation-category",
                "laboratory",
                "Laboratory",
            )
        ],
        code=_coded("http://loinc.org", loinc, names[loinc]),
        subject=_subject(record),
        effectiveDateTime=f"{record.patient.study_start:%Y-%m-%d}",
        valueQuantity={
            "value": value,
            "unit": unit,
            "system": "http://unitsofmeasure.org",
            "code": unit,
        },
    )


def _outcome(record: ClinicalRecord, event: str) -> Json:
    """Outcome with the days since the study as a component."""
    days = record.patient.outcome_days
    resource = _resource(
        "Observation",
        record,
        status="final",
        code=_coded(_OUTCOME_SYSTEM, "outcome-event", "Outcome"),
        subject=_subject(record),
        effectiveDateTime=f"{record.patient.study_start + timedelta(days=days):%Y-%m-%d}",
        valueCodeableConcept=_coded(_OUTCOME_SYSTEM, event, event),
        component=[
            {
                "code": _coded(_OUTCOME_SYSTEM, "outcome-days", "Days from study to outcome"),
                "valueQuantity": {
                    "value": days,
                    "unit": "d",
                    "system": "http://unitsofmeasure.org",
                    "code": "d",
                },
            }
        ],
    )
    resource["id"] = f"{resource['id']}-outcome"
    return resource
