"""What a perfect scanner would show, reckoned by hand from the filling."""

from __future__ import annotations

from datetime import datetime, time

import pytest

from schemas.errors import InvalidInputError
from tasks.phantom.fill import Fill, HeaderFacts, fill_of, true_values

#: The console was told 10 kg and 30 MBq at 9:00.
HEADER = HeaderFacts(10.0, 30e6, datetime(2024, 3, 1, 9, 0), 6586.2)  # noqa: DTZ001  DICOM times have no zone


def test_the_same_activity_in_the_weight_as_volume_is_suv_one() -> None:
    fill = Fill(activity_mbq=30.0, volume_ml=10_000.0, assay_time=time(9, 0))
    assert true_values(fill, HEADER, "SUVbw", "cylinder").background == pytest.approx(1.0)


def test_an_assay_a_half_life_after_the_injection_counts_twice() -> None:
    """15 MBq at 10:49:46.2 are the 30 MBq of 9:00 (half-life 6586.2 s)."""
    fill = Fill(activity_mbq=15.0, volume_ml=10_000.0, assay_time=time(10, 49, 46, 200_000))
    assert true_values(fill, HEADER, "SUVbw", "cylinder").background == pytest.approx(1.0)


def test_an_assay_before_midnight_is_not_a_day_late() -> None:
    header = HeaderFacts(10.0, 30e6, datetime(2024, 3, 1, 0, 10), 6586.2)  # noqa: DTZ001
    fill = Fill(activity_mbq=30.0, volume_ml=10_000.0, assay_time=time(23, 50))
    # 20 minutes earlier: 30 MBq then are 30 x 2^(-1200/6586.2) at the injection
    expected = 2.0 ** (-1200.0 / 6586.2)
    assert true_values(fill, header, "SUVbw", "cylinder").background == pytest.approx(expected)


def test_spheres_from_their_stock_solution() -> None:
    fill = Fill(
        activity_mbq=30.0, volume_ml=10_000.0, sphere_activity_mbq=15.0, sphere_volume_ml=500.0
    )
    truth = true_values(fill, HEADER, "SUVbw", "iq")
    assert (truth.background, truth.sphere, truth.ratio) == pytest.approx((1.0, 10.0, 10.0))


def test_concentrations_as_given() -> None:
    fill = Fill(concentration_bqml=2000.0, ratio=4.0)
    truth = true_values(fill, HeaderFacts(), "Bq/ml", "iq")
    assert (truth.background, truth.sphere, truth.ratio) == (2000.0, 8000.0, 4.0)


def test_without_activities_the_ratio_alone_or_the_header_serve() -> None:
    only = true_values(Fill(ratio=10.0), HEADER, "SUVbw", "iq")
    assert (only.background, only.sphere, only.ratio) == (None, None, 10.0)
    plain = true_values(Fill(), HEADER, "SUVbw", "cylinder")
    assert plain.background == 1.0
    assert "header alone" in plain.source
    assert true_values(Fill(), HeaderFacts(), "1", "cylinder").background is None


@pytest.mark.parametrize(
    ("fill", "header", "unit", "said"),
    [
        (Fill(activity_mbq=30.0), HEADER, "SUVbw", "volume"),
        (Fill(activity_mbq=30.0, volume_ml=1.0), HeaderFacts(), "SUVbw", "no weight"),
        (
            Fill(activity_mbq=30.0, volume_ml=1.0, assay_time=time(9)),
            HeaderFacts(10.0, 30e6),
            "SUVbw",
            "no time of injection",
        ),
        (Fill(activity_mbq=30.0, volume_ml=1.0), HEADER, "CNTS", "without SUV"),
        (Fill(concentration_bqml=30.0), HEADER, "SUVbw", "image is in SUVbw"),
    ],
)
def test_what_cannot_be_reckoned_is_said(
    fill: Fill, header: HeaderFacts, unit: str, said: str
) -> None:
    with pytest.raises(InvalidInputError, match=said):
        true_values(fill, header, unit, "cylinder")


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"colour": "red"}, "unknown keys colour"),
        ({"ratio": "much"}, "ratio cannot be read"),
        ({"assay_time": "25:00"}, "assay_time cannot be read"),
        ({"ratio": -1}, "ratio: expected a positive number"),
        ({"kind": "pig"}, "kind: expected one of"),
    ],
)
def test_wrong_entries_are_refused_by_name(entry: dict[str, object], said: str) -> None:
    with pytest.raises(InvalidInputError, match=said):
        fill_of(entry)


def test_entries_of_toml_and_of_options_are_read_alike() -> None:
    assert fill_of({"assay_time": "09:30:00", "ratio": 10}) == fill_of(
        {"assay_time": time(9, 30), "ratio": 10.0}
    )
