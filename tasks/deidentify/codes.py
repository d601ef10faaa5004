"""Which coded concepts may stay: codes of published tables, and others that name no one."""

from __future__ import annotations

import re
from typing import Final

from tasks.deidentify.identity import IdentifierFilter

_CODE: Final = re.compile(r"[A-Za-z0-9 .,:_'^%*/{}\[\]()+-]{1,64}")
#: Schemes whose codes come from published tables, so that long numbers in them name no one.
PUBLISHED_SCHEMES: Final = frozenset(
    {
        "DCM", "SRT", "SCT", "SNM3", "UCUM", "LN", "FMA", "RADLEX", "NCIt", "UMLS", "99SDM", "MA",
        "99PMP",
    }
)  # fmt: skip
_LONG_NUMBER: Final = re.compile(r"\d{5}")


def is_safe_code(text: str, known: IdentifierFilter) -> bool:
    """Say whether the text of a code value, scheme or version has the form of one and names no one.

    Parameters
    ----------
    text : str
        Value of the attribute.
    known : IdentifierFilter
        Identifying words of the object.
    """
    return bool(_CODE.fullmatch(text)) and known.is_clean(text)


def is_safe_value(value: str, scheme: str, known: IdentifierFilter) -> bool:
    """Say the same of a code value, which in a local scheme may not be a long number.

    Examples
    --------
    >>> from pydicom.dataset import Dataset
    >>> nobody = IdentifierFilter(Dataset())
    >>> is_safe_value("108369006", "SCT", nobody), is_safe_value("4711081", "99HOSPITAL", nobody)
    (True, False)
    """
    is_local_number = scheme not in PUBLISHED_SCHEMES and bool(_LONG_NUMBER.search(value))
    return not is_local_number and is_safe_code(value, known)
