"""From stored PET values to SUV: the rules, each with its reason, and no guesses."""

from tasks.quantify.derive import derive_suv

__all__ = ["derive_suv"]
