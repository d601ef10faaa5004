"""How an image was reconstructed and filtered: numbers and closed terms out of vendors' texts.

Descriptions do not survive de-identification, so what is worth keeping of them is read from the
original header first. Only terms of `ALGORITHMS` and `FILTERS`, truth values and numbers come out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from pydicom.dataset import Dataset

from schemas.records import Row
from tasks.dicom import values
from tasks.ingest.kernels import PostFilter, ct_kernel, post_filter

#: Reconstruction names in the order they are looked for: pattern (of upper-case text), algorithm,
#: and whether the name implies time of flight and resolution modelling (None: it does not say).
#: GE: VPFX is VUE Point FX (TOF), a final S SharpIR (PSF), QC.. and Q.Clear BSREM with PSF.
#: Siemens: TrueX and HD PET are PSF, ultraHD is PSF + TOF. Philips: BLOB-OS-TF is TOF.
_NAMES: Final[tuple[tuple[str, str, bool | None, bool | None], ...]] = (
    (r"\bQ\.?\s?CLEAR\b|\bBSREM\b|\bQCHDS?\b", "BSREM", None, True),
    (r"\bQCFXS?\b", "BSREM", True, True),
    (r"\bVPFXS\b", "OSEM", True, True),
    (r"\bVPFX\b|VUE\s?POINT\s?FX", "OSEM", True, False),
    (r"\bVPHDS\b", "OSEM", False, True),
    (r"\bVPHD\b|VUE\s?POINT\s?HD", "OSEM", False, False),
    (r"\b3D[ -]IR\b", "OSEM", None, None),
    (r"\bBLOB-?OS-?TF\b", "OSEM", True, None),
    (r"LOR-?RAMLA", "LOR-RAMLA", False, None),
    (r"RAMLA", "RAMLA", None, None),
    (r"\bDRAMA\b", "DRAMA", None, None),
    (r"OSCGM", "OSCGM", False, True),
    (r"ULTRA\s?HD", "OSEM", True, True),
    (r"TRUEX|\bHD[ -]?PET\b", "OSEM", None, True),
    (r"FLASH\s?3D", "OSEM", False, True),
    (r"OSEM|ORDERED[ -]SUBSETS?", "OSEM", None, None),
    (r"MLEM|\bML-EM\b", "MLEM", None, None),
    (r"3D\s?RP\b|KINAHAN|REPROJ", "3DRP", None, False),
    (r"\bFBP|FILTERED?[ _-]?BACK|BACK[ _-]?PROJ|\bBP\b", "FBP", None, False),
    # Siemens names only what it adds to its ordered-subset algorithm: "PSF+TOF 4i5s".
    (r"(?:PSF|TOF).*\d\s?I\s?\d+\s?S\b", "OSEM", None, None),
)  # fmt: skip
_CT_NAMES: Final[tuple[tuple[str, str], ...]] = (
    (r"\bADMIRE\b", "ADMIRE"), (r"\bSAFIRE\b", "SAFIRE"), (r"\bASIR-?V\b", "ASIR-V"),
    (r"\bASIR\b", "ASIR"), (r"\bVEO\b", "VEO"), (r"\bIDOSE", "IDOSE"), (r"\bIMR\b", "IMR"),
    (r"\bAIDR", "AIDR"), (r"\bAICE\b", "AICE"), (r"TRUE\s?FIDELITY", "TRUEFIDELITY"),
    (r"\bFBP\b|FILTERED?[ _-]?BACK", "FBP"),
)  # fmt: skip
#: Every value of the column `reconstruction_algorithm`.
ALGORITHMS: Final = frozenset([n[1] for n in _NAMES] + [n[1] for n in _CT_NAMES])
#: Names that leave open what else was done; what the other names leave unsaid was not done.
_SILENT: Final = re.compile(r"Q\.?\s?CLEAR|BSREM|BLOB|RAMLA|\b3D[ -]IR\b")
_TOF: Final = re.compile(r"(?<![A-Z])TOF|TIME[ -]OF[ -]FLIGHT")
_PSF: Final = re.compile(r"(?<![A-Z])PSF|SHARP\s?IR|\bTRUEX\b|ULTRA\s?HD|RESOLUTION REC")
#: ``4i5s``, ``3i24s`` after a name, ``48i,1s``.
_PAIR: Final = re.compile(r"(?<!\d)(\d{1,3})\s?I[,/ _]?\s?(\d{1,3})\s?S(?![A-Z])")
_ITERATIONS: Final = re.compile(r"(?<!\d)(\d{1,3})\s?IT(?:ER(?:ATIONS?)?)?S?\b")
_SUBSETS: Final = re.compile(r"(?<!\d)(\d{1,3})\s?(?:S|SUB(?:SETS?)?)\b")
_BETA: Final = re.compile(r"(?:BETA|β)\s?[=:]?\s?(\d{2,4})\b")

#: Texts in the order of trust.
_PLACES: Final = ("ReconstructionMethod", "ConvolutionKernel", "SeriesDescription", "ProtocolName")
_GE_PETD: Final = "GEMS_PETD_01"


@dataclass(slots=True)
class _Found:
    """Columns as they become known; the first place that tells a value wins."""

    row: Row = field(default_factory=dict)
    sources: list[str] = field(default_factory=list)

    def note(self, column: str, value: object, source: str) -> None:
        if value is not None and self.row.get(column) is None:
            self.row[column] = value
            self.sources.append(f"{column}: {source}")


def reconstruction_columns(original: Dataset) -> Row:
    """Columns of `series` on reconstruction and filters.

    Parameters
    ----------
    original : Dataset
        A header as it came. Nothing of its text is returned, only terms and numbers.

    Returns
    -------
    dict
        ``reconstruction_algorithm``, ``is_time_of_flight``, ``is_psf_modelled``,
        ``n_iterations``, ``n_subsets``, ``penalty_beta``, ``post_filter``,
        ``post_filter_fwhm_mm``, ``ct_kernel`` and ``reconstruction_sources``, each None where the
        header does not tell.

    References
    ----------
    DICOM PS3.3 C.8.9.1 (PET Series), C.8.22.6 (Enhanced PET reconstruction), C.8.2.1 (CT Image).

    Examples
    --------
    >>> ds = Dataset()
    >>> ds.Modality, ds.ReconstructionMethod, ds.ConvolutionKernel = "PT", "PSF+TOF 4i5s", "Gauss5"
    >>> row = reconstruction_columns(ds)
    >>> row["reconstruction_algorithm"], row["n_iterations"], row["post_filter_fwhm_mm"]
    ('OSEM', 4, 5.0)
    """
    found = _Found()
    if values.text(original, "Modality") == "CT":
        _from_ct(original, found)
    else:
        _from_standard_numbers(original, found)
        for keyword in _PLACES:
            _from_text(values.joined(original, keyword) or "", keyword, found)
        _from_ge_private(original, found)
    columns = (
        "reconstruction_algorithm", "is_time_of_flight", "is_psf_modelled", "n_iterations",
        "n_subsets", "penalty_beta", "post_filter", "post_filter_fwhm_mm", "ct_kernel",
    )  # fmt: skip
    row: Row = {name: found.row.get(name) for name in columns}
    return row | {"reconstruction_sources": found.sources or None}


def _from_standard_numbers(original: Dataset, found: _Found) -> None:
    """Attributes that Enhanced PET has for it, at the top or in the shared functional group."""
    shared = values.first_item(original, "SharedFunctionalGroupsSequence")
    for ds in (original, values.first_item(shared, "PETReconstructionSequence")):
        for column, keyword in (
            ("n_iterations", "NumberOfIterations"), ("n_subsets", "NumberOfSubsets"),
        ):  # fmt: skip
            number = values.number(ds, keyword)
            if number is not None and 0 < number < 1000:
                found.note(column, int(number), keyword)
        used = {"TRUE": True, "FALSE": False, "YES": True, "NO": False}.get(
            (values.text(ds, "TimeOfFlightInformationUsed") or "").upper()
        )
        found.note("is_time_of_flight", used, "TimeOfFlightInformationUsed")
        algorithm = (values.text(ds, "ReconstructionAlgorithm") or "").upper()
        known = {"FILTER_BACK_PROJ": "FBP", "REPROJECTION": "3DRP", "RAMLA": "RAMLA",
                 "MLEM": "MLEM"}.get(algorithm)  # fmt: skip
        found.note("reconstruction_algorithm", known, "ReconstructionAlgorithm")


def _from_text(text: str, keyword: str, found: _Found) -> None:
    upper = text.upper()
    if not upper:
        return
    match = next((n for n in _NAMES if re.search(n[0], upper)), None)
    is_named_here = match is not None and found.row.get("reconstruction_algorithm") is None
    if match is not None and is_named_here:
        found.note("reconstruction_algorithm", match[1], keyword)
    # A description may just be short; the method's own attribute is not.
    is_complete = keyword == "ReconstructionMethod" and not _SILENT.search(upper)
    default = False if is_complete and is_named_here else None
    for column, pattern, implied in (
        ("is_time_of_flight", _TOF, match[2] if match and is_named_here else None),
        ("is_psf_modelled", _PSF, match[3] if match and is_named_here else None),
    ):
        said = True if pattern.search(upper) else implied
        found.note(column, default if said is None else said, keyword)
    for column, value in _counts(upper):
        found.note(column, value, keyword)
    if keyword != "ProtocolName":
        _note_filter(post_filter(text, is_kernel=keyword == "ConvolutionKernel"), keyword, found)


def _counts(upper: str) -> Iterable[tuple[str, float | int | None]]:
    pair = _PAIR.search(upper)
    iterations = _ITERATIONS.search(upper)
    if pair:
        yield "n_iterations", _in_range(pair[1])
        yield "n_subsets", _in_range(pair[2])
    elif iterations:
        yield "n_iterations", _in_range(iterations[1])
        subsets = _SUBSETS.search(upper)
        if subsets:
            yield "n_subsets", _in_range(subsets[1])
    if beta := _BETA.search(upper):
        yield "penalty_beta", float(beta[1])


def _in_range(text: str) -> int | None:
    return int(text) if int(text) > 0 else None


def _note_filter(found_filter: PostFilter | None, source: str, found: _Found) -> None:
    if found_filter is not None and found.row.get("post_filter") is None:
        found.note("post_filter", found_filter.kind, source)
        found.note("post_filter_fwhm_mm", found_filter.fwhm_mm, source)


def _from_ge_private(original: Dataset, found: _Found) -> None:
    """GE keeps iterations (0009,xxB2), subsets (xxB3), post filter (xxBA) and its width (xxBB).

    Names as in pydicom's private dictionary. That xxBB is a FWHM in mm agrees with descriptions of
    real series ("7S 6IT 6 POST" has 6, 7 and 6.0).
    """
    number = _ge_numbers(original)
    for column, element in (("n_iterations", 0xB2), ("n_subsets", 0xB3)):
        value = number(element)
        if value is not None and 0 < value < 1000:
            found.note(column, int(value), f"{_GE_PETD} (0009,xx{element:02X})")
    width = number(0xBB)
    if number(0xBA) == 1 and width is not None and 0 < width <= 20:
        _note_filter(PostFilter("gaussian", width), f"{_GE_PETD} (0009,xxBB)", found)


def _ge_numbers(original: Dataset) -> Callable[[int], float | None]:
    try:
        block = original.private_block(0x0009, _GE_PETD)
    except KeyError:
        return lambda _: None

    def number(element: int) -> float | None:
        try:
            return float(block[element].value) if element in block else None
        except (TypeError, ValueError, KeyError):
            return None  # not a number: private elements are not always what they should be

    return number


def _from_ct(original: Dataset, found: _Found) -> None:
    kernel = values.texts(original, "ConvolutionKernel")
    found.note("ct_kernel", ct_kernel(kernel), "ConvolutionKernel")
    for keyword in ("ReconstructionMethod", "ReconstructionAlgorithm", "SeriesDescription"):
        upper = (values.joined(original, keyword) or "").upper()
        named = next((name for pattern, name in _CT_NAMES if re.search(pattern, upper)), None)
        found.note("reconstruction_algorithm", named, keyword)
