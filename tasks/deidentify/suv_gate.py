"""Gate: de-identification must not change SUV."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from schemas.errors import RejectedObjectError

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


def _relative(before: float, after: float) -> float:
    return 0.0 if before == after else abs(after - before) / max(abs(before), 1e-300)
