"""Is a run unusual? Hand-made rows of runs, and the bars drawn of them."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.report.trend import RunPoint, is_unusual, trend_svg, verdicts


def run(n_changed: int, n_quarantined: int = 0) -> RunPoint:
    return RunPoint(
        "r", datetime.fromisoformat("2026-01-02T02:00:00"), n_changed, n_quarantined, 1.0
    )


NORMAL = [run(n, n // 50) for n in (90, 100, 110, 100, 120, 80)]  # median 100, MAD 10


@pytest.mark.parametrize(
    ("n_changed", "expected"),
    [(100, False), (149, False), (151, True), (51, False), (49, True), (0, True)],
)
def test_the_limit_is_half_the_median_where_the_spread_is_small(
    n_changed: int, expected: bool
) -> None:
    # 3 x 1.4826 x MAD 10 = 44.5, below the floor of half the median: 50
    assert verdicts(run(n_changed), NORMAL)[0].is_unusual == expected


def test_a_wide_spread_widens_the_limit() -> None:
    earlier = [10.0, 100.0, 190.0]  # median 100, MAD 90: limit 400.3
    assert not is_unusual(500.0, earlier, floor=50.0)
    assert is_unusual(500.4, earlier, floor=50.0)


@pytest.mark.parametrize(("n_quarantined", "expected"), [(2, False), (6, False), (8, True)])
def test_quarantine_is_judged_by_its_share(n_quarantined: int, expected: bool) -> None:
    # the share was 1 to 2 % before: the floor of 5 percentage points decides
    found = verdicts(run(100, n_quarantined), NORMAL)
    assert [v.is_unusual for v in found] == [False, expected]
    assert f"{n_quarantined}.0% of them" in found[1].sentence


def test_too_few_runs_say_nothing_and_a_run_without_objects_has_no_share() -> None:
    assert [v.is_unusual for v in verdicts(run(5), NORMAL[:2])] == [False]
    assert len(verdicts(run(0), NORMAL)) == 1


@given(st.lists(st.tuples(st.integers(0, 10**7), st.integers(0, 10**7)), min_size=1, max_size=11))
def test_bars_of_any_numbers_stay_in_the_picture(numbers: list[tuple[int, int]]) -> None:
    svg = trend_svg([run(max(pair), min(pair)) for pair in numbers])
    root = ET.fromstring(svg)
    height = float(root.attrib["height"])
    rects = [e.attrib for e in root if e.tag == "rect"]
    assert len(rects) == 2 * len(numbers)
    for rect in rects:
        assert float(rect["y"]) >= 20.0
        assert float(rect["y"]) + float(rect["height"]) <= height
    shown = [e.text for e in root if e.tag == "text"][::3]
    assert shown == [f"{max(pair):,}" for pair in numbers]
    assert not re.search(r"http|url\(", svg)
