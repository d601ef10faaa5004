"""Post-reconstruction filters of emission images and kernels of CT, from vendors' texts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

#: A Gaussian and its width: ``XYZ Gauss5.00``, ``XYZG=7.00``, ``Gaussian 4 mm``, ``Gauss,0.00mm``.
_GAUSSIAN: Final = re.compile(
    r"(?:GAUSS(?:IAN)?|(?<![A-Z])X?Y?Z?G(?==))[\s:,=_-]*(?:FWHM\s?)?(\d{1,2}(?:\.\d{1,3})?)?"
)
#: ``6IT 6 POST`` (GE), ``4mm filter``: a width whose filter is not named; it is a Gaussian.
_WIDTH: Final = re.compile(
    r"(?:\dIT\s+(\d{1,2}(?:\.\d{1,3})?)\s?POST\b|(?<![\d.])(\d{1,2}(?:\.\d{1,3})?)\s?MM\s?(?:FILT|POST))"
)
_NONE: Final = re.compile(r"NO[ _-]?FILT|ALL[ _-]?PASS|\bNONE\b|FILTER[ _-]?OFF")
_NAMED: Final[tuple[tuple[str, str], ...]] = (
    (r"BUTTERWORTH|\bBW\b", "butterworth"), (r"HANN(?:ING)?\b", "hann"), (r"HAMMING", "hamming"),
    (r"SHEPP", "shepp-logan"), (r"\bMETZ\b", "metz"), (r"\bWIENER\b", "wiener"),
    (r"\bPARZEN\b", "parzen"), (r"\bMEDIAN\b", "median"),
)  # fmt: skip
#: Every value of the column `post_filter`.
FILTERS: Final = frozenset({"none", "gaussian", *(name for _, name in _NAMED)})
#: Wider filters are no filters but misread numbers.
_MAX_FWHM_MM: Final = 20.0

#: Kernel forms of Siemens, Canon and Philips; GE, Philips and United Imaging use words.
_KERNEL: Final = re.compile(
    r"[BHUDITSQ][a-z]?\d{2}[a-z]{0,2}|FC\d{2}[A-Z]?|[ABCDL]|E[BC]?|Y[A-E]|U[A-C]"
)
_KERNEL_WORDS: Final = frozenset(
    """
    STANDARD STND SOFT BONE BONEPLUS DETAIL EDGE LUNG CHST ULTRA HDSTD HDBONE HDDETAIL HDLUNG
    SMOOTH SHARP SHARPER B_SOFT_A B_SOFT_B B_SOFT_C B_SHARP_C B_VSHARP_C H_SOFT_B H_SHARP_C
    """.split()  # noqa: SIM905
)


class PostFilter(NamedTuple):
    """A filter by kind and, for a Gaussian, its full width at half maximum in mm."""

    kind: str
    fwhm_mm: float | None


def post_filter(text: str, *, is_kernel: bool = False) -> PostFilter | None:
    """Filter after reconstruction that a text names, None if it names none.

    Parameters
    ----------
    text : str
        Convolution kernel, reconstruction method or series description.
    is_kernel : bool
        True for the Convolution Kernel (0018,1210), which is about nothing but the filter: there, a
        bare ``HD`` or ``none`` may be believed.

    Returns
    -------
    PostFilter or None
        ``none`` with 0 mm where the text says that there is no filter (a Gaussian of 0 mm is none).

    Examples
    --------
    >>> post_filter("XYZ Gauss5.00")
    PostFilter(kind='gaussian', fwhm_mm=5.0)
    >>> post_filter("Gauss,0.00mm")
    PostFilter(kind='none', fwhm_mm=0.0)
    """
    upper = text.upper()
    if match := _GAUSSIAN.search(upper):
        width = float(match[1]) if match[1] else None
        if width == 0:
            return PostFilter("none", 0.0)
        return PostFilter("gaussian", width if width and width <= _MAX_FWHM_MM else None)
    for pattern, name in _NAMED:
        if re.search(pattern, upper):
            return PostFilter(name, None)
    if _NONE.search(upper) and (is_kernel or "FILT" in upper or "PASS" in upper):
        return PostFilter("none", 0.0)
    match = _WIDTH.search(upper)
    if match and 0 < (width := float(match[1] or match[2])) <= _MAX_FWHM_MM:
        return PostFilter("gaussian", width)
    return None


def ct_kernel(kernel_values: Sequence[str]) -> str | None:
    r"""Convolution kernel of CT in the vendor's code, None if it is not of a known form.

    Parameters
    ----------
    kernel_values : sequence of str
        Values of Convolution Kernel (0018,1210). Siemens gives the strength of iterative
        reconstruction as the second value (``Br38d\3``); it is kept as ``Br38d/3``.

    Examples
    --------
    >>> ct_kernel(["B30f"]), ct_kernel(["Br38d", "3"]), ct_kernel(["Dr. Who"])
    ('B30f', 'Br38d/3', None)
    """
    if not kernel_values:
        return None
    name = kernel_values[0].strip()
    if not _KERNEL.fullmatch(name):
        name = name.upper()
        if name not in _KERNEL_WORDS:
            return None
    strength = kernel_values[1].strip() if len(kernel_values) > 1 else ""
    return f"{name}/{strength}" if re.fullmatch(r"[0-5]", strength) else name
