"""Properties of time parsing, decay and body formulas."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import RejectedObjectError
from schemas.records import Row, SuvDerivation
from schemas.spect_calibrations import SpectCalibration
from tasks.quantify import derive_suv
from tasks.quantify.body import (
    MASS_FORMULAS,
    body_surface_m2,
    lbm_janmahasatian,
    normalising_mass_kg,
)
from tasks.quantify.calibration import becquerel_per_count
from tasks.quantify.decay import average_count_time, frame_decay_factor, remaining_fraction
from tasks.quantify.dose import activity_bq, mass_kg
from tasks.quantify.halflife import NUCLIDES, nuclide_by_half_life, nuclide_by_text
from tasks.quantify.normalisations import normalisations
from tasks.quantify.times import parse_date, parse_datetime, parse_offset, parse_time
from tests.unit.quantify.test_derive_suv import header

weights, heights = st.floats(30, 250), st.floats(120, 220)


@given(st.dates(date(1000, 1, 1)))
def test_dates_round_trip(day: date) -> None:
    assert parse_date(day.strftime("%Y%m%d").zfill(8)) == day
    assert parse_date(day.strftime("%Y.%m.%d").zfill(10)) == day


@given(st.times(), st.integers(0, 6))
def test_times_round_trip_to_their_precision(clock: time, digits: int) -> None:
    fraction = f".{clock.microsecond:06d}"[: digits + 1] if digits else ""
    found = parse_time(clock.strftime("%H%M%S") + fraction + " ")
    kept = int(f"{clock.microsecond:06d}"[:digits].ljust(6, "0")) if digits else 0
    assert found == clock.replace(microsecond=kept)


@given(st.text(max_size=30))
def test_no_text_breaks_the_parsers(text: str) -> None:
    for parse in (parse_date, parse_time, parse_datetime, parse_offset, nuclide_by_text):
        parse(text)  # a value or None, never an exception


@given(
    st.datetimes(datetime.fromisoformat("1950-01-01"), datetime.fromisoformat("2100-01-01")),
    st.integers(-12 * 4, 14 * 4),
    st.integers(-12 * 4, 14 * 4),
)
def test_offsets_keep_the_instant(moment: datetime, quarters: int, local_quarters: int) -> None:
    zone = timezone(timedelta(minutes=15 * quarters))
    local = timezone(timedelta(minutes=15 * local_quarters))
    text = moment.strftime("%Y%m%d%H%M%S.%f") + moment.replace(tzinfo=zone).strftime("%z")
    found = parse_datetime(text, local)
    assert found is not None
    assert found.replace(tzinfo=local) == moment.replace(tzinfo=zone)
    assert parse_datetime(text) == moment  # without a zone of its own, the offset is the local one


@given(weights, heights, st.sampled_from(["M", "F", "O"]), st.sampled_from(sorted(MASS_FORMULAS)))
def test_other_sex_lies_between(weight: float, height: float, sex: str, kind: str) -> None:
    sides = [MASS_FORMULAS[kind](weight, height, male=male) for male in (True, False)]
    if min(sides) <= 0:
        with pytest.raises(RejectedObjectError, match="suv_size_implausible"):
            normalising_mass_kg(kind, weight, height, "O")
    else:
        found = normalising_mass_kg(kind, weight, height, sex)
        assert min(sides) * 0.999999 <= found <= max(sides) * 1.000001


@given(weights, heights, st.booleans(), st.floats(0.1, 20))
def test_janmahasatian_grows_with_weight_and_stays_below_it(
    weight: float, height: float, male: bool, more: float
) -> None:
    lean = lbm_janmahasatian(weight, height, male=male)
    assert 0 < lean < lbm_janmahasatian(weight + more, height, male=male)
    assert lean < 9270 * weight / 6680


@given(weights, heights, st.floats(1.01, 2))
def test_body_surface_scales_as_its_powers(weight: float, height: float, ratio: float) -> None:
    base = body_surface_m2(weight, height)
    assert body_surface_m2(weight * ratio, height) == pytest.approx(base * ratio**0.425)
    assert body_surface_m2(weight, height * ratio) == pytest.approx(base * ratio**0.725)


@given(st.floats(0.001, 1e5), st.floats(60, 1e7))
def test_average_count_time_is_where_activity_equals_its_mean(duration: float, life: float) -> None:
    at = average_count_time(duration, life)
    assert 0 < at <= duration / 2 * (1 + 1e-6)
    mean = 1 / frame_decay_factor(duration, life)
    assert remaining_fraction(at, life) == pytest.approx(mean, rel=1e-6)


@given(st.floats(1e6, 1e10))
def test_dose_in_either_unit_is_the_same_activity(activity: float) -> None:
    assert activity_bq(activity) == (activity, False)
    if activity < 1e10:
        assert activity_bq(activity / 1e6)[0] == pytest.approx(activity)


@given(st.floats(1.001, 499))
def test_weight_in_grams_is_the_same_weight(weight: float) -> None:
    assert mass_kg(weight * 1000)[0] == pytest.approx(mass_kg(weight)[0])


@given(st.sampled_from(NUCLIDES))
def test_every_nuclide_is_found_by_its_half_life_and_name(nuclide: object) -> None:
    assert isinstance(nuclide, type(NUCLIDES[0]))
    found = nuclide_by_half_life(nuclide.longest_s)
    assert found is not None
    assert found.fits(nuclide.longest_s)
    element, mass = nuclide.name.split("-")
    for text in (nuclide.name, f"{mass}{element}", f"^{mass}^{element}", f"{mass} {element}"):
        assert nuclide_by_text(text) is nuclide


@given(
    st.integers(-4000, 4000), st.integers(-30, 4 * 3600), st.integers(0, 900), st.integers(0, 3600)
)
def test_shifted_dates_change_no_candidate(
    days: int, uptake_s: int, late_s: int, bed_s: int
) -> None:
    """De-identification shifts by whole days; what `decay_references` holds is relative."""

    def derived(day: date) -> SuvDerivation:
        injected = datetime.combine(day, time(9))
        start = injected + timedelta(seconds=uptake_s)
        slices = []
        for offset in (0, bed_s):
            ds = header(
                acquisition=(start + timedelta(seconds=offset)).strftime("%H%M%S"),
                reference_ms=1000 * offset + 149605,
                SeriesTime=(start + timedelta(seconds=late_s)).strftime("%H%M%S"),
                RadiopharmaceuticalStartTime=injected.strftime("%H%M%S"),
            )
            ds.SeriesDate = ds.AcquisitionDate = day.strftime("%Y%m%d")
            slices.append(ds)
        return derive_suv(slices)

    before, after = derived(date(2025, 3, 10)), derived(date(2025, 3, 10) + timedelta(days=days))
    assert before.candidates == after.candidates
    assert before.normalisations == after.normalisations
    chosen = [c for c in before.candidates if c.is_chosen]
    assert len(chosen) == (before.status == "suv")
    for candidate in chosen:
        assert candidate.factor == pytest.approx(before.factors[0], rel=1e-12)
        assert candidate.difference_percent == 0


@given(weights, heights.map(lambda cm: cm / 100), st.sampled_from("MFO"))
def test_kinds_of_suv_are_multiples_of_suvbw(weight: float, size: float, sex: str) -> None:
    found = {n.name: n for n in normalisations(weight, size, sex)}
    for n in found.values():
        if n.per_suvbw is None:
            assert n.reason_code == "suv_size_implausible"  # lean mass left its range
            continue
        grams_or_cm2 = (n.measure or 0) * (1000 if n.measure_unit == "kg" else 1)
        assert n.per_suvbw * weight * 1000 == pytest.approx(grams_or_cm2, rel=1e-12)
        assert n.per_suvbw > 0
    if sex == "O":
        male, female = ({n.name: n.measure for n in normalisations(weight, size, s)} for s in "MF")
        janma = found["suv_lbm_janma"].measure
        both = (male["suv_lbm_janma"] or 0) + (female["suv_lbm_janma"] or 0)
        assert janma == pytest.approx(both / 2)


@given(st.floats(0.5, 60), st.integers(1, 500), st.floats(1e-3, 1), st.floats(1, 200))
def test_calibration_is_inverse_to_time_volume_and_factor(
    view_s: float, n_views: int, volume_ml: float, cps_per_mbq: float
) -> None:
    """Counts of 1 Bq/ml, times Bq/ml per count, are 1 Bq/ml."""
    calibration = SpectCalibration(
        id="a", model="m", nuclide="Lu-177", collimator="MELP", cps_per_mbq=cps_per_mbq, source="s"
    )
    scan: Row = {"view_duration_s": view_s, "n_views": n_views, "voxel_volume_ml": volume_ml}
    per_count = becquerel_per_count(calibration, scan)
    counts = 1e-6 * volume_ml * view_s * n_views * cps_per_mbq
    assert per_count is not None
    assert counts * per_count == pytest.approx(1, rel=1e-12)
