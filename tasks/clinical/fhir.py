"""FHIR R4 resources (bulk NDJSON, Bundles) to pseudonymised rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from typing import Final

from schemas.errors import RejectedObjectError
from tasks.clinical.batch import BatchBuilder, ClinicalBatch, Record
from tasks.clinical.dates import birth_year, parse_fhir_day
from tasks.clinical.fhir_consent import consent_decision
from tasks.clinical.fhir_resources import (
    FhirInput,
    Json,
    Located,
    child,
    codes,
    number,
    objects,
    resources,
    text,
)
from tasks.clinical.mapping import FhirMapping, ObservationItem, default_fhir_mapping
from tasks.clinical.model import NUMBERS, TIMES_OF_DAY, canonical_code, parse_time_of_day
from tasks.deidentify import Pseudonyms

_NOT_VALID: Final = frozenset({"entered-in-error", "cancelled"})
_IDENTIFIER_TYPES: Final = "http://terminology.hl7.org/CodeSystem/v2-0203"


def read_fhir_ndjson(
    text_or_path: FhirInput,
    mapping: FhirMapping | None,
    pseudonymiser: Pseudonyms,
    *,
    as_of: date | None = None,
) -> ClinicalBatch:
    """Read Patient, Observation, Condition and Consent resources.

    Names, addresses, notes, other identifiers and birth dates (but for the year) never leave the
    input.

    Parameters
    ----------
    text_or_path : str, Path or a sequence of them
        See `tasks.clinical.fhir_resources.resources`. Give all files of an export together: the
        patients are in one, what is known of them in others.
    mapping : FhirMapping or None
        Which code is which item; None for the simulated cohort's and common LOINC codes.
    pseudonymiser : Pseudonyms
        That of the images.
    as_of : date, optional
        Day on which patients count as above 89 years; today by default.

    Returns
    -------
    ClinicalBatch
        Every resource is in it: as rows, rejected with a reason, or counted as unknown.

    Raises
    ------
    InvalidInputError
        If the input cannot be read.
    """
    reader = _FhirReader(mapping or default_fhir_mapping(), pseudonymiser, as_of or _today())
    for located in resources(text_or_path):
        reader.learn_patient(located)
    for located in resources(text_or_path):
        reader.read(located)
    return reader.builder.finish()


def _today() -> date:
    return date.today()  # noqa: DTZ011  the day in the clinic, not in Greenwich


class _FhirReader:
    """Two passes: first the patients (references may come before them), then everything."""

    def __init__(self, mapping: FhirMapping, pseudonyms: Pseudonyms, as_of: date) -> None:
        self.builder = BatchBuilder(mapping.system, pseudonyms)
        self._mapping = mapping
        self._as_of = as_of
        self._patient_keys: dict[str, str] = {}
        self._by_code = {code: item for item in mapping.observations for code in item.codes}
        self._kinds: Mapping[str, Callable[[Record, Json], None]] = {
            "Patient": self._patient,
            "Observation": self._observation,
            "Condition": self._condition,
            "Consent": self._consent,
        }

    def learn_patient(self, located: Located) -> None:
        """Remember the key of a patient under every reference that may point to it."""
        resource = located.resource
        if resource is None or text(resource, "resourceType") != "Patient":
            return
        try:
            key = self.builder.patient(self._patient_id(resource), self._mapping.issuer)
        except RejectedObjectError:
            return  # said in the second pass
        for name in (text(resource, "id"), located.full_url):
            if name:
                self._patient_keys[name] = key

    def read(self, located: Located) -> None:
        """Read one resource."""
        self.builder.n_records += 1
        place, resource = located.place, located.resource
        if resource is None:
            error = RejectedObjectError("not_parseable", "expected a FHIR resource in JSON")
            self.builder.reject(Record("", place, ""), "", error)
            return
        kind = text(resource, "resourceType")
        if kind not in self._kinds:
            self.builder.unknown[f"resource {_safe_name(kind)}"] += 1
            return
        record = Record("", f"{place}: {kind}", "")
        try:
            key = self.builder.pseudonyms.record_key(
                self._mapping.system, kind, text(resource, "id") or located.full_url or place
            )
            patient_key = self._patient_key(kind, resource)
            record = Record(key, record.place, patient_key, _day_of(kind, resource))
            self._kinds[kind](record, resource)
        except RejectedObjectError as error:
            self.builder.reject(record, "", error)

    def _patient_id(self, patient: Json) -> str:
        """Return the one identifier that is the PatientID of the images."""
        found = objects(patient, "identifier")
        wanted = self._mapping.identifier_system
        if wanted:
            found = [i for i in found if text(i, "system") == wanted]
        elif len(found) > 1:
            code = f"{_IDENTIFIER_TYPES}|{self._mapping.identifier_type}"
            found = [i for i in found if code in codes(child(i, "type"))]
        values = {text(i, "value").strip() for i in found} - {""}
        if len(values) != 1:
            detail = f"expected one patient identifier, got {len(values)}; set identifier_system"
            raise RejectedObjectError("missing_attribute", detail)
        return values.pop()

    def _patient_key(self, kind: str, resource: Json) -> str:
        if kind == "Patient":
            return self.builder.patient(self._patient_id(resource), self._mapping.issuer)
        subject = child(resource, "patient" if kind == "Consent" else "subject")
        reference = text(subject, "reference")
        for name in (reference, reference.partition("/_history/")[0].rpartition("/")[2]):
            if name in self._patient_keys:
                return self._patient_keys[name]
        if not reference and (value := text(subject, "identifier", "value")):
            return self.builder.patient(value, self._mapping.issuer)
        raise RejectedObjectError(
            "missing_reference", "the patient it is about is not in the input"
        )

    def _patient(self, record: Record, resource: Json) -> None:
        days = self.builder.pseudonyms.shift_days(record.patient_key)
        organisation = text(resource, "managingOrganization", "display")
        gender = text(resource, "gender")
        self.builder.add_patient(
            record,
            centre=self.builder.pseudonyms.centre(organisation) if organisation else None,
            sex=canonical_code("sex", gender) if gender not in {"", "unknown"} else None,
            birth_year=birth_year(parse_fhir_day(resource.get("birthDate")), days, self._as_of),
        )

    def _observation(self, record: Record, resource: Json) -> None:
        if text(resource, "status") in _NOT_VALID:
            raise RejectedObjectError("invalid_attribute", "its status says that it is not valid")
        if self._observed(record, resource, ""):
            return
        self.builder.unknown[f"Observation {_first_code(resource)}"] += 1

    def _observed(self, record: Record, resource: Json, path: str) -> bool:
        """Add the value of an observation and of its components; False if none is known."""
        known = [i for c in codes(child(resource, "code")) if (i := self._by_code.get(c))]
        if known:
            self._value(record, known[0], resource, path)
        parts = [
            self._observed(record, part, f"component[{n}].")
            for n, part in enumerate(objects(resource, "component"))
        ]
        return bool(known) or any(parts)

    def _value(self, record: Record, item: ObservationItem, holder: Json, path: str) -> None:
        if item.item in TIMES_OF_DAY:
            at = next((k for k in ("valueTime", "valueDateTime") if text(holder, k)), "valueTime")
            hours = parse_time_of_day(text(holder, at))
            self.builder.add_number(record, item.item, hours, "h", f"{path}{at}")
            return
        if item.item in NUMBERS:
            quantity = child(holder, "valueQuantity")
            value = number(quantity, "value")
            if value is None or text(quantity, "comparator"):
                raise RejectedObjectError(
                    "missing_attribute", f"{path}valueQuantity: no exact value"
                )
            unit = text(quantity, "code") or text(quantity, "unit")
            self.builder.add_number(record, item.item, value, unit, f"{path}valueQuantity")
            return
        coded = [text(c, "code") for c in objects(child(holder, "valueCodeableConcept"), "coding")]
        answers = [item.choices.get(code, code) for code in coded if code]
        if not answers:
            raise RejectedObjectError("missing_attribute", f"{path}valueCodeableConcept: no code")
        self.builder.add_code(record, item.item, answers[0], f"{path}valueCodeableConcept")

    def _condition(self, record: Record, resource: Json) -> None:
        verification = codes(child(resource, "verificationStatus"))
        if any(code.endswith(("|entered-in-error", "|refuted")) for code in verification):
            raise RejectedObjectError("invalid_attribute", "its status says that it is not valid")
        summaries = [child(s, "summary") for s in objects(resource, "stage")]
        coded = [text(c, "code") for s in summaries for c in objects(s, "coding")]
        if coded:
            self.builder.add_code(record, "stage", coded[0], "stage[0].summary")
        else:
            self.builder.unknown["Condition without stage"] += 1

    def _consent(self, record: Record, resource: Json) -> None:
        for item in self._mapping.consents:
            status, start, end = consent_decision(resource, item)
            self.builder.add_consent(record, item.purpose, status, start, end)


def _day_of(kind: str, resource: Json) -> date | None:
    """Day that an item of the resource belongs to."""
    if kind == "Observation":
        period = child(resource, "effectivePeriod")
        candidates = [resource.get("effectiveDateTime"), resource.get("effectiveInstant"),
                      period.get("start")]  # fmt: skip
    else:
        candidates = [resource.get("recordedDate"), resource.get("onsetDateTime")]
    return next((d for c in candidates if (d := parse_fhir_day(c)) is not None), None)


def _first_code(resource: Json) -> str:
    """Code for the count of what is unknown: a code of a public system, never text."""
    for coding in objects(child(resource, "code"), "coding"):
        if text(coding, "system") in {"http://loinc.org", "http://snomed.info/sct"}:
            return _safe_name(text(coding, "code"))
    return "other"


def _safe_name(name: str) -> str:
    plain = name.replace("-", "")
    return name if plain.isascii() and plain.isalnum() and len(name) <= 40 else "other"
