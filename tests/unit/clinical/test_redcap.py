"""REDCap exports, by hand and from REDCapR's test projects."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import pytest

from schemas.errors import InvalidInputError
from schemas.reasons import REASONS
from schemas.tables import TABLES
from tasks.clinical import ClinicalBatch, RedcapMapping, load_mapping, read_redcap_csv
from tasks.deidentify import IdentityPseudonymiser, Pseudonymiser

PSEUDONYMS = Pseudonymiser(b"0123456789abcdef", {"A": "centre-a"})
HEADER = (
    "record_id,redcap_event_name,centre,patient_id,age,sex,glucose_mgdl,stage,outcome_event,"
    "outcome_days,consent,study_date\n"
)
ROW = "1,baseline_arm_1,A,PAT-4711,64,F,99,IIIA,progression,212,yes,2024-03-01\n"


def _items(batch: ClinicalBatch) -> dict[str, object]:
    return {
        str(r["item"]): r["value_text"] if r["value_number"] is None else r["value_number"]
        for r in batch.rows["clinical_items"]
    }


def test_one_row_of_the_demo_cohort() -> None:
    batch = read_redcap_csv(HEADER + ROW, None, PSEUDONYMS)
    key = PSEUDONYMS.patient_key("PAT-4711")
    day = date(2024, 3, 1) + timedelta(days=PSEUDONYMS.shift_days(key))
    assert _items(batch) == {
        "age": 64.0, "glucose": pytest.approx(5.4952, abs=1e-4), "stage": "IIIA",
        "outcome_event": "progression", "outcome_days": 212.0,
    }  # fmt: skip
    (patient,) = batch.rows["patients"]
    assert (patient["patient_key"], patient["centre"], patient["sex"]) == (key, "centre-a", "F")
    assert patient["birth_year"] is None
    (consent,) = batch.rows["consents"]
    assert (consent["purpose"], consent["consent_status"]) == ("research", "permit")
    assert consent["valid_from"] == day
    assert {r["item_date"] for r in batch.rows["clinical_items"]} == {day}
    assert (batch.rejected, batch.unknown, batch.n_records) == ((), {}, 1)
    assert batch.identities == (
        {"patient_key": key, "patient_id": "PAT-4711", "issuer_of_patient_id": ""},
    )


def test_original_value_and_unit_are_kept() -> None:
    batch = read_redcap_csv(HEADER + ROW, None, PSEUDONYMS)
    (glucose,) = (r for r in batch.rows["clinical_items"] if r["item"] == "glucose")
    assert (glucose["original_value"], glucose["original_unit"], glucose["unit"]) == (
        "99.0", "mg/dL", "mmol/L",
    )  # fmt: skip


def test_what_protocol_checks_look_at() -> None:
    columns = ",weight,fasting_h,injected_activity_mbq,residual_activity_mbq,injection_time\n"
    row = ROW.removesuffix("\n") + ",81.5,6,251.5,4.2,10:35\n"
    items = _items(read_redcap_csv(HEADER.removesuffix("\n") + columns + row, None, PSEUDONYMS))
    assert {k: v for k, v in items.items() if k in ("weight", "fasting")} == {
        "weight": 81.5, "fasting": 6.0,
    }  # fmt: skip
    assert (items["injected_activity"], items["residual_activity"]) == (251.5, 4.2)
    assert items["injection_time"] == pytest.approx(10 + 35 / 60)
    late = ROW.removesuffix("\n") + ",,,,,25:61\n"
    batch = read_redcap_csv(HEADER.removesuffix("\n") + columns + late, None, PSEUDONYMS)
    assert [(r.path, r.reason_code) for r in batch.rejected] == [
        ("line 2: injection_time", "invalid_attribute")
    ]


def test_rows_fit_their_tables() -> None:
    batch = read_redcap_csv(HEADER + ROW, None, PSEUDONYMS)
    for name, rows in batch.rows.items():
        for row in rows:
            assert set(row) == set(TABLES[name].columns) - {"run_id"}
            assert all(row[k] is not None for k in TABLES[name].key)


def test_ages_above_89_are_one_group_even_in_the_original() -> None:
    batch = read_redcap_csv(HEADER + ROW.replace(",64,", ",93,"), None, PSEUDONYMS)
    (age,) = (r for r in batch.rows["clinical_items"] if r["item"] == "age")
    assert (age["value_number"], age["original_value"]) == (90.0, None)
    assert "93" not in str(batch.rows["clinical_items"])


def test_what_is_refused_says_where_and_why_without_the_value() -> None:
    bad = "2,b,A,PAT-2,old,female-ish,5.5,VII,,-3,perhaps,01.03.2024\n3,b,A,,50,M,,,,,,\n"
    batch = read_redcap_csv(HEADER + ROW + bad, None, PSEUDONYMS)
    places = [(r.path, r.reason_code) for r in batch.rejected]
    assert places == [
        ("line 3: study_date", "invalid_attribute"),
        ("line 3: sex", "invalid_attribute"),
        ("line 3: age", "invalid_attribute"),
        ("line 3: glucose_mgdl", "invalid_attribute"),
        ("line 3: stage", "invalid_attribute"),
        ("line 3: outcome_days", "invalid_attribute"),
        ("line 3: consent", "invalid_attribute"),
        ("line 4: patient_id", "missing_attribute"),
    ]
    text = str(batch.rejected)
    assert not any(v in text for v in ("old", "female", "VII", "perhaps", "PAT-2", "01.03"))
    assert {r.reason_code for r in batch.rejected} <= set(REASONS)
    assert len(_items(batch)) == 5  # the good row is untouched


def test_names_notes_and_birth_dates_never_come_along() -> None:
    header = HEADER.replace("record_id", "record_id,name,dob,notes")
    row = ROW.replace("1,", '1,"Zwiebel, Zora",1960-05-06,"Called her daughter\nZelda",', 1)
    batch = read_redcap_csv(header + row, None, PSEUDONYMS)
    assert batch.unknown == {"column dob": 1, "column name": 1, "column notes": 1}
    assert not any(v in str(batch) for v in ("Zwiebel", "Zora", "Zelda", "1960"))
    assert "PAT-4711" not in str(batch.rows)
    assert len(_items(batch)) == 5


def test_several_events_of_one_patient() -> None:
    later = "1,followup_arm_1,,PAT-4711,65,,110,,,,,2024-09-01\n"
    batch = read_redcap_csv(HEADER + ROW + later, None, PSEUDONYMS)
    assert len(batch.rows["patients"]) == 1
    assert len({r["record_key"] for r in batch.rows["clinical_items"]}) == 2
    days = sorted({r["item_date"] for r in batch.rows["clinical_items"]}, key=str)
    assert (days[1] - days[0]).days == 184  # type: ignore[operator]
    assert batch.rejected == ()


def test_the_same_record_twice_is_noticed() -> None:
    batch = read_redcap_csv(HEADER + ROW + ROW, None, PSEUDONYMS)
    assert len(batch.rows["clinical_items"]) == 5
    assert len(batch.rejected) == 5
    assert "comes twice" in batch.rejected[0].detail


def test_reading_twice_gives_the_same() -> None:
    other = Pseudonymiser(PSEUDONYMS.secret, PSEUDONYMS.centres)
    assert read_redcap_csv(HEADER + ROW, None, PSEUDONYMS) == read_redcap_csv(
        HEADER + ROW, None, other
    )


def test_without_deidentification_nothing_is_shifted() -> None:
    batch = read_redcap_csv(HEADER + ROW, None, IdentityPseudonymiser())
    assert batch.rows["patients"][0]["patient_key"] == "PAT-4711"
    assert batch.rows["consents"][0]["valid_from"] == date(2024, 3, 1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("\n", "is empty"),
        ("a,b\n1,2\n", "'patient_id' .* is not among the 2 columns"),
        (HEADER + '1,"never closed\n', "damaged near line"),
    ],
)
def test_errors_a_person_can_act_on(text: str, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        read_redcap_csv(text, None, PSEUDONYMS)


def test_files_with_bom_or_of_a_spreadsheet(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="cannot be read"):
        read_redcap_csv(tmp_path / "none.csv", None, PSEUDONYMS)
    path = tmp_path / "x.csv"
    expected = read_redcap_csv(HEADER + ROW, None, PSEUDONYMS)
    path.write_bytes(b"\xef\xbb\xbf" + (HEADER + ROW).encode())
    assert read_redcap_csv(str(path), None, PSEUDONYMS) == expected
    path.write_bytes((HEADER + ROW.replace("A,", "Köln,", 1)).encode("cp1252"))
    assert read_redcap_csv(path, None, PSEUDONYMS).rows["patients"][0][
        "centre"
    ] == PSEUDONYMS.centre("Köln")


MAPPING = """
id_column = "record_id"
record_columns = ["record_id"]
decimal = "{decimal}"
[[items]]
item = "sex"
column = "sex"
choices = {{ 0 = "F", 1 = "M", FALSE = "F", TRUE = "M" }}
[[items]]
item = "age"
column = "age"
unit = "a"
[[items]]
item = "weight"
column = "weight"
unit = "kg"
"""


def _mapping(tmp_path: Path, decimal: str = ".") -> RedcapMapping:
    path = tmp_path / "mapping.toml"
    path.write_text(MAPPING.format(decimal=decimal))
    return load_mapping(path, RedcapMapping)


def test_redcap_project_simple(reference_data: Callable[[str], Path], tmp_path: Path) -> None:
    path = reference_data("redcap-projects") / "simple" / "data.csv"
    batch = read_redcap_csv(path, _mapping(tmp_path), PSEUDONYMS)
    assert batch.n_records == 5
    assert len(batch.rows["patients"]) == 5
    numbers = [r["value_number"] for r in batch.rows["clinical_items"] if r["item"] == "age"]
    assert 11.0 in numbers
    assert batch.unknown["column name_first"] == 5
    assert not any(v in str(batch) for v in ("Nutmeg", "Nutmouse", "Rose Cottage", "nutty@"))


def test_redcap_project_with_decimal_comma(
    reference_data: Callable[[str], Path], tmp_path: Path
) -> None:
    path = reference_data("redcap-projects") / "decimal-comma" / "data.csv"
    batch = read_redcap_csv(path, _mapping(tmp_path, ","), PSEUDONYMS)
    numbers = {r["value_number"] for r in batch.rows["clinical_items"]}
    assert {52.3, 92.3} <= numbers


@pytest.mark.parametrize(
    "project",
    ["arm-single-longitudinal", "checkboxes-1", "repeating-instruments", "validation-types-1"],
)
def test_every_other_project_reads(
    project: str, reference_data: Callable[[str], Path], tmp_path: Path
) -> None:
    path = reference_data("redcap-projects") / project / "data.csv"
    batch = read_redcap_csv(path, _mapping(tmp_path), PSEUDONYMS)
    assert batch.n_records >= 1
    assert len(batch.rows["patients"]) >= 1


START = 'id_column = "a"\nrecord_columns = []\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id_column = ", "mapping"),
        (f"{START}items = []\ncolour = 1", "colour"),
        (f'{START}[[items]]\nitem = "iq"\ncolumn = "b"', "items.0.item"),
        (f'{START}[[items]]\nitem = "age"\ncolumn = "b"', "needs a unit"),
    ],
)
def test_mappings_with_mistakes(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "m.toml"
    path.write_text(text)
    with pytest.raises(InvalidInputError, match=message):
        load_mapping(path, RedcapMapping)


def test_a_mapping_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="cannot be read"):
        load_mapping(tmp_path / "m.toml", RedcapMapping)
