"""De-identification by PS3.15 Annex E such that SUV survives."""

from __future__ import annotations

from tasks.deidentify.pseudonyms import IdentityPseudonymiser, Pseudonymiser, Pseudonyms

__all__ = ["IdentityPseudonymiser", "Pseudonymiser", "Pseudonyms"]
