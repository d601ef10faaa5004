"""Our action on every attribute of PS3.15 Table E.1-1, held against the table.

The table is the one that the BSD-licensed dicom-anonymizer ships (its newest edition). What we do
is observed: an object with every attribute of the table is de-identified and looked at.
``python -m tests.support.standard_table`` writes the page of the differences.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Final, NamedTuple

from dicomanonymizer.simpledicomanonymizer import initialize_actions
from pydicom.config import IGNORE
from pydicom.datadict import (
    dictionary_description,
    dictionary_has_tag,
    dictionary_VR,
    tag_for_keyword,
)
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.tag import Tag

from tasks.deidentify import Pseudonymiser, deidentify

EDITION: Final = "dicomfields_2026c"
PAGE: Final = (
    Path(__file__).resolve().parents[2] / "docs" / "reference" / "deidentification-differences.md"
)
#: Codes of Table E.1-1 by the names that dicom-anonymizer gives its actions.
_CODES: Final = {
    "replace": "D", "empty": "Z", "delete": "X", "replace_UID": "U", "empty_or_replace": "Z/D",
    "delete_or_empty": "X/Z", "delete_or_replace": "X/D", "delete_or_empty_or_replace": "X/Z/D",
    "delete_or_empty_or_replace_UID": "X/Z/U*",
}  # fmt: skip
#: What we did that a code allows. ``mapped`` of a sequence: its items are cleaned, UIDs mapped.
_ALLOWED: Final = {
    "D": {"replaced"}, "Z": {"emptied"}, "X": {"removed"}, "U": {"mapped"},
    "Z/D": {"emptied", "replaced"}, "X/Z": {"removed", "emptied"}, "X/D": {"removed", "replaced"},
    "X/Z/D": {"removed", "emptied", "replaced"}, "X/Z/U*": {"removed", "emptied", "mapped"},
}  # fmt: skip

_CHARACTERISTICS: Final = (
    "PatientSex PatientAge PatientSize PatientWeight",
    "Retain Patient Characteristics: SUV and its variants need it (ages above 89 become 90).",
)
_STRICTER: Final = (
    "Stricter: the lake's headers become tables and volumes, never DICOM objects again, so that an "
    "attribute which an IOD demands (type 1 or 2) need not stay as a dummy or empty."
)
_SHIFTED: Final = (
    "Retain Longitudinal Temporal Information with Modified Dates (days): shifted back by the "
    "patient's whole weeks, so that intervals survive."
)
_TIME: Final = (
    "Retain Longitudinal Temporal Information with Modified Dates (times): the time of day stays "
    "as it is, since the shift is of whole days; a lone time of injection would otherwise part "
    "from its scan."
)
_CLEANED: Final = "Clean Descriptors: only words of a closed vocabulary stay."
#: Single explanations, by keyword.
_SINGLE: Final = {
    "PatientName": "Replaced by the patient key rather than emptied: the pseudonym says which data "
    "belong together.",
    "ReferencedStudySequence": "References between objects stay: items are cleaned and their UIDs "
    "mapped, as the table itself allows for the image references (X/Z/U*).",
    "TimezoneOffsetFromUTC": "Retain Longitudinal Temporal Information with Modified Dates "
    "(offset): an offset of a form that DICOM defines stays, since date-times cannot be "
    "compared without it.",
}


class Observation(NamedTuple):
    """What became of one attribute of the table.

    Parameters
    ----------
    tag : int
        The attribute.
    code : str
        Action of the Basic Profile, such as ``X/Z/D``.
    ours : str
        ``removed``, ``emptied``, ``replaced``, ``mapped``, ``shifted``, ``cleaned`` or ``kept``.
    explanation : str or None
        Why that differs from the code; None where it does not, empty where nobody has said why.
    """

    tag: int
    code: str
    ours: str
    explanation: str | None


def table() -> dict[tuple[int, ...], str]:
    """Code of every entry: (group, element), or with two masks for repeating groups."""
    actions = initialize_actions(EDITION)
    return {tuple(tag): _CODES[function.__name__] for tag, function in actions.items()}


def observations() -> list[Observation]:
    """De-identify an object with every attribute of the table, and say what became of each."""
    entries = {Tag(*tag): code for tag, code in table().items() if len(tag) == 2}
    original = Dataset()
    original.file_meta = FileMetaDataset()
    for tag in entries:
        _part(original, int(tag))[tag] = _planted(int(tag))
    safe = deidentify(original, PSEUDONYMS, patient_key=PATIENT_KEY)
    found = []
    for tag, code in sorted(entries.items()):
        ours = _seen(original, safe, int(tag))
        differs = ours not in _ALLOWED[code]
        found.append(
            Observation(int(tag), code, ours, _explained(int(tag), ours) if differs else None)
        )
    return found


def repeating_groups() -> dict[str, bool]:
    """Curves and overlays: is an element of each gone?"""
    original = Dataset()
    original.StudyInstanceUID = "1.2.3"
    tags = [Tag(0x5000, 0x3000), Tag(0x6002, 0x3000), Tag(0x6002, 0x4000)]
    for tag, vr, value in zip(tags, ("OW", "OW", "LT"), (b"DoeX", b"DoeX", "Doe"), strict=True):
        original[tag] = DataElement(tag, vr, value)
    safe = deidentify(original, PSEUDONYMS, patient_key=PATIENT_KEY)
    return {str(tag): tag not in safe for tag in tags}


PSEUDONYMS: Final = Pseudonymiser(b"0123456789abcdef")
PATIENT_KEY: Final = PSEUDONYMS.patient_key("4711")
#: A value that each representation may have, and that is recognised when it stays.
_VALUES: Final[dict[str, object]] = {
    "DA": "20240301", "DT": "20240301101500", "TM": "101500", "UI": "1.2.3.4.5", "AS": "059Y",
    "DS": "70.5", "IS": "7", "CS": "M", "PN": "Doe^Jane", "FL": 1.5, "FD": 1.5, "US": 7, "SS": 7,
    "UL": 7, "SL": 7, "OB": b"Doe 4711", "OW": b"Doe 4711", "UN": b"Doe 4711", "SH": "+0100",
}  # fmt: skip


def _part(dataset: Dataset, tag: int) -> Dataset:
    """File meta information for its group, otherwise the data set itself."""
    meta: Dataset = dataset.file_meta
    return meta if tag >> 16 == 2 else dataset


def _vr(tag: int) -> str:
    """Representation; UN where pydicom does not know the attribute yet."""
    return dictionary_VR(tag).split(" or ")[0] if dictionary_has_tag(tag) else "UN"


def _planted(tag: int) -> DataElement:
    vr = _vr(tag)
    if vr == "SQ":
        item = Dataset()
        item.ReferencedSOPInstanceUID = "1.2.3.4.5"
        return DataElement(tag, vr, Sequence([item]))
    is_offset = tag == tag_for_keyword("TimezoneOffsetFromUTC")
    value = _VALUES.get(vr, "PET Doe") if vr != "SH" or is_offset else "PET Doe"
    return DataElement(tag, vr, value, validation_mode=IGNORE)


def _seen(original: Dataset, safe: Dataset, tag: int) -> str:
    if tag not in _part(safe, tag):
        return "removed"
    before, after = _part(original, tag)[tag], _part(safe, tag)[tag]
    if not after.value:
        return "emptied"
    if before.VR == "SQ":
        return "kept" if "1.2.3.4.5" in str(after.value) else "mapped"
    return "kept" if after.value == before.value else _changed(before.VR, str(after.value))


def _changed(vr: str, value: str) -> str:
    if vr in {"DA", "DT"}:
        return "shifted"
    if vr == "UI":
        return "mapped"
    return "cleaned" if value == "pet" else "replaced"


def _explained(tag: int, ours: str) -> str:
    """Explain a difference; empty if there is no explanation."""
    vr = _vr(tag)
    for keyword, text in _SINGLE.items():
        if tag == tag_for_keyword(keyword):
            return text
    if tag in {tag_for_keyword(k) for k in _CHARACTERISTICS[0].split()}:
        return _CHARACTERISTICS[1]
    return {
        ("removed", vr): _STRICTER,
        ("shifted", "DA"): _SHIFTED,
        ("shifted", "DT"): _SHIFTED,
        ("kept", "TM"): _TIME,
        ("cleaned", vr): _CLEANED,
    }.get((ours, vr), "")


def _name(tag: int) -> str:
    return dictionary_description(tag) if dictionary_has_tag(tag) else "(newer than pydicom)"


def page() -> str:
    """Page of the differences, one table for each explanation."""
    seen = observations()
    grouped: dict[str, list[Observation]] = defaultdict(list)
    for item in seen:
        if item.explanation is not None:
            grouped[item.explanation].append(item)
    n_equal = sum(item.explanation is None for item in seen)
    lines = [
        "# De-identification: differences from the standard's table",
        "",
        "PS3.15 Table E.1-1 says what the Basic Application Level Confidentiality Profile does",
        f"with each attribute. Of its {len(seen)} attributes (in the edition 2026c that",
        f"dicom-anonymizer ships), tracerlake does exactly that with {n_equal}; the others are",
        "below, each with why. Curves and overlays (repeating groups) are removed, as the table",
        "asks. Private attributes are removed but for the few of the Retain Safe Private option,",
        "see [De-identification](../explanation/de-identification.md). Attributes that are in",
        "neither list are removed too.",
        "",
        "Codes: X remove, Z empty, D replace by a dummy, U map the UID. Made by",
        "`python -m tests.support.standard_table`; a difference without explanation fails a test.",
        "",
    ]
    for explanation in sorted(grouped, key=lambda text: (text == _STRICTER, text)):
        lines += [f"## {explanation.split(':')[0]}", "", explanation, ""]
        lines += ["| attribute | tag | table | tracerlake |", "|---|---|---|---|"]
        lines += [
            f"| {_name(o.tag)} | {Tag(o.tag)} | {o.code} | {o.ours} |" for o in grouped[explanation]
        ]
        lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
