"""Version of the allow-list: a number raised by hand and a digest that changes by itself."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import Final

from tasks.deidentify.actions import RULES
from tasks.deidentify.private import SAFE_PRIVATE
from tasks.deidentify.profile import METHOD_CODES
from tasks.deidentify.technique import KERNEL, TECHNIQUE_WORDS
from tasks.deidentify.terms import TERMS
from tasks.deidentify.vocabulary import NUCLIDES, WORDS

#: Raised when cleaning itself changes, which the digest of the lists cannot see.
PROFILE_NUMBER: Final = 2


@lru_cache(maxsize=1)
def profile_version() -> str:
    """Version of what may stay: attributes with their actions, words, private elements, options.

    Returns
    -------
    str
        Number and 12 hexadecimal digits, such as ``2-0123456789ab``; another allow-list has another
        version, so that the lake shows which one a series went through.
    """
    parts = [
        *(f"{tag:08x} {rule.action.name} {rule.vr}" for tag, rule in sorted(RULES.items())),
        *sorted(WORDS),
        *(f"technique {word}" for word in sorted(TECHNIQUE_WORDS)),
        KERNEL.pattern,
        *(f"{tag:08x} {' '.join(sorted(terms))}" for tag, terms in sorted(TERMS.items())),
        *(f"{symbol} {sorted(masses)}" for symbol, masses in sorted(NUCLIDES.items())),
        *(f"{b.creator} {b.group:04x} {sorted(b.elements.items())}" for b in SAFE_PRIVATE),
        *(code for code, _ in METHOD_CODES),
    ]
    digest = hashlib.sha256("\n".join(parts).encode()).hexdigest()
    return f"{PROFILE_NUMBER}-{digest[:12]}"
