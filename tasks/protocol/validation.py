"""What is wrong with a protocol, as sentences that name the key and what was expected there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from itertools import pairwise
from string import Formatter
from typing import Any, Final

from tasks.ingest.tracer import TRACER_NAMES
from tasks.protocol.model import Conditions, Limit, Protocol, Rule
from tasks.protocol.quantities import QUANTITIES
from tasks.protocol.quantity import Quantity
from tasks.quantify.halflife import NUCLIDES

_NUCLIDE_NAMES: Final = frozenset(n.name for n in NUCLIDES)
_MODALITIES: Final = frozenset({"PT", "NM"})
_KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    "": (*Protocol.model_fields, "extends"),
    "rule": tuple(Rule.model_fields),
    "applies": tuple(Conditions.model_fields),
    "limit": tuple(Limit.model_fields),
}
_FITTING: Final = {"number": ("min", "max"), "words": ("all_of",), "truth": ("equals",)}
_SHORTER: Final = {
    "extra_forbidden": "unknown key",
    "missing": "is required",
    "float_type": "expected a number",
    "float_parsing": "expected a number",
    "bool_type": "expected true or false",
    "bool_parsing": "expected true or false",
    "int_type": "expected a whole number",
    "int_parsing": "expected a whole number",
    "string_type": "expected text",
    "string_too_short": "must not be empty",
    "model_type": "expected a table",
    "dict_type": "expected a table of rules",
    "mapping_type": "expected a table of rules",
    "tuple_type": "expected a list",
}


def sentence_of(error: Mapping[str, Any]) -> str:
    """Make a sentence of one error of pydantic; the value itself is not repeated."""
    place = [str(part) for part in error["loc"] if part != "[key]"]
    at = ".".join(place)
    if error["type"] == "extra_forbidden":
        known = _KEYS[_kind_of(place[:-1])]
        return f"{at}: unknown key{_hint(place[-1], known)}"
    if error["type"] == "string_pattern_mismatch":
        return f"{at}: expected letters, digits, '.', '_' or '-'"
    if error["type"] == "literal_error":
        return f"{at}: expected {error['ctx']['expected']}"
    return f"{at}: {_SHORTER.get(error['type'], str(error['msg']))}"


def _kind_of(place: list[str]) -> str:
    if not place:
        return ""
    if place[-1] == "applies":
        return "applies"
    return "limit" if place[-1] in ("fail", "warn", "info") else "rule"


def problems(protocol: Protocol) -> list[str]:
    """Say what is wrong although every key has the right type."""
    found = [
        f"rules.{rule_id}.{problem}"
        for rule_id, rule in protocol.rules.items()
        for problem in _problems(rule)
    ]
    return found if protocol.rules else ["rules: expected at least one"]


def _problems(rule: Rule) -> Iterator[str]:
    quantity = QUANTITIES.get(rule.quantity)
    if quantity is None:
        yield f"quantity: there is no {rule.quantity!r}{_hint(rule.quantity, tuple(QUANTITIES))}"
        return
    if not rule.enabled and not rule.reason:
        yield "reason: is required where enabled = false"
    if not rule.limits():
        yield "fail, warn or info: at least one limit is required"
    for severity, limit in rule.limits():
        yield from (f"{severity}: {p}" for p in _limit_problems(limit, quantity))
    yield from _band_problems(rule)
    yield from _window_problems(rule, quantity)
    yield from _sentence_problems(rule, quantity)
    yield from _condition_problems(rule.applies)


def _limit_problems(limit: Limit, quantity: Quantity) -> Iterator[str]:
    fitting = _FITTING[quantity.kind]
    given = [
        name
        for name, value in (
            ("min", limit.min), ("max", limit.max), ("all_of", limit.all_of or None),
            ("equals", limit.equals),
        )
        if value is not None
    ]  # fmt: skip
    if not given or not set(given) <= set(fitting):
        was = ", ".join(given) or "nothing"
        yield f"expected {' and/or '.join(fitting)} for {quantity.name}, got {was}"
    if limit.min is not None and limit.max is not None and limit.min > limit.max:
        yield f"min {limit.min:g} is above max {limit.max:g}"


def _band_problems(rule: Rule) -> Iterator[str]:
    """Make sure that a value further out has no milder severity."""
    bands = rule.limits()
    for (worse, outer), (milder, inner) in pairwise(bands):
        low = outer.min is not None and inner.min is not None and outer.min > inner.min
        high = outer.max is not None and inner.max is not None and outer.max < inner.max
        if low or high:
            yield f"{worse}: its limits must not lie inside those of {milder}"


def _window_problems(rule: Rule, quantity: Quantity) -> Iterator[str]:
    if quantity.scope == "clinical" and rule.window_days is None:
        yield f"window_days: is required for {quantity.name}: days between value and study"
    if quantity.scope != "clinical" and rule.window_days is not None:
        yield f"window_days: has no meaning for {quantity.name}, which is no clinical value"


def _sentence_problems(rule: Rule, quantity: Quantity) -> Iterator[str]:
    known = {"number": ("value",), "words": ("missing",), "truth": ()}[quantity.kind]
    try:
        named = {name for _, name, _, _ in Formatter().parse(rule.sentence) if name is not None}
        if not named <= set(known):
            places = " and ".join(f"{{{name}}}" for name in known) or "no {...}"
            yield f"sentence: expected {places}, got {', '.join(sorted(named - set(known)))!r}"
            return
        rule.sentence.format(**{name: "SCAT" if name == "missing" else 1.5 for name in known})
    except (ValueError, IndexError, KeyError) as error:
        yield f"sentence: cannot be filled in ({error})"


def _condition_problems(applies: Conditions) -> Iterator[str]:
    for key, given, known in (
        ("tracers", applies.tracers, TRACER_NAMES),
        ("nuclides", applies.nuclides, _NUCLIDE_NAMES),
        ("modalities", applies.modalities, _MODALITIES),
    ):
        for name in given:
            if name not in known:
                yield f"applies.{key}: there is no {name!r}{_hint(name, tuple(sorted(known)))}"


def _hint(wrong: str, known: tuple[str, ...]) -> str:
    near = get_close_matches(wrong, known, n=1, cutoff=0.6)
    if near:
        return f"; did you mean {near[0]!r}?"
    listed = ", ".join(known[:12]) + (", ..." if len(known) > 12 else "")
    return f"; expected one of {listed}"
