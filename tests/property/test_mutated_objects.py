"""Hypothesis looks for damage that an object does not survive with a defined outcome."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.fuzz_case import FuzzCase, make_case, settle
from tests.support.fuzz_seeds import hand_made_seeds, real_seeds
from tests.support.mutation import MUTATIONS, mutate

SEEDS = hand_made_seeds()
#: Nested and flooded headers are slow, so that each is tried less often.
_SLOW = {"flood", "nesting", "deflated"}


@st.composite
def damaged_series(draw: st.DrawFn) -> tuple[bytes, ...]:
    """A healthy series of which one object is damaged, once or in several ways."""
    contents = list(SEEDS[draw(st.sampled_from(sorted(SEEDS)))])
    place = draw(st.integers(0, len(contents) - 1))
    quick = sorted(set(MUTATIONS) - _SLOW)
    for kind in draw(st.lists(st.sampled_from(quick), min_size=1, max_size=3)):
        rng = random.Random(draw(st.integers(0, 2**32)))
        contents[place] = mutate(contents[place], kind, rng)
    return tuple(contents)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(damaged_series())
def test_every_object_ends_with_a_reason(contents: tuple[bytes, ...]) -> None:
    assert "internal_error" not in settle(contents)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(sorted(SEEDS)), st.lists(st.tuples(st.integers(0), st.binary(max_size=8)),
                                               min_size=1, max_size=6))  # fmt: skip
def test_bytes_written_over(name: str, edits: list[tuple[int, bytes]]) -> None:
    """What Hypothesis can shrink: the smallest edit that does harm."""
    contents = list(SEEDS[name])
    spoilt = bytearray(contents[0])
    for place, value in edits:
        at = 128 + place % (len(spoilt) - 128)
        spoilt[at : at + len(value)] = value
    contents[0] = bytes(spoilt)
    assert "internal_error" not in settle(contents)


@pytest.mark.parametrize("kind", sorted(_SLOW))
def test_slow_kinds(kind: str) -> None:
    number = list(MUTATIONS).index(kind)
    for turn in range(6):
        case = make_case(number + turn * len(MUTATIONS), SEEDS)
        assert case.mutation == kind
        assert "internal_error" not in settle(case.contents)


def _cases(seeds: Mapping[str, list[bytes]], numbers: range) -> list[FuzzCase]:
    return [make_case(number, seeds) for number in numbers]


@pytest.mark.reference
def test_damaged_real_objects(reference_data: Callable[[str], Path]) -> None:
    base = reference_data("pet-ge-sts001").parent
    seeds = real_seeds(base)
    assert len(seeds) > 10
    for case in _cases(seeds, range(160)):
        if case.mutation not in _SLOW:
            assert "internal_error" not in settle(case.contents), case.number


def test_a_case_is_named_by_its_number() -> None:
    first, second = make_case(78, SEEDS), make_case(78, SEEDS)
    assert first == second
    assert first.contents != tuple(SEEDS[first.series])


@pytest.mark.parametrize("kind", sorted(MUTATIONS))
def test_every_kind_changes_objects(kind: str) -> None:
    """A mutation that changes nothing would test nothing."""
    content = SEEDS["pet-explicit"][0]
    changed = [mutate(content, kind, random.Random(n)) != content for n in range(30)]
    assert sum(changed) >= 25


@pytest.mark.parametrize("name", sorted(SEEDS))
def test_undamaged_seeds_are_ingested(name: str) -> None:
    assert set(settle(SEEDS[name])) == {"ingested"}
