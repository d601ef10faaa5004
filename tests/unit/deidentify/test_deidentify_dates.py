"""Shifting dates: every form that DA and DT may take."""

from __future__ import annotations

from datetime import date

import pytest

from tasks.deidentify.dates import age_at, cap_age, keep_tm, shift_da, shift_date, shift_dt


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("20240301", "20240223"),
        ("20240301 ", "20240223"),
        ("2024.03.01", "2024.02.23"),
        ("20240301-20240310", "20240223-20240303"),
        ("20240301-", "20240223-"),
        ("-20240310", "-20240303"),
        ("202403", "202403"),  # the middle of March, 15th, less 7 days
        ("2024", "2024"),
        ("", ""),
        ("00000000", ""),
        ("20240230", ""),
        ("2024-03-01", ""),  # three parts: not DICOM, so not known to be safe
        ("Mustermann", ""),
        ("20240301MUSTER", ""),
        ("-", ""),
    ],
)
def test_da_back_one_week(text: str, expected: str) -> None:
    assert shift_da(text, -7) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("20240301103000", "20240223103000"),
        ("20240301103000.123456", "20240223103000.123456"),
        ("20240301103000.1+0100", "20240223103000.1+0100"),
        ("20240301103000-0500", "20240223103000-0500"),
        ("202403011030", "202402231030"),
        ("2024030110", "2024022310"),
        ("20240301", "20240223"),
        ("20240301\0", "20240223"),
        ("202403", "202403"),
        ("2024+0100", "2024+0100"),
        ("20240301103000-20240310103000", "20240223103000-20240303103000"),
        ("20240301103000+0100-20240310103000+0100", "20240223103000+0100-20240303103000+0100"),
        ("20240301-", "20240223-"),
        ("20240301103000 Doe", ""),
        ("", ""),
    ],
)
def test_dt_back_one_week(text: str, expected: str) -> None:
    assert shift_dt(text, -7) == expected


def test_ten_years_cross_leap_days() -> None:
    # 3647 days before 2024-02-29: 10 years are 3652 days (2016, 2020 and 2024-02-29 itself... by
    # the calendar, 2014-03-01 + 3652 d = 2024-02-29), so 2014-03-06.
    assert shift_da("20240229", -3647) == "20140306"
    assert date(2024, 2, 29).toordinal() - date(2014, 3, 6).toordinal() == 3647


def test_before_the_calendar() -> None:
    assert shift_date(date(1, 1, 5), -7) is None
    assert shift_da("00010105", -7) == ""


@pytest.mark.parametrize("text", ["10", "1030", "103000", "103000.5", "10:30:00", "103000-113000"])
def test_times_stay(text: str) -> None:
    assert keep_tm(text) == text


def test_what_is_no_time_goes() -> None:
    assert keep_tm("Doe") == ""


@pytest.mark.parametrize(
    ("text", "expected"),
    [("045Y", "045Y"), ("089Y", "089Y"), ("090Y", "090Y"), ("105Y", "090Y"), ("018M", "018M"),
     ("010W", "010W"), ("003D", "003D"), ("45Y", ""), ("Doe", "")],
)  # fmt: skip
def test_ages_above_89_are_one_group(text: str, expected: str) -> None:
    assert cap_age(text) == expected


def test_age_from_the_birth_date() -> None:
    assert age_at("19600301", "20240229") == "063Y"
    assert age_at("19600301", "20240301") == "064Y"
    assert age_at("1960.03.01", "20240301") == "064Y"
    assert age_at("19300101", "20240301") == "090Y"
    assert age_at("1960", "20240301") == age_at("20250101", "20240301") == ""
