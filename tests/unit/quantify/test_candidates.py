"""Candidates of the decay reference, with the factor that each would give: worked out by hand."""

from __future__ import annotations

import re

import pytest

from schemas.records import DecayCandidate
from tasks.quantify import derive_suv
from tests.unit.quantify.test_derive_suv import HALF_LIFE, factor, header


def candidates(**changes: object) -> dict[str, DecayCandidate]:
    return {c.rule: c for c in derive_suv([header(**changes)]).candidates}


def test_all_agree() -> None:
    """Injected at 10:00; series and acquisition at 11:00; mean of the frame after 149.605 s."""
    found = candidates()
    assert set(found) == {"series_time", "frame_reference_time", "acquisition_time"}
    assert [c.rule for c in found.values() if c.is_chosen] == ["series_time"]
    assert found["series_time"].first_s == 3600
    assert found["series_time"].factor == pytest.approx(factor(3600))
    assert found["series_time"].difference_percent == 0
    assert found["frame_reference_time"].first_s == pytest.approx(3600, abs=0.01)
    assert not found["acquisition_time"].is_considered


def test_late_series_time_is_computed_for_comparison() -> None:
    """12:30 is 5400 s after the acquisition: exp(lambda 5400) = 2^(5400 / 6586.2) = 1.765345."""
    late = candidates(SeriesTime="123000")["series_time"]
    assert (late.is_considered, late.is_chosen, late.first_s) == (False, False, 9000)
    assert late.difference_percent == pytest.approx(76.5345, abs=0.01)
    assert late.remark is not None
    assert "5400 s after" in late.remark


def test_ambiguous_series_keeps_its_candidates() -> None:
    """Back-computation gives 10:50, series and acquisition 11:00: nothing settles it."""
    slices = [header(reference_ms=749605), header(reference_ms=749605, acquisition="110001")]
    found = derive_suv(slices)
    assert (found.status, found.reason_code) == ("refused", "suv_decay_reference_ambiguous")
    by_rule = {c.rule: c for c in found.candidates}
    assert by_rule["frame_reference_time"].factor == pytest.approx(factor(3000.5), rel=1e-4)
    assert by_rule["frame_reference_time"].last_s == pytest.approx(3001, abs=0.1)
    assert not [c for c in found.candidates if c.is_chosen or c.difference_percent is not None]


def test_philips_ratio_is_evidence() -> None:
    """W/D of the vendor is that of one half-life after the injection."""
    ds = header(Units="BQML", Manufacturer="Philips Medical Systems")
    block = ds.private_block(0x7053, "Philips PET Private Group", create=True)
    block.add_new(0x00, "DS", f"{2 * 70_000 / 4e8 * 1.5:.9g}")
    block.add_new(0x09, "DS", "1.5")
    found = {c.rule: c for c in derive_suv([ds]).candidates}["philips_ratio"]
    assert found.first_s == pytest.approx(HALF_LIFE, rel=1e-6)
    assert found.factor == pytest.approx(3.5e-4)
    assert found.difference_percent == pytest.approx(100 * (3.5e-4 / factor(3600) - 1))


def test_counts_have_factors_of_counts() -> None:
    ds = header(Units="CNTS", Manufacturer="Philips Medical Systems")
    ds.private_block(0x7053, "Philips PET Private Group", create=True).add_new(0x09, "DS", "2.0")
    found = {c.rule: c for c in derive_suv([ds]).candidates}["series_time"]
    assert found.factor == pytest.approx(2 * factor(3600))


def test_injection_and_own_frames() -> None:
    (at_injection,) = derive_suv([header(DecayCorrection="ADMIN")]).candidates
    assert (at_injection.rule, at_injection.first_s, at_injection.is_chosen) == (
        "injection", 0, True,
    )  # fmt: skip
    uncorrected = {"DecayCorrection": "NONE", "CorrectedImage": ["ATTN"]}
    slices = [header(**uncorrected), header(acquisition="110500", **uncorrected)]
    (own,) = derive_suv(slices).candidates
    assert (own.rule, own.first_s, own.last_s, own.factor) == ("own_frame", 3600, 3900, None)


def test_scrubbed_dates_are_not_given_away() -> None:
    """The distance of a scrubbed date from a shifted one would tell the true date."""
    found = derive_suv([header(SeriesDate="19000101")])
    scrubbed = {c.rule: c for c in found.candidates}["series_time"]
    assert (scrubbed.first_s, scrubbed.last_s, scrubbed.factor) == (None, None, None)
    text = " ".join([*found.steps, *(c.remark or "" for c in found.candidates)])
    assert "over a day" in text
    assert re.search(r"[1-9]\d{5,} s\b", text) is None
