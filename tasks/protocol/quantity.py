"""What a rule can measure: a named function of the facts about one series."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

#: Facts about a series: its columns, and what `flows.protocol_facts` joins to them.
Facts = Mapping[str, object]
Kind = Literal["number", "words", "truth"]
#: ``series``: every PET or SPECT series, at its ingestion. The others are about the series of a
#: study that is measured, once its study is complete: ``study`` on what is in it, ``roi`` on a
#: region, ``clinical`` on eCRF values, ``visits`` on the patient's first visit.
Scope = Literal["series", "study", "roi", "clinical", "visits"]
Value = float | bool | frozenset[str]


class Missing(Exception):  # noqa: N818  an answer rather than an error
    """The facts do not allow the quantity to be given; the text says what is missing."""


class NotApplicable(Exception):  # noqa: N818
    """The quantity has no meaning here, such as a change at the first visit."""


@dataclass(frozen=True, slots=True)
class Quantity:
    """A quantity that rules can set limits to.

    Parameters
    ----------
    name : str
        Used in protocol files; carries its unit.
    unit : str
        UCUM; empty for words and yes or no.
    scope : str
        What it is about; see `Scope`.
    description : str
        One sentence.
    value : callable
        Facts to value; raises `Missing` or `NotApplicable`.
    kind : str
        ``number``, ``words`` or ``truth``.
    """

    name: str
    unit: str
    scope: Scope
    description: str
    value: Callable[[Facts], Value]
    kind: Kind = "number"


def number(facts: Facts, column: str, what: str) -> float:
    """Return a finite number of the facts.

    Raises
    ------
    Missing
        If it is absent; `what` says what was expected.
    """
    value = facts.get(column)
    if isinstance(value, (int, float)) and math.isfinite(value):
        return float(value)
    raise Missing(what)


def positive(facts: Facts, column: str, what: str) -> float:
    """As `number`, and above zero."""
    value = number(facts, column, what)
    if value <= 0:
        raise Missing(what)
    return value


def percent_change(value: float, reference: float) -> float:
    """Size of a change in percent of the reference.

    Examples
    --------
    >>> percent_change(72.0, 80.0)
    10.0
    """
    return 100.0 * abs(value - reference) / abs(reference)


NO_UPTAKE: Final = "no time from injection to decay reference"
NO_ACTIVITY: Final = "no injected activity in the header"
NO_WEIGHT: Final = "no weight in the header"
