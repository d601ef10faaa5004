"""Text that a device sets about how an image was made: known words and settings stay.

Reconstruction methods, kernels and correction methods are free text (LO, SH) in the standard, and
some systems let people write into them. So they are held against a closed vocabulary like
descriptions, but keep their spelling, since vendors' names differ by it.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from tasks.deidentify.vocabulary import WORDS

#: Words of reconstruction, filters, corrections and collimators beyond the common vocabulary.
TECHNIQUE_WORDS: Final = WORDS | frozenset(
    """
    q clear mu all pass tera measured calculated model based modelbased derived segmented
    convolution subtraction tew dew esse mc monte carlo sss single scatter
    transmission source sources rod singles sing dlyd delayed
    cor acor xyz xy z x y xyzg xyg zg g f s i it iter iters iterations iteration subset subsets sub
    oscgm op os tf rp rp3d drp fore bp backprojection back projection reprojection kinahan rogers
    kr vphd vphds vphdsl
    qchd qcfx qcfxs qcfxfx sharp ir fullyd fully d hd pet petmr dif diff ramla3d
    dynamic row action maximum likelihood expectation maximization ordered regularised regularized
    beta relative difference prior penalized penalised hyper iterative dpr evolution astonish
    stnd boneplus detail edge chst ultra hdstd hdstnd hdbone hddetail hdlung medium highres none
    body asir asirv veo imr aidr aidr3d first truefidelity tfl tfm tfh wb mar imar smart
    legp lehr lehrs legap megp megap hegp hegap mehr mehrs leap lep he me le hehr elegp par parallel
    fan cone slnt slant pinhole pinh shepp logan ram lak hamming metz wiener parzen order cutoff
    cut off power median kernel sharpness
    rf isra lm listmode list mode sinogram span ring nema user defined default off on true randoms
    random prompt dead time arc decay normalization normalisation geometric
    """.split()  # noqa: SIM905  a vocabulary reads better as text
)
#: CT kernels: Siemens ``B30f``, ``Br38d\3``, ``I31f``, ``Qr40``; Canon ``FC08``; Philips ``YA``.
KERNEL: Final = re.compile(
    r"(?:[BHUDITSQ][a-z]?\d{2}[a-z]{0,2}\d?|FC\d{2}[A-Z]?|[ABCDL]|E[BC]?|Y[A-E]|U[A-C])"
)
_TOKEN: Final = re.compile(r"[A-Za-z]+|\d+(?:\.\d+)*|[^\sA-Za-z\d]+|\s+")
_CHUNK: Final = re.compile(r"[A-Za-z0-9.]+|[^A-Za-z0-9.]+")
_DECIMAL: Final = re.compile(r"\d{1,3}(?:\.\d{1,6})?")
_SEPARATORS: Final = frozenset(" ,.;:=+-_/^*()[]\\")
#: What a text becomes of which nothing may stay: that something was done is itself information.
OTHER: Final = "other"


@lru_cache(maxsize=4096)
def clean_technique(text: str) -> str:
    r"""Return a device's description of a technique as it is, or the known words of it.

    Parameters
    ----------
    text : str
        One value of ReconstructionMethod, ConvolutionKernel, AttenuationCorrectionMethod ...

    Returns
    -------
    str
        The text itself if all of it is known; otherwise its known words, without numbers (which
        beside unknown words could be days or identifiers); ``other`` if there is none.

    Examples
    --------
    >>> clean_technique("PSF+TOF 4i5s"), clean_technique("XYZ Gauss5.00"), clean_technique("B30f")
    ('PSF+TOF 4i5s', 'XYZ Gauss5.00', 'B30f')
    >>> clean_technique("OSEM for Mrs Doe 12.03.65"), clean_technique("Doe")
    ('OSEM', 'other')
    """
    chunks = _CHUNK.findall(text)
    parts = [part for chunk in chunks for part in _parts(chunk)]
    if all(_is_known(part) for part in parts):
        return text.strip()
    words = [p for p in parts if p[0].isalpha() and _is_known(p) and len(p) > 1]
    return " ".join(words) or OTHER


def _parts(chunk: str) -> list[str]:
    """Kernels stay whole; everything else falls into words, numbers and separators."""
    return [chunk] if KERNEL.fullmatch(chunk) else _TOKEN.findall(chunk)


def _is_known(part: str) -> bool:
    if part[0].isalpha():
        return part.lower() in TECHNIQUE_WORDS or KERNEL.fullmatch(part) is not None
    if part[0].isdigit():
        return _DECIMAL.fullmatch(part) is not None
    return set(part) <= _SEPARATORS or part.isspace()
