"""Canonical units and codes, against numbers worked out by hand."""

from __future__ import annotations

import pytest

from schemas.errors import RejectedObjectError
from tasks.clinical.model import NUMBERS, canonical_code, canonical_number, parse_number


@pytest.mark.parametrize(
    ("item", "value", "unit", "expected"),
    [
        # C6H12O6: 6 x 12.011 + 12 x 1.008 + 6 x 15.999 = 180.156 g/mol; 100 mg/dl = 1 g/l.
        ("glucose", 100.0, "mg/dL", 1000 / 180.156),
        ("glucose", 90.0, "mg/dl", 4.99567),
        ("glucose", 180.156, "MG/DL", 10.0),
        ("glucose", 5.5, "mmol/l", 5.5),
        ("weight", 71_000.0, "g", 71.0),
        ("weight", 100.0, "lb", 45.359237),
        ("age", 60.0, "years", 60.0),
        ("age", 18.0, "mo", 1.5),
        ("age", 93.0, "a", 90.0),
        ("age", 89.0, "a", 89.0),
        ("outcome_days", 2.0, "wk", 14.0),
        ("injected_activity", 10.0, "mCi", 370.0),  # 1 Ci = 37 GBq
        ("residual_activity", 4.2e6, "Bq", 4.2),
        ("fasting", 390.0, "min", 6.5),
        ("outcome_days", 1.0, "a", 365.25),
    ],
)
def test_numbers(item: str, value: float, unit: str, expected: float) -> None:
    assert canonical_number(item, value, unit) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("item", "value", "unit"),
    [
        ("glucose", 5.5, "mg/dL"),  # mmol/l taken for mg/dl
        ("glucose", 100.0, "mmol/L"),
        ("glucose", 100.0, "furlong"),
        ("glucose", 100.0, ""),
        ("weight", 71.0, "a"),
        ("weight", float("nan"), "kg"),
        ("weight", 0.0, "kg"),
        ("age", -1.0, "a"),
        ("outcome_days", -5.0, "d"),
    ],
)
def test_what_cannot_be_true_is_refused(item: str, value: float, unit: str) -> None:
    with pytest.raises(RejectedObjectError) as caught:
        canonical_number(item, value, unit)
    assert caught.value.reason_code == "invalid_attribute"
    assert "furlong" not in str(caught.value)


def test_canonical_units_convert_to_themselves() -> None:
    assert all(item.factors[item.unit] == 1.0 for item in NUMBERS.values())


@pytest.mark.parametrize(
    ("item", "value", "expected"),
    [
        ("stage", "III", "III"), ("stage", " Stadium  iiib ", "IIIB"), ("stage", "UICC IVA", "IVA"),
        ("stage", "IA2", "IA2"), ("sex", "female", "F"), ("sex", "W", "F"), ("sex", "M", "M"),
        ("sex", "divers", "O"), ("consent", "Yes", "permit"), ("consent", "nein", "deny"),
        ("consent", "permit", "permit"), ("outcome_event", "Death", "death"),
        ("outcome_event", "relapse", "recurrence"),
    ],
)  # fmt: skip
def test_codes(item: str, value: str, expected: str) -> None:
    assert canonical_code(item, value) == expected


@pytest.mark.parametrize(
    ("item", "value"),
    [("stage", "V"), ("stage", "Mrs Doe has stage III"), ("sex", "neutrum"), ("consent", "maybe"),
     ("outcome_event", "fell down the stairs on Monday")],
)  # fmt: skip
def test_free_text_never_passes_nor_shows(item: str, value: str) -> None:
    with pytest.raises(RejectedObjectError) as caught:
        canonical_code(item, value)
    assert value not in str(caught.value)


def test_numbers_as_typed() -> None:
    assert parse_number(" 52.3 ") == 52.3
    assert parse_number("52,3", decimal=",") == 52.3
    assert parse_number("1.234,5", decimal=",") == 1234.5
    assert parse_number("-1e3") == -1000.0
    for text in ("52,3", "about 5", "", "nan", "inf", "0x10", "<5"):
        with pytest.raises(RejectedObjectError, match="expected a number"):
            parse_number(text)
