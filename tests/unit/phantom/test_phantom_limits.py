"""The limits are those of the file, keep their status, and values are held against them."""

from __future__ import annotations

from pathlib import Path

import pytest

from schemas.errors import InvalidInputError
from tasks.phantom import SphereRecovery, judge, limits, overall, read_limits, standards
from tasks.phantom.limits import calibration_limit


def sphere(diameter_mm: float, **coefficients: float) -> SphereRecovery:
    return SphereRecovery(diameter_mm, "hot", coefficients, coefficients, 1.0)


def test_bands_are_those_of_the_specification() -> None:
    """EARL accreditation specifications, January 2017: sphere of 22 mm, SUVmean 0.63 to 0.78."""
    band = limits("EARL1", "SUVmean_A50")
    assert (band[22.0].low, band[22.0].high) == (0.63, 0.78)
    assert len(band) == 6
    assert all(limit.is_verified for limit in band.values())


def test_limits_from_memory_are_never_verified() -> None:
    recalled = [limit for limit in read_limits() if limit.standard == "EARL2"]
    assert recalled
    assert not any(limit.is_verified for limit in recalled)
    peak = limits("EARL2", "SUVpeak_1ml_maxloc")
    assert {(limit.low, limit.status) for limit in peak.values()} == {(None, "missing")}


def test_standards_with_spheres() -> None:
    assert standards() == ("EARL1", "EARL2")


def test_calibration() -> None:
    limit = calibration_limit()
    assert (limit.low, limit.high, limit.status) == (0.90, 1.10, "verified")


@pytest.mark.parametrize(
    ("value", "verdict"),
    [
        (0.629, "fail"),
        (0.63, "pass"),
        (0.78, "pass"),
        (0.781, "fail"),
        (float("nan"), "not_measured"),
    ],
)
def test_the_ends_of_the_band_belong_to_it(value: float, verdict: str) -> None:
    (judged,) = judge([sphere(22.0, SUVmean_A50=value)], "EARL1")
    assert judged.verdict == verdict


def test_what_has_no_limit_is_not_passed() -> None:
    (judged,) = judge([sphere(22.0, SUVpeak_1ml_maxloc=0.9)], "EARL2")
    assert (judged.verdict, judged.limit_status) == ("no_limit", "missing")
    assert overall([judged]) == "no_limit"
    (unknown,) = judge([sphere(22.0, SUVpeak_1ml_maxloc=0.9)], "EARL1")
    assert (unknown.verdict, unknown.limit) == ("no_limit", None)


def test_one_value_outside_fails_the_phantom() -> None:
    inside = judge([sphere(22.0, SUVmean_A50=0.7)], "EARL1")
    outside = judge([sphere(10.0, SUVmax=0.3)], "EARL1")
    assert overall(inside) == "pass"
    assert overall([*inside, *outside]) == "fail"


def test_a_sphere_that_is_missing_fails_the_phantom() -> None:
    missing = SphereRecovery(10.0, "missing", {}, {}, float("nan"))
    judged = judge([sphere(22.0, SUVmean_A50=0.7), missing], "EARL1")
    assert overall(judged) == "fail"


def test_a_site_can_bring_its_own_limits(tmp_path: Path) -> None:
    own = tmp_path / "own.csv"
    own.write_text(
        "standard,tracer,metric,sphere_mm,sphere_ml,rc_min,rc_max,status,source\n"
        "OURS,18F,SUVmax,37,26.52,0.5,1.5,verified,trial protocol 3\n"
    )
    assert limits("OURS", "SUVmax", read_limits(own))[37.0].high == 1.5
    own.write_text("standard,metric\nOURS,SUVmax\n")
    with pytest.raises(InvalidInputError, match="columns missing: rc_max, rc_min"):
        read_limits(own)
    own.write_text(
        "standard,tracer,metric,sphere_mm,sphere_ml,rc_min,rc_max,status,source\n"
        "OURS,18F,SUVmax,37,26.52,1.5,0.5,verified,trial protocol 3\n"
    )
    with pytest.raises(InvalidInputError, match="no band"):
        read_limits(own)
