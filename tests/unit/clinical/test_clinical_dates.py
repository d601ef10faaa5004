"""Days in clinical data."""

from __future__ import annotations

from datetime import date

import pytest

from schemas.errors import RejectedObjectError
from tasks.clinical.dates import birth_year, parse_day, parse_fhir_day, shifted


@pytest.mark.parametrize(
    ("text", "order"),
    [("2024-03-01", "ymd"), ("2024-03-01 10:30", "ymd"), ("2024/3/1", "ymd"),
     ("01.03.2024", "dmy"), ("03/01/2024", "mdy"), ("2024-03-01T10:30", "ymd")],
)  # fmt: skip
def test_days_in_every_order(text: str, order: str) -> None:
    assert parse_day(text, order) == date(2024, 3, 1)


@pytest.mark.parametrize("text", ["2024-02-30", "2024-13-01", "March", "", "20240301", "24"])
def test_what_is_no_day(text: str) -> None:
    with pytest.raises(RejectedObjectError, match="order ymd"):
        parse_day(text)


def test_fhir_days_are_those_written() -> None:
    assert parse_fhir_day("2024-03-01") == date(2024, 3, 1)
    assert parse_fhir_day("2024-03-01T00:30:00+02:00") == date(2024, 3, 1)
    for partial in ("2024", "2024-03", "2024-02-30", "", None, 5):
        assert parse_fhir_day(partial) is None


def test_shift_and_birth_year() -> None:
    assert shifted(date(2024, 3, 1), -7) == date(2024, 2, 23)
    assert shifted(None, -7) is None
    as_of = date(2026, 6, 1)
    assert birth_year(date(1960, 1, 3), -7, as_of) == 1959
    assert birth_year(date(1937, 1, 3), 0, as_of) == 1937
    assert birth_year(date(1936, 12, 31), 0, as_of) is None
    assert birth_year(None, 0, as_of) is None
