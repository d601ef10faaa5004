"""Which tracer and radionuclide a series shows, and whether it is SPECT."""

from __future__ import annotations

import re
from typing import Final

from pydicom.dataset import Dataset

from tasks.dicom import values
from tasks.dicom.kinds import NM_IMAGE
from tasks.quantify.halflife import identify_nuclide, nuclide_by_half_life, nuclide_by_text

#: Names as they appear in headers (lower case, letters and digits only) to the name we give;
#: the first that occurs wins, so longer names stand before their parts.
_TRACERS: Final[tuple[tuple[str, str], ...]] = (
    ("fluorodeoxyglucose", "FDG"), ("fludeoxyglucose", "FDG"), ("fdg", "FDG"),
    ("dcfpyl", "DCFPyL"), ("piflufolastat", "DCFPyL"), ("flotufolastat", "rhPSMA-7.3"),
    ("rhpsma", "rhPSMA-7.3"), ("psma1007", "PSMA-1007"), ("psma617", "PSMA-617"),
    ("vipivotide", "PSMA-617"), ("psmait", "PSMA-I&T"), ("psma11", "PSMA-11"),
    ("gozetotide", "PSMA-11"), ("psma", "PSMA"),
    ("dotatate", "DOTATATE"), ("oxodotreotide", "DOTATATE"), ("lutathera", "DOTATATE"),
    ("dotatoc", "DOTATOC"), ("edotreotide", "DOTATOC"), ("dotanoc", "DOTANOC"),
    ("octreotide", "octreotide"), ("pentetreotide", "octreotide"),
    ("pentixafor", "Pentixafor"), ("fapi04", "FAPI-04"), ("fapi46", "FAPI-46"), ("fapi", "FAPI"),
    ("fluorothymidine", "FLT"), ("flt", "FLT"), ("fluoroethyltyrosine", "FET"),
    ("fluoroethylltyrosine", "FET"), ("fet", "FET"), ("fluciclovine", "fluciclovine"),
    ("fluorodopa", "DOPA"), ("fdopa", "DOPA"), ("fluoroestradiol", "FES"), ("fes", "FES"),
    ("fluoromisonidazole", "FMISO"), ("fmiso", "FMISO"), ("faza", "FAZA"),
    ("florbetapir", "florbetapir"), ("florbetaben", "florbetaben"),
    ("flutemetamol", "flutemetamol"), ("flortaucipir", "flortaucipir"), ("pittsburgh", "PiB"),
    ("fluorocholine", "choline"), ("choline", "choline"), ("methionine", "methionine"),
    ("acetate", "acetate"), ("sodiumfluoride", "NaF"), ("fluoridena", "NaF"), ("naf", "NaF"),
    ("rubidium", "rubidium"), ("ammonia", "ammonia"), ("water", "water"),
    ("flurpiridaz", "flurpiridaz"), ("girentuximab", "girentuximab"),
    ("trastuzumab", "trastuzumab"), ("mibg", "MIBG"), ("iobenguane", "MIBG"),
    ("ioflupane", "ioflupane"), ("sestamibi", "sestamibi"), ("mibi", "sestamibi"),
    ("tetrofosmin", "tetrofosmin"), ("medronate", "MDP"), ("mdp", "MDP"), ("oxidronate", "HDP"),
    ("hdp", "HDP"), ("dpd", "DPD"), ("macroaggregated", "MAA"), ("maa", "MAA"),
    ("exametazime", "HMPAO"), ("hmpao", "HMPAO"), ("pertechnetate", "pertechnetate"),
    ("microspheres", "microspheres"), ("sirspheres", "microspheres"),
)  # fmt: skip
#: Every name of a tracer that the lake gives.
TRACER_NAMES: Final = frozenset(name for _, name in _TRACERS)
#: Code values of CID 25 and CID 4021 (SRT, SCT) where the meaning may be missing.
_TRACER_CODES: Final = {
    "C-B1031": "FDG", "35321007": "FDG", "C-B1033": "FLT", "C-B1032": "NaF", "129513004": "NaF",
    "C-B1043": "acetate", "C-B103C": "ammonia", "C-B1045": "choline", "C-B103F": "methionine",
    "C-B1037": "rubidium", "C-B1038": "water",
}  # fmt: skip
#: Tracers that exist with one nuclide only in clinical use.
_ONLY_NUCLIDE: Final = {
    "FDG": "F-18", "FLT": "F-18", "FET": "F-18", "NaF": "F-18", "DCFPyL": "F-18", "FES": "F-18",
    "PSMA-1007": "F-18", "FMISO": "F-18", "fluciclovine": "F-18", "rubidium": "Rb-82",
    "ammonia": "N-13", "water": "O-15", "ioflupane": "I-123", "pertechnetate": "Tc-99m",
}  # fmt: skip
_SPECT_NUCLIDES: Final = frozenset(
    {
        "Tc-99m", "I-123", "I-131", "In-111", "Tl-201", "Ga-67", "Lu-177", "Sm-153", "Re-186",
        "Re-188", "Ho-166", "Ra-223", "Xe-133", "Kr-81m", "Cu-67", "Ac-225", "Tb-161",
    }
)  # fmt: skip
_SPECT_COLLIMATORS: Final = frozenset({"PARA", "PINH", "FANB", "CONE", "SLNT", "ASTG", "DIVG"})
_SPECT_WORDS: Final = re.compile(r"spect", re.IGNORECASE)


