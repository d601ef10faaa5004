"""Half-lives of the radionuclides met in PET and SPECT, and whether a header's value fits."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from pydicom.dataset import Dataset

#: Relative deviation allowed between the header's half-life and the table.
TOLERANCE: Final = 0.01


@dataclass(frozen=True, slots=True)
class Nuclide:
    """A radionuclide: half-life range found in evaluations and scanners (s), and its codes."""

    name: str
    shortest_s: float
    longest_s: float
    codes: tuple[str, ...]

    def fits(self, half_life_s: float) -> bool:
        """Tell whether `half_life_s` is this nuclide's within `TOLERANCE`."""
        low, high = self.shortest_s * (1 - TOLERANCE), self.longest_s * (1 + TOLERANCE)
        return low <= half_life_s <= high


def _n(name: str, shortest_s: float, longest_s: float, *codes: str) -> Nuclide:
    return Nuclide(name, shortest_s, longest_s, codes)


#: Codes: SRT, then SCT or DCM (DICOM PS3.16 CID 18 and 4020). Half-lives: DDEP and ENSDF.
NUCLIDES: Final[tuple[Nuclide, ...]] = (
    _n("Rb-82", 75.4, 76.4, "C-159A2", "79197006"),
    _n("O-15", 122.2, 122.3, "C-B1038", "129504001"),
    _n("K-38", 457, 459, "C-135A4", "423764008"),
    _n("Cu-62", 580, 585, "C-127A5", "422934004"),
    _n("N-13", 597, 598.2, "C-107A1", "21576001"),
    _n("C-11", 1220, 1224, "C-105A1", "40565003"),
    _n("Cu-60", 1422, 1422, "C-127A4", "425364008"),
    _n("Ga-68", 4057, 4080, "C-131A3", "35337001"),
    _n("F-18", 6583, 6588, "C-111A1", "77004003"),
    _n("Ti-45", 11088, 11088, "C-166A2", "75696008"),
    _n("Cu-61", 12000, 12024, "C-127A1", "71425003"),
    _n("Sc-43", 14007, 14010, "126605"),
    _n("Sc-44", 14400, 14552, "126600"),
    _n("Tc-99m", 21617, 21636, "C-163A8", "72454006"),
    _n("Ga-66", 34164, 34164, "C-131A1", "79477007"),
    _n("Cu-64", 45720, 45725, "C-127A2", "3932008"),
    _n("I-123", 47520, 47607, "C-114A4", "21572004"),
    _n("Y-86", 53064, 53064, "C-162A3", "10738001"),
    _n("Br-76", 58320, 58320, "C-113A2", "79523006"),
    _n("Re-188", 61200, 61214, "C-1018D", "423578007"),
    _n("Tb-152", 63000, 63000, "126606"),
    _n("Ho-166", 96440, 96590, "C1943"),
    _n("Sm-153", 166500, 166630, "C-B1134", "419804008"),
    _n("Cu-67", 222590, 222600, "C-127A3", "53700003"),
    _n("Y-90", 230400, 230600, "C-162A7", "14691008"),
    _n("In-111", 242330, 242360, "C-145A4", "56609000"),
    _n("Tl-201", 262800, 262900, "C-138A9", "60057003"),
    _n("Ga-67", 281750, 281830, "C-131A2", "2008008"),
    _n("Zr-89", 282250, 282330, "C-168A4", "63360001"),
    _n("I-124", 360800, 361000, "C-114A5", "40937006"),
    _n("Mn-52", 483060, 483100, "C-149A1", "37225000"),
    _n("Lu-177", 573700, 574400, "C-101ED", "447553000"),
    _n("I-131", 692900, 693400, "C-114B1", "1368003"),
    _n("Ra-223", 987500, 988300, "C-136A2", "24853006"),
    _n("Ge-68", 2.340e7, 2.342e7, "C-128A2", "53315004"),
    _n("Na-22", 8.20e7, 8.22e7, "C-155A1", "71633006"),
)
_BY_CODE: Final = {code: nuclide for nuclide in NUCLIDES for code in nuclide.codes}
_BY_NAME: Final = {nuclide.name.casefold(): nuclide for nuclide in NUCLIDES}
_ELEMENTS: Final = {
    "rubidium": "rb", "oxygen": "o", "potassium": "k", "copper": "cu", "nitrogen": "n",
    "carbon": "c", "gallium": "ga", "fluorine": "f", "fluor": "f", "titanium": "ti",
    "scandium": "sc", "technetium": "tc", "iodine": "i", "yttrium": "y", "bromine": "br",
    "rhenium": "re", "terbium": "tb", "holmium": "ho", "samarium": "sm", "indium": "in",
    "thallium": "tl", "zirconium": "zr", "manganese": "mn", "lutetium": "lu", "radium": "ra",
    "germanium": "ge", "sodium": "na",
}  # fmt: skip
_MASS_FIRST = re.compile(r"(?<!\d)(\d{2,3}m?)[\s^-]*([a-z]+)")
_MASS_ONLY_FIRST = re.compile(r"(?<!\d)(\d{2,3})([a-z]+)")  # 52Mn is not metastable
_NAME_FIRST = re.compile(r"([a-z]+)[\s^-]*(\d{2,3}m?)(?!\d)")


def nuclide_by_text(text: str) -> Nuclide | None:
    """Nuclide named in free text, in any of the usual spellings.

    Examples
    --------
    >>> [nuclide_by_text(t).name for t in ("^18^Fluorine", "177 Lutetium", "99mTc", "Ga-68")]
    ['F-18', 'Lu-177', 'Tc-99m', 'Ga-68']
    >>> nuclide_by_text("Solution") is None
    True
    """
    lowered = text.casefold().replace("[", " ").replace("]", " ")
    pairs = [*_MASS_FIRST.findall(lowered), *_MASS_ONLY_FIRST.findall(lowered)]
    pairs += [(m, e) for e, m in _NAME_FIRST.findall(lowered)]
    for mass, element in pairs:
        nuclide = _BY_NAME.get(f"{_ELEMENTS.get(element, element)}-{mass}")
        if nuclide is not None:
            return nuclide
    return None


def identify_nuclide(radiopharmaceutical: Dataset) -> Nuclide | None:
    """Nuclide of one item of Radiopharmaceutical Information Sequence (0054,0016).

    By code value in any scheme, else by code meaning of Radionuclide Code Sequence (0054,0300).
    The meaning wins over a code of another nuclide only if the code is not known.
    """
    for item in radiopharmaceutical.get("RadionuclideCodeSequence") or ():
        by_code = _BY_CODE.get(str(item.get("CodeValue") or "").strip().upper())
        nuclide = by_code or nuclide_by_text(str(item.get("CodeMeaning") or ""))
        if nuclide is not None:
            return nuclide
    return None


def nuclide_by_half_life(half_life_s: float) -> Nuclide | None:
    """Nuclide of the table whose half-life is nearest and fits.

    Examples
    --------
    >>> nuclide_by_half_life(6586.2).name
    'F-18'
    >>> nuclide_by_half_life(109.8) is None  # F-18 in minutes
    True
    """
    fitting = [n for n in NUCLIDES if n.fits(half_life_s)]
    return min(fitting, key=lambda n: abs(n.longest_s - half_life_s), default=None)


def nuclide_by_name(name: str) -> Nuclide | None:
    """Nuclide by its short name.

    Examples
    --------
    >>> nuclide_by_name("F-18").fits(6586.2)
    True
    """
    return _BY_NAME.get(name.casefold())
