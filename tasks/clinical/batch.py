"""What reading clinical data yields: rows of the lake's tables, and what was refused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from schemas.errors import RejectedObjectError
from schemas.records import Row
from tasks.clinical.dates import shifted
from tasks.clinical.model import NUMBERS, canonical_code, canonical_number
from tasks.deidentify import Pseudonyms


@dataclass(frozen=True, slots=True)
class RejectedRecord:
    """One value or record that could not be used.

    Parameters
    ----------
    record_key : str
        Keyed hash of the record; empty if it could not be told.
    path : str
        Where in the input: line and column or element, never a value.
    reason_code, detail : str
        As of `schemas.reasons` and `RejectedObjectError`.
    """

    record_key: str
    path: str
    reason_code: str
    detail: str


@dataclass(frozen=True)
class ClinicalBatch:
    """Rows read from one clinical source, pseudonymised.

    Parameters
    ----------
    source_system : str
        ``redcap``, ``fhir`` ...
    rows : mapping of table name to rows
        ``patients``, ``clinical_items``, ``consents``; without run columns: the flow adds them.
    rejected : tuple of RejectedRecord
        What was refused.
    unknown : mapping of str to int
        What nobody asked for (columns, resource types, codes) and how often it came.
    identities : tuple of mappings
        For the key holder's table only: ``patient_key``, ``patient_id``,
        ``issuer_of_patient_id``. Never written to the lake, never logged.
    n_records : int
        Records looked at.
    """

    source_system: str
    rows: Mapping[str, list[Row]]
    rejected: tuple[RejectedRecord, ...] = ()
    unknown: Mapping[str, int] = field(default_factory=dict)
    identities: tuple[Mapping[str, str], ...] = ()
    n_records: int = 0


@dataclass(frozen=True, slots=True)
class Record:
    """The record being read: its key, place in the input, patient and day."""

    key: str
    place: str
    patient_key: str
    day: date | None = None


class BatchBuilder:
    """Collects rows while a source is read.

    Parameters
    ----------
    source_system : str
        Name of the source system.
    pseudonyms : Pseudonyms
        The same as for the images, so that patients meet.
    """

    def __init__(self, source_system: str, pseudonyms: Pseudonyms) -> None:
        self.source_system = source_system
        self.pseudonyms = pseudonyms
        self.n_records = 0
        self.unknown: Counter[str] = Counter()
        self._patients: dict[str, Row] = {}
        self._items: dict[tuple[str, str], Row] = {}
        self._consents: dict[str, Row] = {}
        self._rejected: list[RejectedRecord] = []
        self._identities: dict[str, Mapping[str, str]] = {}

    def patient(self, patient_id: str, issuer: str) -> str:
        """Key of a patient, remembered for the key holder.

        Raises
        ------
        RejectedObjectError
            ``missing_attribute`` if the ID is empty.
        """
        key = self.pseudonyms.patient_key(patient_id, issuer)
        self._identities[key] = {
            "patient_key": key,
            "patient_id": patient_id.strip(),
            "issuer_of_patient_id": issuer,
        }
        return key

    def add_patient(self, record: Record, **columns: object) -> None:
        """Add what is known of a patient; the first value of a column stays."""
        row = self._patients.setdefault(
            record.patient_key,
            {
                "patient_key": record.patient_key, "centre": None, "sex": None, "birth_year": None,
                "source_system": self.source_system, "record_key": record.key,
            },
        )  # fmt: skip
        for name, value in columns.items():
            if row[name] is None:
                row[name] = value

    def add_number(self, record: Record, item: str, value: float, unit: str, path: str) -> None:
        """Add a number in its canonical unit, or the reason why not."""
        try:
            number = canonical_number(item, value, unit)
        except RejectedObjectError as error:
            self.reject(record, path, error)
            return
        # The original of an age above 89 would undo the grouping.
        is_grouped = item == "age" and number != value * NUMBERS[item].factors.get(unit, 1.0)
        original = None if is_grouped else repr(value)
        self._add_item(record, item, path, value_number=number, unit=NUMBERS[item].unit,
                       original_value=original, original_unit=unit)  # fmt: skip

    def add_code(self, record: Record, item: str, value: str, path: str) -> None:
        """Add a coded answer in the item's spelling, or the reason why not."""
        try:
            code = canonical_code(item, value)
        except RejectedObjectError as error:
            self.reject(record, path, error)
            return
        self._add_item(record, item, path, value_text=code, original_value=value.strip())

    def _add_item(self, record: Record, item: str, path: str, **columns: object) -> None:
        if (record.key, item) in self._items:
            error = RejectedObjectError("invalid_attribute", f"{item} comes twice in the record")
            self.reject(record, path, error)
            return
        self._items[record.key, item] = {
            "record_key": record.key, "patient_key": record.patient_key, "item": item,
            "value_number": None, "value_text": None, "unit": None, "original_value": None,
            "original_unit": None, "item_date": self._shifted(record, record.day),
            "source_system": self.source_system, **columns,
        }  # fmt: skip

    def add_consent(
        self, record: Record, purpose: str, status: str, start: date | None, end: date | None
    ) -> None:
        """Add a consent; a record states one for each purpose."""
        key = self.pseudonyms.record_key(self.source_system, record.key, purpose)
        self._consents[key] = {
            "record_key": key, "patient_key": record.patient_key, "purpose": purpose,
            "consent_status": status, "valid_from": self._shifted(record, start),
            "valid_until": self._shifted(record, end), "source_system": self.source_system,
        }  # fmt: skip

    def _shifted(self, record: Record, day: date | None) -> date | None:
        return shifted(day, self.pseudonyms.shift_days(record.patient_key))

    def reject(self, record: Record, path: str, error: RejectedObjectError) -> None:
        """Note what could not be used."""
        where = f"{record.place}: {path}" if path else record.place
        self._rejected.append(RejectedRecord(record.key, where, error.reason_code, error.detail))

    def finish(self) -> ClinicalBatch:
        """Return everything collected, rows in the order of their keys."""
        return ClinicalBatch(
            self.source_system,
            {
                "patients": [self._patients[k] for k in sorted(self._patients)],
                "clinical_items": [self._items[k] for k in sorted(self._items)],
                "consents": [self._consents[k] for k in sorted(self._consents)],
            },
            tuple(self._rejected),
            dict(sorted(self.unknown.items())),
            tuple(self._identities[k] for k in sorted(self._identities)),
            self.n_records,
        )
