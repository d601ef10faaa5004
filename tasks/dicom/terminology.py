"""Coded concepts in one form: SNOMED RT as SNOMED CT, names from the standard's own dictionary."""

from __future__ import annotations

from collections import defaultdict
from functools import lru_cache
from typing import Final

#: Designators of SNOMED codes of the old form (``T-D3000``).
_OLD_SNOMED: Final = frozenset({"SRT", "SNM3", "99SDM"})


def concept_code(scheme: str, value: str) -> str:
    """Code as ``scheme:value``; a SNOMED RT code becomes its SNOMED CT successor.

    Parameters
    ----------
    scheme : str
        Coding Scheme Designator (0008,0102).
    value : str
        Code Value (0008,0100).

    References
    ----------
    DICOM PS3.16 Annex O and section 8.1.

    Examples
    --------
    >>> concept_code("SRT", "G-A437"), concept_code("DCM", "126401")
    ('SCT:56851009', 'DCM:126401')
    """
    successor = _successors().get(value) if scheme in _OLD_SNOMED else None
    return f"SCT:{successor}" if successor else f"{scheme}:{value}"


def concept_name(code: str | None) -> str | None:
    """Name of a concept in DICOM PS3.16, so that no text of an object is needed; None if unknown.

    Parameters
    ----------
    code : str or None
        As from `concept_code`.

    Examples
    --------
    >>> concept_name("SCT:56851009"), concept_name("99LOCAL:1")
    ('Maximum', None)
    """
    return _names().get(code) if code else None


def is_published(code: str) -> bool:
    """Say whether a code is in the dictionaries of the standard, so that it can name no one.

    Parameters
    ----------
    code : str
        As from `concept_code`.
    """
    return code in _names() or code.removeprefix("SCT:") in _snomed()


@lru_cache(maxsize=1)
def _snomed() -> frozenset[str]:
    return frozenset(_successors().values())


@lru_cache(maxsize=1)
def _successors() -> dict[str, str]:
    # Both dictionaries are large: only processes that meet reports load them.
    from pydicom.sr._snomed_dict import mapping

    return dict(mapping["SRT"])


@lru_cache(maxsize=1)
def _names() -> dict[str, str]:
    from pydicom.sr.codedict import codes

    meanings: dict[str, list[str]] = defaultdict(list)
    for scheme in codes.schemes():
        for code in getattr(codes, scheme).concepts.values():
            meanings[f"{code.scheme_designator}:{code.value}"].append(code.meaning)
    # Of several meanings the plain one: "Mean", not "Averaged"; "Maximum", not "Maximal (qual...)".
    return {
        code: min(texts, key=lambda t: ("(" in t, len(t), t)) for code, texts in meanings.items()
    }
