"""Engines by name."""

from __future__ import annotations

from schemas.errors import InvalidInputError
from tasks.harmonise.combat import CombatHarmoniser
from tasks.harmonise.interface import Harmoniser
from tasks.harmonise.log_scale import LogFeatures
from tasks.harmonise.neurocombat import NeuroCombatHarmoniser


def harmoniser(
    method: str = "combat_parametric",
    *,
    engine: str = "own",
    reference_batch: str | None = None,
    log_features: LogFeatures = False,
) -> Harmoniser:
    """Return the harmoniser of these settings.

    Parameters
    ----------
    method : str
        Key of `tasks.harmonise.interface.METHODS`.
    engine : str
        ``own`` or ``neurocombat``.
    reference_batch : str or None
    log_features : "auto", bool or sequence of str

    Raises
    ------
    InvalidInputError
        No such engine.
    """
    if engine == "own":
        return CombatHarmoniser(method, reference_batch, log_features)
    if engine == "neurocombat":
        return NeuroCombatHarmoniser(method, reference_batch, log_features)
    raise InvalidInputError(f"engine: expected 'own' or 'neurocombat', got {engine!r}")
