"""The digest of contents: of the bytes of objects and of the arrays of volumes."""

from __future__ import annotations

from collections.abc import Iterable

from blake3 import blake3


def blake3_hex(parts: Iterable[bytes | memoryview]) -> str:
    """BLAKE3 of the parts one after the other, 256 bits, hexadecimal; one core.

    Digests under a key (pseudonyms) and of small texts (names, profiles) are SHA-256. Here every
    byte that comes into a lake passes, and again every byte that is verified.

    References
    ----------
    BLAKE3, one function, fast everywhere; https://github.com/BLAKE3-team/BLAKE3-specs

    Examples
    --------
    >>> blake3_hex([b"ab", b"c"]) == blake3_hex([b"abc"])
    True
    >>> blake3_hex([b"abc"])[:16]
    '6437b3ac38465133'
    """
    digest = blake3()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()
