"""Which regions are healthy tissue that readers compare lesions with."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

#: Reference tissues with the words and the codes that name them.
LIVER: Final = "liver"
BLOOD_POOL: Final = "blood pool"

_WORDS: Final[Mapping[str, frozenset[str]]] = {
    LIVER: frozenset({"liver", "leber"}),
    BLOOD_POOL: frozenset({"blood", "pool", "bloodpool", "aorta"}),
}
#: SNOMED CT and SNOMED RT: liver; aorta, its thoracic parts and arch, blood.
_CODES: Final[Mapping[str, str]] = {
    "SCT:10200004": LIVER, "SRT:T-62000": LIVER,
    "SCT:15825003": BLOOD_POOL, "SRT:T-42000": BLOOD_POOL,
    "SCT:113262008": BLOOD_POOL, "SRT:T-42070": BLOOD_POOL,
    "SCT:87612001": BLOOD_POOL,
}  # fmt: skip
#: Words that may stand beside them; any other one (lesion, gtv, tumour) makes it something else.
_BESIDE: Final = frozenset(
    {
        "right", "left", "rechts", "links", "lobe", "central", "background", "bg", "reference",
        "referenz", "ref", "roi", "voi", "sphere", "region", "volume", "mediastinum", "mediastinal",
        "descending", "ascending", "thoracic", "pet", "suv", "vessel",
    }
)  # fmt: skip


def reference_tissue(label: str | None, property_code: str | None = None) -> str | None:
    """Tell which reference tissue a region is; None for everything else.

    Parameters
    ----------
    label : str or None
        Of the region.
    property_code : str or None
        Its coded meaning, ``scheme:value``. A code decides where the label says nothing else.

    Examples
    --------
    >>> reference_tissue("liver_ref"), reference_tissue("Aorta descending 1")
    ('liver', 'blood pool')
    >>> reference_tissue("lesion_2_liver", "SCT:108369006") is None
    True
    """
    words = {w for w in re.split(r"[^a-z]+", (label or "").lower()) if w}
    named = {tissue for tissue, names in _WORDS.items() if words & names}
    others = words - _BESIDE - frozenset().union(*_WORDS.values())
    if others or len(named) > 1:
        return None
    if named:
        return named.pop()
    return _CODES.get(property_code or "")
