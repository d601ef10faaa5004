"""De-identification by PS3.15 Annex E such that SUV survives."""

from __future__ import annotations

from tasks.deidentify.descriptors import clean_label, clean_words
from tasks.deidentify.identity import PatientIdentity, patient_identity
from tasks.deidentify.profile import deidentify
from tasks.deidentify.pseudonyms import IdentityPseudonymiser, Pseudonymiser, Pseudonyms
from tasks.deidentify.suv_gate import assert_derivation_preserved, assert_suv_preserved

__all__ = [
    "IdentityPseudonymiser",
    "PatientIdentity",
    "Pseudonymiser",
    "Pseudonyms",
    "assert_derivation_preserved",
    "assert_suv_preserved",
    "clean_label",
    "clean_words",
    "deidentify",
    "patient_identity",
]
