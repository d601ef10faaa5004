"""Clean Descriptors: free text becomes the allowed words it holds.

References
----------
DICOM PS3.15 Annex E.3.5 (Clean Descriptors Option).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from functools import lru_cache
from itertools import pairwise
from typing import Final

from tasks.deidentify.vocabulary import NUCLIDES, WORDS

_CASE: Final = re.compile(r"(?<=[a-z])(?=[A-Z])")
_WORD: Final = re.compile(r"[a-z0-9]+")
_RUN: Final = re.compile(r"[a-z]+|\d+")
_PSMA: Final = re.compile(r"\bpsma[\s_-]*(1007|617|11)\b")
_SYMBOLS: Final = "|".join(sorted(NUCLIDES, key=len, reverse=True))
_NUCLIDE: Final = re.compile(
    rf"(?<![a-z0-9])(?:(\d{{2,3}}m?)[\s^-]*({_SYMBOLS})|({_SYMBOLS})[\s^-]*(\d{{2,3}}m?))(?![a-z0-9])"
)
#: Reconstruction settings (``4i21s``, ``2d``, ``5mm``): never more than two digits together.
_SETTING: Final = re.compile(r"\d{1,2}i(?:\d{1,2}s)?|\d{1,2}s|[234]d|\d{1,2}mm")
_UMLAUTS: Final = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss"})
#: What a label becomes of which nothing may stay.
UNKNOWN_LABEL: Final = "roi"


@lru_cache(maxsize=4096)
def clean_words(text: str) -> tuple[str, ...]:
    """Return the allowed words of a description, in order and lower case.

    Parameters
    ----------
    text : str
        Series description, protocol name, tracer, code meaning ...

    Returns
    -------
    tuple of str
        Vocabulary words, nuclides (``f18``) and reconstruction settings (``4i5s``). Numbers are
        left out: they may be days or identifiers.

    Examples
    --------
    >>> clean_words("PET WB 18F-FDG AC Mustermann 12.03.1965")
    ('pet', 'wb', 'f18', 'fdg', 'ac')
    """
    return tuple(piece for piece in _pieces(text) if not piece.isdigit() and piece)


@lru_cache(maxsize=4096)
def clean_label(text: str) -> str:
    """Label of a ROI or segment from allowed words and short numbers.

    A number of one or two digits (leading zeros apart) stays where it directly follows an allowed
    word and no other number follows: ``lesion 3`` does, the parts of a date do not.

    Examples
    --------
    >>> clean_label("GTV-1 Mueller"), clean_label("Lesion 003"), clean_label("Hans 12.03.65")
    ('gtv_1', 'lesion_3', 'roi')
    """
    pieces = [*_pieces(text), ""]
    kept: list[str] = []
    previous_is_word = False
    for piece, following in pairwise(pieces):
        if piece.isdigit():
            short = piece.lstrip("0") or "0"
            if previous_is_word and len(short) <= 2 and not following.isdigit():
                kept.append(short)
        elif piece:
            kept.append(piece)
        previous_is_word = bool(piece) and not piece.isdigit()
    return "_".join(kept) or UNKNOWN_LABEL


def is_allowed(word: str) -> bool:
    """Say whether a lower-case word is in the vocabulary."""
    return word in WORDS


def _pieces(text: str) -> list[str]:
    """Split into allowed words, numbers, and ``""`` for each word that must not stay."""
    pieces: list[str] = []
    for chunk in _plain(text).split():
        for token in _WORD.findall(chunk.lower()):
            if token in WORDS or token.isdigit() or _SETTING.fullmatch(token) or _is_nuclide(token):
                pieces.append(token)
            else:
                pieces += _inside(token, chunk)
    return pieces


def _inside(token: str, chunk: str) -> list[str]:
    """Pieces of a joined word (``WholeBodyCT``, ``GTV1``); ``[""]`` if none is allowed."""
    at = chunk.lower().find(token)
    runs = [
        run
        for part in _CASE.sub(" ", chunk[at : at + len(token)]).split()
        for run in _RUN.findall(part.lower())
    ]
    if not any(run in WORDS for run in runs):
        return [""]
    return [run if run in WORDS or run.isdigit() else "" for run in runs]


def _is_nuclide(token: str) -> bool:
    return any(token == f"{symbol}{mass}" for symbol, masses in NUCLIDES.items() for mass in masses)


def _plain(text: str) -> str:
    """ASCII, with nuclides and PSMA ligands written in one word."""
    text = text.translate(_UMLAUTS).translate(str.maketrans("ÄÖÜ_", "AOU "))
    text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    text = _replace(_PSMA, text, lambda m: f"psma{m[1]}")
    return _replace(_NUCLIDE, text, _nuclide_word)


def _replace(pattern: re.Pattern[str], text: str, word: Callable[[re.Match[str]], str]) -> str:
    lowered = text.lower()
    for match in reversed(list(pattern.finditer(lowered))):
        new = word(match)
        text = f"{text[: match.start()]} {new} {text[match.end() :]}"
    return text


def _nuclide_word(match: re.Match[str]) -> str:
    mass, symbol = (match[1], match[2]) if match[1] else (match[4], match[3])
    return f"{symbol}{mass}" if mass in NUCLIDES[symbol] else match[0]