def tracer_name(header: Dataset) -> str | None:
    """Name of the tracer by code, else by name; None if it is not one that we know.

    Free text never goes through: only names of a fixed list come out.

    Examples
    --------
    >>> from pydicom.dataset import Dataset
    >>> item, ds = Dataset(), Dataset()
    >>> item.Radiopharmaceutical = "FDG -- fluorodeoxyglucose"
    >>> ds.RadiopharmaceuticalInformationSequence = [item]
    >>> tracer_name(ds)
    'FDG'
    """
    item = values.first_item(header, "RadiopharmaceuticalInformationSequence")
    codes = values.items(item, "RadiopharmaceuticalCodeSequence")
    for code in codes:
        by_code = _TRACER_CODES.get((values.text(code, "CodeValue") or "").upper())
        if by_code:
            return by_code
    meanings = [values.text(code, "CodeMeaning") for code in codes]
    for text in (*meanings, values.text(item, "Radiopharmaceutical")):
        name = _known_tracer(text or "")
        if name:
            return name
    return None


def _known_tracer(text: str) -> str | None:
    squeezed = re.sub(r"[^a-z0-9]", "", text.casefold())
    return next((name for part, name in _TRACERS if part in squeezed), None)


def radionuclide(header: Dataset) -> str | None:
    """Nuclide by code, name, tracer or, for want of these, half-life; such as ``F-18``."""
    item = values.first_item(header, "RadiopharmaceuticalInformationSequence")
    named = identify_nuclide(item) or nuclide_by_text(
        values.text(item, "Radiopharmaceutical") or ""
    )
    if named is not None:
        return named.name
    implied = _ONLY_NUCLIDE.get(tracer_name(header) or "")
    if implied:
        return implied
    by_half_life = nuclide_by_half_life(values.number(item, "RadionuclideHalfLife") or 0.0)
    return by_half_life.name if by_half_life else None


def is_spect(header: Dataset) -> bool:
    """Tell SPECT from PET, also where SPECT was stored as a PET object (Siemens xSPECT does)."""
    if values.text(header, "SOPClassUID") == NM_IMAGE or values.text(header, "Modality") == "NM":
        return True
    if values.text(header, "Modality") != "PT":
        return False
    if values.text(header, "CollimatorType") in _SPECT_COLLIMATORS:
        return True
    if radionuclide(header) in _SPECT_NUCLIDES:
        return True
    named = (values.text(header, k) or "" for k in ("SeriesDescription", "ReconstructionMethod"))
    return any(_SPECT_WORDS.search(text) for text in named)
