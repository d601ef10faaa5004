"""Gate: de-identification must not change SUV."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any, Final

from schemas.errors import RejectedObjectError
from schemas.records import DecayCandidate, SuvDerivation
from tasks.deidentify.terms import OTHER_TERM

#: Relative change of a SUV factor that counts as none.
SUV_TOLERANCE: Final = 1e-12


def assert_suv_preserved(before: Sequence[float] | None, after: Sequence[float] | None) -> None:
    """Gate: the SUV factors must be the same before and after de-identification.

    Parameters
    ----------
    before, after : sequence of float or None
        Factors per slice, as `schemas.records.SuvDerivation.factors`; None or empty where refused.

    Raises
    ------
    RejectedObjectError
        ``suv_changed_by_deidentification`` if any differs by more than 1e-12 of its value.
    """
    old, new = list(before or ()), list(after or ())
    worst = max((_relative(a, b) for a, b in zip(old, new, strict=False)), default=0.0)
    if len(old) != len(new) or not worst <= SUV_TOLERANCE:
        detail = f"{len(old)} factors became {len(new)}, largest relative change {worst:.3g}"
        raise RejectedObjectError("suv_changed_by_deidentification", detail)


def assert_derivation_preserved(before: SuvDerivation, after: SuvDerivation) -> None:
    """Gate: what is said of SUV must be the same before and after, refusals and their reason too.

    Parameters
    ----------
    before, after : SuvDerivation
        From all distinct headers of a series, as they came and de-identified.

    Raises
    ------
    RejectedObjectError
        ``suv_changed_by_deidentification`` if a factor, the outcome, its reason, the rule, the unit
        or a quantity behind them differs.
    """
    assert_suv_preserved(before.factors, after.factors)
    if before.if_calibrated is not None and after.if_calibrated is not None:
        assert_derivation_preserved(before.if_calibrated, after.if_calibrated)
    changed = [name for name in _OUTCOME if getattr(before, name) != getattr(after, name)]
    if after.value_unit != OTHER_TERM:  # a unit that is none may be a name
        changed += ["value_unit"] if before.value_unit != after.value_unit else []
    changed += [] if _are_same(before.normalisations, after.normalisations) else ["normalisations"]
    changed += [] if _are_same(*_of_both(before, after)) else ["candidates"]
    changed += [n for n in _QUANTITIES if not _is_same(getattr(before, n), getattr(after, n))]
    if changed:
        raise RejectedObjectError(
            "suv_changed_by_deidentification", f"{', '.join(changed)} changed"
        )


#: What must be equal: the outcome and how it came about.
_OUTCOME: Final = ("status", "reason_code", "rule")
#: What must be equal to `SUV_TOLERANCE`.
_QUANTITIES: Final = (
    "half_life_s", "injected_activity_bq", "weight_kg", "uptake_time_s",
    "decay_reference_spread_percent",
)  # fmt: skip


def _of_both(
    before: SuvDerivation, after: SuvDerivation
) -> tuple[list[DecayCandidate], list[DecayCandidate]]:
    """Return the decay references that both have.

    One may be gone with a private block that is not kept: a vendor was known by that alone. What
    it would have said of SUV is held by rule, factors and spread.
    """
    shared = {c.rule for c in before.candidates} & {c.rule for c in after.candidates}
    old, new = ([c for c in d.candidates if c.rule in shared] for d in (before, after))
    return old, new


def _are_same(before: Sequence[Any], after: Sequence[Any]) -> bool:
    return len(before) == len(after) and all(
        _is_same(getattr(a, f.name), getattr(b, f.name))
        for a, b in zip(before, after, strict=True)
        for f in fields(a)
    )


def _is_same(before: object, after: object) -> bool:
    if isinstance(before, float) and isinstance(after, float):
        return _relative(before, after) <= SUV_TOLERANCE
    return before == after


def _relative(before: float, after: float) -> float:
    return 0.0 if before == after else abs(after - before) / max(abs(before), 1e-300)
