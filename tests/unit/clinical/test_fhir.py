"""FHIR resources, by hand, from Synthea and from the Medical Informatics Initiative."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from schemas.errors import InvalidInputError
from schemas.reasons import REASONS
from schemas.tables import TABLES
from tasks.clinical import ClinicalBatch, default_fhir_mapping, read_fhir_ndjson
from tasks.clinical.mapping import FhirMapping, ObservationItem
from tasks.deidentify import Pseudonymiser

PSEUDONYMS = Pseudonymiser(b"0123456789abcdef")
KEY = PSEUDONYMS.patient_key("PAT-4711")
AS_OF = date(2026, 6, 1)
Json = dict[str, Any]
_V2 = "http://terminology.hl7.org/CodeSystem/v2-0203"


def _coded(system: str, code: str) -> Json:
    return {"coding": [{"system": system, "code": code}]}


def _patient(**more: object) -> Json:
    return {
        "resourceType": "Patient",
        "id": "p1",
        "identifier": [{"system": "urn:x", "value": "PAT-4711"}],
        "name": [{"family": "Zwiebel", "given": ["Zora"]}],
        "address": [{"city": "Zwiebelstadt"}],
        "gender": "female",
        "birthDate": "1960-05-06",
        **more,
    }


def _observation(code: str, **more: object) -> Json:
    return {
        "resourceType": "Observation",
        "id": f"o{code}",
        "status": "final",
        "code": _coded("http://loinc.org", code),
        "subject": {"reference": "Patient/p1"},
        "effectiveDateTime": "2024-03-01T08:15:00+01:00",
        "note": [{"text": "Frau Zwiebel war nuechtern"}],
        **more,
    }


def _quantity(value: float, unit: str) -> Json:
    return {"valueQuantity": {"value": value, "unit": unit, "code": unit}}


def _consent(status: str = "active", root: str = "deny", nested: str | None = "permit") -> Json:
    code = _coded(
        "urn:oid:2.16.840.1.113883.3.1937.777.24.5.3", "2.16.840.1.113883.3.1937.777.24.5.3.8"
    )
    inner = {"type": nested, "code": [code], "period": {"start": "2024-03-01", "end": "2054-03-01"}}
    return {
        "resourceType": "Consent",
        "id": "c1",
        "status": status,
        "scope": _coded("http://terminology.hl7.org/CodeSystem/consentscope", "research"),
        "patient": {"reference": "Patient/p1"},
        "provision": {"type": root, "provision": [inner] if nested else []},
    }


def _read(*resources: Json, **options: Any) -> ClinicalBatch:
    text = "\n".join(json.dumps(r) for r in resources)
    return read_fhir_ndjson(text, options.get("mapping"), PSEUDONYMS, as_of=AS_OF)


def _shifted(day: date) -> date:
    return day + timedelta(days=PSEUDONYMS.shift_days(KEY))


def test_patient() -> None:
    batch = _read(_patient(managingOrganization={"display": "Klinik"}))
    (row,) = batch.rows["patients"]
    assert (row["patient_key"], row["sex"]) == (KEY, "F")
    assert row["centre"] == PSEUDONYMS.centre("Klinik")
    assert row["birth_year"] == _shifted(date(1960, 5, 6)).year
    assert not any(v in str(batch) for v in ("Zwiebel", "Zora", "1960-05-06", "05-06"))


def test_people_above_89_have_no_birth_year() -> None:
    assert _read(_patient(birthDate="1936-12-31")).rows["patients"][0]["birth_year"] is None


@pytest.mark.parametrize(
    ("code", "value", "unit", "expected"),
    [("2345-7", 100.0, "mg/dL", 1000 / 180.156), ("15074-8", 5.5, "mmol/L", 5.5),
     ("14749-6", 5.5, "mmol/l", 5.5)],
)  # fmt: skip
def test_glucose(code: str, value: float, unit: str, expected: float) -> None:
    # The observation before its patient: bulk exports do not sort.
    batch = _read(_observation(code, **_quantity(value, unit)), _patient())
    (row,) = batch.rows["clinical_items"]
    assert row["value_number"] == pytest.approx(expected)
    assert (row["item"], row["unit"], row["patient_key"]) == ("glucose", "mmol/L", KEY)
    assert row["item_date"] == _shifted(date(2024, 3, 1))
    assert "nuechtern" not in str(batch)


def test_rows_fit_their_tables() -> None:
    batch = _read(_patient(), _observation("2345-7", **_quantity(90, "mg/dL")), _consent())
    for name, rows in batch.rows.items():
        assert len(rows) == 1
        for row in rows:
            assert set(row) == set(TABLES[name].columns) - {"run_id"}


def test_stage_of_a_condition_and_of_an_observation() -> None:
    condition = {
        "resourceType": "Condition", "id": "d1", "subject": {"reference": "Patient/p1"},
        "recordedDate": "2024-02", "code": {"text": "Krebs"},
        "stage": [{"summary": _coded("https://www.uicc.org/resources/tnm", "IIIA")}],
    }  # fmt: skip
    answer = {"valueCodeableConcept": _coded("https://www.uicc.org/resources/tnm", "IVB")}
    batch = _read(_patient(), condition, _observation("21908-9", **answer))
    assert {r["value_text"] for r in batch.rows["clinical_items"]} == {"IIIA", "IVB"}
    assert None in {r["item_date"] for r in batch.rows["clinical_items"]}  # a month is no day


@pytest.mark.parametrize(
    ("consent", "expected"),
    [
        (_consent(), "permit"),
        (_consent(nested="deny"), "deny"),
        (_consent(nested=None), "deny"),
        (_consent(root="permit", nested=None), "permit"),
        (_consent(status="inactive"), "deny"),
        (_consent(status="rejected"), "deny"),
        (_consent(status="draft"), "unknown"),
    ],
)
def test_consent(consent: Json, expected: str) -> None:
    (row,) = _read(_patient(), consent).rows["consents"]
    assert (row["purpose"], row["consent_status"]) == ("research", expected)


def test_consent_period_and_scope() -> None:
    (row,) = _read(_patient(), _consent()).rows["consents"]
    assert (row["valid_from"], row["valid_until"]) == (
        _shifted(date(2024, 3, 1)), _shifted(date(2054, 3, 1)),
    )  # fmt: skip
    treatment = _consent(root="permit", nested=None)
    treatment["scope"] = _coded("http://terminology.hl7.org/CodeSystem/consentscope", "treatment")
    (row,) = _read(_patient(), treatment).rows["consents"]
    assert row["consent_status"] == "unknown"
    broken = _read(_patient(), _consent(status="entered-in-error"))
    assert broken.rows["consents"] == []
    assert broken.rejected[0].reason_code == "invalid_attribute"


def test_a_time_of_day_becomes_hours() -> None:
    timed = ObservationItem(item="injection_time", codes=frozenset({"http://loinc.org|x-1"}))
    batch = _read(
        _patient(identifier=[{"type": _coded(_V2, "MR"), "value": "PAT-4711"}]),
        _observation("x-1", valueTime="10:45:00"),
        _observation("x-1", id="o2", valueDateTime="2024-03-01T07:15:00+01:00"),
        _observation("x-1", id="o3"),
        mapping=FhirMapping(observations=(timed,)),
    )
    assert {r["value_number"] for r in batch.rows["clinical_items"]} == {7.25, 10.75}
    assert [r.reason_code for r in batch.rejected] == ["invalid_attribute"]


def test_general_permission_with_unknown_exceptions_is_unknown() -> None:
    consent = _consent(root="permit", nested="deny")
    consent["provision"]["provision"][0]["code"] = [_coded("urn:other", "x")]
    (row,) = _read(_patient(), consent).rows["consents"]
    assert row["consent_status"] == "unknown"


@pytest.mark.parametrize(
    ("resource", "reason", "detail"),
    [
        (_observation("2345-7", **_quantity(90, "mmol/L")), "invalid_attribute", "0.5 to 60"),
        (_observation("2345-7"), "missing_attribute", "no exact value"),
        (_observation("2345-7", valueQuantity={"value": 90, "comparator": "<", "code": "mg/dL"}),
         "missing_attribute", "no exact value"),
        (_observation("2345-7", status="entered-in-error"), "invalid_attribute", "not valid"),
        (_observation("21908-9", valueCodeableConcept={"text": "IIIA, Frau Zwiebel"}),
         "missing_attribute", "no code"),
        (_observation("2345-7", subject={"reference": "Patient/other"}),
         "missing_reference", "not in the input"),
        (_observation("2345-7", subject="nonsense"), "missing_reference", "not in the input"),
        ({"no": "resource"}, "not_parseable", "FHIR resource"),
    ],
)  # fmt: skip
def test_refusals_name_the_place_and_never_the_value(
    resource: Json, reason: str, detail: str
) -> None:
    batch = _read(_patient(), resource)
    (rejected,) = batch.rejected
    assert (rejected.reason_code, rejected.path[:6]) == (reason, "line 2")
    assert detail in rejected.detail
    assert "Zwiebel" not in str(batch.rejected)
    assert len(batch.rows["patients"]) == 1


def test_which_of_several_identifiers() -> None:
    mr = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "MR"}]}
    several = [{"system": "urn:a", "value": "A"}, {"system": "urn:b", "value": "B", "type": mr}]
    assert _read(_patient(identifier=several)).identities[0]["patient_id"] == "B"
    mapping = default_fhir_mapping().model_copy(update={"identifier_system": "urn:a"})
    batch = _read(_patient(identifier=several), mapping=mapping)
    assert batch.identities[0]["patient_id"] == "A"
    undecided = _read(_patient(identifier=several[:1] * 2 + [{"value": "C"}]))
    assert undecided.rejected[0].reason_code == "missing_attribute"
    assert "identifier_system" in undecided.rejected[0].detail


def test_references_of_every_form() -> None:
    bundle = {
        "resourceType": "Bundle",
        "entry": [
            {"fullUrl": "urn:uuid:1", "resource": _patient(id="")},
            {"resource": _observation("2345-7", subject={"reference": "urn:uuid:1"},
                                      **_quantity(90, "mg/dL"))},
            {"resource": _observation("2339-0", subject={"identifier": {"value": "PAT-4711"}},
                                      **_quantity(95, "mg/dL"))},
        ],
    }  # fmt: skip
    absolute = _observation(
        "41653-7", subject={"reference": "https://x/fhir/Patient/p1"}, **_quantity(99, "mg/dL")
    )
    batch = _read(bundle, _patient(), absolute)
    assert batch.rejected == ()
    assert {r["patient_key"] for r in batch.rows["clinical_items"]} == {KEY}
    assert len(batch.rows["clinical_items"]) == 3


def test_what_nobody_asked_for_is_counted_without_text() -> None:
    other = {"resourceType": "Zwiebel Zora", "id": "x"}
    batch = _read(_patient(), _observation("718-7"), {"resourceType": "Encounter"}, other)
    assert batch.unknown == {
        "Observation 718-7": 1, "resource Encounter": 1, "resource other": 1,
    }  # fmt: skip
    assert batch.n_records == 4


def test_unusable_input(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="holds no"):
        read_fhir_ndjson(tmp_path, None, PSEUDONYMS)
    with pytest.raises(InvalidInputError, match="cannot be read"):
        read_fhir_ndjson(tmp_path / "x.ndjson", None, PSEUDONYMS)
    (tmp_path / "x.ndjson").write_bytes(b'{"resourceType": "Pati\xff')
    with pytest.raises(InvalidInputError, match="not UTF-8"):
        read_fhir_ndjson(tmp_path / "x.ndjson", None, PSEUDONYMS)
    (tmp_path / "x.ndjson").write_text('{"resourceType": \n\n[1]\n')
    batch = read_fhir_ndjson(tmp_path / "x.ndjson", None, PSEUDONYMS)
    assert [r.path for r in batch.rejected] == ["line 1", "line 3"]


def _counts_add_up(batch: ClinicalBatch) -> None:
    """Every resource ended as rows, as rejected or as unknown."""
    used = {
        r["record_key"] for name in ("patients", "clinical_items") for r in batch.rows[name]
    } | {r["record_key"] for r in batch.rows["consents"]}
    n_rejected = len({r.path.partition(": ")[0] for r in batch.rejected})
    assert len(used) + n_rejected + sum(batch.unknown.values()) == batch.n_records


def test_synthea(reference_data: Callable[[str], Path]) -> None:
    folder = reference_data("fhir-synthea-ndjson")
    batch = read_fhir_ndjson(folder, None, PSEUDONYMS, as_of=AS_OF)
    assert len(batch.rows["patients"]) == 9
    counts = Counter(r["item"] for r in batch.rows["clinical_items"])
    assert set(counts) == {"glucose", "weight"}
    assert batch.unknown["Condition without stage"] == 71
    _counts_add_up(batch)
    identifiers = [
        i["value"]
        for line in (folder / "Patient.ndjson").read_text().splitlines()
        for i in json.loads(line)["identifier"]
    ]
    assert not any(i in str(batch.rows) or i in str(batch.rejected) for i in identifiers)


def test_medical_informatics_initiative(reference_data: Callable[[str], Path]) -> None:
    batch = read_fhir_ndjson(reference_data("fhir-mii-kds"), None, PSEUDONYMS, as_of=AS_OF)
    assert len(batch.rows["patients"]) == 5
    assert [r["consent_status"] for r in batch.rows["consents"]] == ["permit"] * 3
    assert [r["value_text"] for r in batch.rows["clinical_items"]] == ["IVB"]
    assert {r.reason_code for r in batch.rejected} <= set(REASONS)
    _counts_add_up(batch)
    assert not any(v in str(batch) for v in ("Mustermann", "Schumann", "Wieck", "Ufer"))
