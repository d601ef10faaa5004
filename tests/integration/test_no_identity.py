"""No name, number, date of birth or original UID of a patient occurs anywhere outside the keys."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pydicom
import pytest

import lake
from schemas.tables import STORED
from tests.cohorts import Cohort

pytestmark = pytest.mark.xdist_group("prefect")

#: Elements whose original values must not be found. Dates of the study are shifted, not secret
#: as such: a date may occur by chance.
_SECRET_KEYWORDS = (
    "PatientName", "PatientID", "PatientBirthDate", "AccessionNumber", "ReferringPhysicianName",
    "InstitutionName", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID",
    "FrameOfReferenceUID", "PatientAddress", "OperatorsName", "StationName", "DeviceSerialNumber",
)  # fmt: skip


def _secrets(cohort: Cohort) -> set[str]:
    found: set[str] = set()
    for path in sorted(cohort.dicom.rglob("*.dcm"))[::7]:
        try:
            header = pydicom.dcmread(path, stop_before_pixels=True)
        except (pydicom.errors.InvalidDicomError, OSError):
            continue
        for keyword in _SECRET_KEYWORDS:
            value = str(header.get(keyword, "") or "")
            if len(value) >= 6:
                found.add(value)
                found.update(part for part in value.split("^") if len(part) >= 6)
    return found


def _lake_texts(location: Path) -> Iterator[tuple[str, str]]:
    """Everything in the lake as text: tables decompressed, and all other files as they are."""
    with lake.open(location, read_only=True) as lk:
        for table in STORED:
            rows = lk.sql(f'SELECT * FROM "{table.name}"').to_arrow_table()
            yield f"table {table.name}", str(rows.to_pylist())
        yield "snapshots", str([(s.message, s.author) for s in lk.snapshots()])
    for path in location.rglob("*"):
        relative = str(path.relative_to(location))
        yield f"name {relative}", relative
        if path.is_file() and path.name != "tracerlake.toml" and path.suffix != ".parquet":
            yield f"file {relative}", path.read_bytes().decode("latin-1")


def _prefect_texts() -> Iterator[tuple[str, str]]:
    """Prefect's database, all rows of all tables."""
    for database in Path(os.environ["PREFECT_HOME"]).rglob("*.db"):
        with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
            names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            for (name,) in names.fetchall():
                rows = connection.execute(f'SELECT * FROM "{name}"').fetchall()
                yield f"prefect {name}", str(rows)


def test_nothing_in_the_lake_or_in_prefect_identifies_a_patient(
    built_lake: Path, tiny_cohort: Cohort
) -> None:
    secrets = _secrets(tiny_cohort)
    assert (
        len(secrets) > 50
    )  # names, numbers and UIDs were found, so that the search means something
    checked = 0
    for where, text in (*_lake_texts(built_lake), *_prefect_texts()):
        leaked = [s for s in secrets if s in text]
        assert not leaked, f"{len(leaked)} identifiers in {where}"
        checked += 1
    assert checked > 50


def test_the_key_holder_can_go_back(built_lake: Path, tiny_cohort: Cohort) -> None:
    with lake.open(built_lake, read_only=True) as lk:
        keys = lk.keys()
        (patient,) = lk.sql("SELECT patient_key FROM series LIMIT 1").fetchall()[0]
        (file_key,) = lk.sql("SELECT file_key FROM quarantine LIMIT 1").fetchall()[0]
        (series,) = lk.sql("SELECT series_instance_uid FROM series LIMIT 1").fetchall()[0]
    known = keys.patient(patient)
    assert known is not None
    assert known[1].startswith("SIM-")
    location = keys.location(file_key)
    assert location is not None
    assert location.startswith(tiny_cohort.dicom.resolve().as_uri())
    assert keys.original_uid(series) is not None
