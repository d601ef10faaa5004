"""REDCap exports (flat CSV, raw or labelled) to pseudonymised rows."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from datetime import date
from pathlib import Path

from schemas.errors import InvalidInputError, RejectedObjectError
from tasks.clinical.batch import BatchBuilder, ClinicalBatch, Record
from tasks.clinical.dates import parse_day
from tasks.clinical.mapping import ColumnItem, RedcapMapping, default_redcap_mapping
from tasks.clinical.model import (
    NUMBERS,
    TIMES_OF_DAY,
    canonical_code,
    parse_number,
    parse_time_of_day,
)
from tasks.deidentify import Pseudonyms

_Cells = Mapping[str, str]


def read_redcap_csv(
    text_or_path: str | Path, mapping: RedcapMapping | None, pseudonymiser: Pseudonyms
) -> ClinicalBatch:
    """Read a REDCap export.

    Only mapped columns are looked at: names, addresses, notes and birth dates never leave the file.

    Parameters
    ----------
    text_or_path : str or Path
        The CSV itself (with line breaks), or its path.
    mapping : RedcapMapping or None
        Which column is which item; None for the simulated cohort's.
    pseudonymiser : Pseudonyms
        That of the images.

    Returns
    -------
    ClinicalBatch
        Every row of the file is in it: as rows, or rejected with a reason.

    Raises
    ------
    InvalidInputError
        If the file cannot be read, is empty, or lacks the column of patient IDs.
    """
    chosen = mapping or default_redcap_mapping()
    reader = csv.DictReader(io.StringIO(_text(text_or_path)), strict=True, restval="")
    columns = _columns(reader, chosen)
    builder = BatchBuilder(chosen.system, pseudonymiser)
    used = _used_columns(chosen)
    try:
        for cells in reader:
            builder.n_records += 1
            plain = {k: v for k, v in cells.items() if isinstance(k, str) and isinstance(v, str)}
            _read_row(builder, chosen, plain, f"line {reader.line_num}")
            builder.unknown.update(
                f"column {name}" for name in columns if name not in used and plain.get(name)
            )
    except csv.Error as error:
        raise InvalidInputError(f"the CSV is damaged near line {reader.line_num}") from error
    return builder.finish()


def _text(text_or_path: str | Path) -> str:
    if isinstance(text_or_path, str) and "\n" in text_or_path:
        return text_or_path.removeprefix("\ufeff")
    path = Path(text_or_path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InvalidInputError(f"{path} cannot be read: {error.strerror}") from error
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")  # as spreadsheets save it


def _columns(reader: csv.DictReader[str], mapping: RedcapMapping) -> list[str]:
    columns = list(reader.fieldnames or [])
    if not columns:
        raise InvalidInputError("the CSV is empty; export it with its header line")
    if mapping.id_column not in columns:
        raise InvalidInputError(
            f"column {mapping.id_column!r} (id_column of the mapping) is not among the "
            f"{len(columns)} columns of the CSV; adapt the mapping"
        )
    return columns


def _used_columns(mapping: RedcapMapping) -> frozenset[str]:
    of_items = {n for i in mapping.items for n in (i.column, i.from_column, i.until_column)}
    single = {mapping.id_column, mapping.date_column, mapping.centre_column}
    return frozenset(of_items | single | set(mapping.record_columns))


def _read_row(builder: BatchBuilder, mapping: RedcapMapping, cells: _Cells, place: str) -> None:
    patient_id = cells.get(mapping.id_column, "")
    # With the patient ID: record numbers start again at 1 in every project.
    parts = [patient_id.strip(), *(cells.get(name, "") for name in mapping.record_columns)]
    key = builder.pseudonyms.record_key(mapping.system, *parts)
    try:
        record = Record(key, place, builder.patient(patient_id, mapping.issuer))
    except RejectedObjectError as error:
        builder.reject(Record("", place, ""), mapping.id_column, error)
        return
    day = _day(builder, record, mapping, cells, mapping.date_column)
    record = Record(key, place, record.patient_key, day)
    centre = cells.get(mapping.centre_column, "").strip()
    builder.add_patient(record, centre=builder.pseudonyms.centre(centre) if centre else None)
    for item in mapping.items:
        if value := cells.get(item.column, "").strip():
            _read_item(builder, mapping, record, item, cells, item.choices.get(value, value))


def _day(
    builder: BatchBuilder, record: Record, mapping: RedcapMapping, cells: _Cells, column: str
) -> date | None:
    text = cells.get(column, "").strip() if column else ""
    if not text:
        return None
    try:
        return parse_day(text, mapping.date_order)
    except RejectedObjectError as error:
        builder.reject(record, column, error)
        return None


def _read_item(
    builder: BatchBuilder, mapping: RedcapMapping, record: Record, item: ColumnItem, cells: _Cells,
    value: str,
) -> None:  # fmt: skip
    try:
        if item.item in TIMES_OF_DAY:
            hours = parse_time_of_day(value)
            builder.add_number(record, item.item, hours, NUMBERS[item.item].unit, item.column)
        elif item.item in NUMBERS:
            number = parse_number(value, mapping.decimal)
            builder.add_number(record, item.item, number, item.unit, item.column)
        elif item.item == "sex":
            builder.add_patient(record, sex=canonical_code("sex", value))
        elif item.item == "consent":
            start = _day(builder, record, mapping, cells, item.from_column) or record.day
            end = _day(builder, record, mapping, cells, item.until_column)
            status = canonical_code("consent", value)
            builder.add_consent(record, item.purpose, status, start, end)
        else:
            builder.add_code(record, item.item, value, item.column)
    except RejectedObjectError as error:
        builder.reject(record, item.column, error)
