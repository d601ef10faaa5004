"""De-identification of one DICOM object: a new data set with nothing but what is known to be safe.

Examples
--------
>>> from pydicom.dataset import Dataset
>>> from tasks.deidentify.pseudonyms import Pseudonymiser
>>> original = Dataset()
>>> original.PatientID, original.PatientName = "4711", "Doe^Jane"
>>> original.StudyDate, original.SeriesDescription = "20240301", "PET WB for Dr. Who"
>>> safe = deidentify(original, Pseudonymiser(bytes(16)))
>>> safe.SeriesDescription, safe.PatientID == safe.PatientName, safe.StudyDate < "20240301"
('pet wb', True, True)
"""

from __future__ import annotations

from typing import Final

from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence as DicomSequence
from pydicom.tag import Tag

from schemas.errors import RejectedObjectError
from tasks.deidentify.cleaner import Cleaner
from tasks.deidentify.dates import age_at
from tasks.deidentify.elements import element_of, first_text, new_element
from tasks.deidentify.identity import IdentifierFilter, patient_identity
from tasks.deidentify.pseudonyms import Pseudonyms

#: (0012,0063) and (0012,0064): profile and options, PS3.16 CID 7050.
METHOD: Final = "PS3.15 Basic Profile with options, see (0012,0064)"
METHOD_CODES: Final = (
    ("113100", "Basic Application Confidentiality Profile"),
    ("113105", "Clean Descriptors Option"),
    ("113107", "Retain Longitudinal Temporal Information Modified Dates Option"),
    ("113108", "Retain Patient Characteristics Option"),
    ("113111", "Retain Safe Private Option"),
)

_STUDY_DATE: Final = Tag(0x0008, 0x0020)
_BIRTH_DATE: Final = Tag(0x0010, 0x0030)
_AGE: Final = Tag(0x0010, 0x1010)


def deidentify(
    dataset: Dataset,
    pseudonymiser: Pseudonyms,
    *,
    patient_key: str | None = None,
    default_issuer: str = "",
    is_part: bool = False,
) -> Dataset:
    """De-identify one object.

    Parameters
    ----------
    dataset : Dataset
        The original, complete or any part of it (a header; a few elements of a sibling); not
        changed.
    pseudonymiser : Pseudonyms
        With `IdentityPseudonymiser` the result is a copy in which nothing is changed.
    patient_key : str, optional
        The patient's key if known already, for parts of objects that lack the patient ID.
    default_issuer : str
        See `tasks.deidentify.identity.patient_identity`.
    is_part : bool
        True for a few elements that will be put into a de-identified object: the result does not
        say again what was done to it.

    Returns
    -------
    Dataset
        With `file_meta` if the original has one. Holds allow-listed attributes only, at any depth.

    Raises
    ------
    RejectedObjectError
        ``missing_attribute`` if the patient cannot be told, ``deidentification_failed`` if a part
        that must be kept cannot be understood.

    References
    ----------
    DICOM PS3.15 Annex E, Table E.1-1.
    """
    if not pseudonymiser.replaces:
        return _copied(dataset)
    key = patient_key or patient_identity(dataset, pseudonymiser, default_issuer).key
    cleaner = Cleaner(pseudonymiser, key, IdentifierFilter(dataset))
    try:
        safe = cleaner.cleaned(dataset, depth=0)
    except RejectedObjectError:
        raise
    except (ValueError, TypeError, AttributeError, KeyError, NotImplementedError, OSError) as error:
        kind = type(error).__name__
        raise RejectedObjectError("deidentification_failed", f"cleaning raised {kind}") from None
    if is_part:
        return safe
    _derive_age(dataset, safe)
    _declare(safe)
    _replace_file_meta(dataset, safe, pseudonymiser)
    return safe


def _derive_age(dataset: Dataset, safe: Dataset) -> None:
    """Keep the age where only the birth date tells it, since that goes."""
    if _AGE in safe or _BIRTH_DATE not in dataset:
        return
    age = age_at(first_text(dataset, _BIRTH_DATE), first_text(dataset, _STUDY_DATE))
    if age:
        safe[_AGE] = new_element(_AGE, "AS", [age])


def _declare(safe: Dataset) -> None:
    safe.SpecificCharacterSet = "ISO_IR 192"  # all kept text is ASCII but for names of centres
    safe.PatientIdentityRemoved = "YES"
    safe.DeidentificationMethod = METHOD
    safe.DeidentificationMethodCodeSequence = DicomSequence(
        _code_item(value, meaning) for value, meaning in METHOD_CODES
    )
    safe.LongitudinalTemporalInformationModified = "MODIFIED"


def _code_item(value: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "DCM", meaning
    return item


def _replace_file_meta(dataset: Dataset, safe: Dataset, pseudonyms: Pseudonyms) -> None:
    """Give the result its own file meta information: class, mapped UID and transfer syntax."""
    old = getattr(dataset, "file_meta", None)
    if old is None:
        return
    meta = FileMetaDataset()
    for keyword in ("MediaStorageSOPClassUID", "MediaStorageSOPInstanceUID"):
        if value := old.get(keyword):
            setattr(meta, keyword, pseudonyms.uid(str(value)))
    if syntax := old.get("TransferSyntaxUID"):
        meta.TransferSyntaxUID = syntax  # also a vendor's own one: without it nothing can be read
    safe.file_meta = meta


def _copied(dataset: Dataset) -> Dataset:
    copy = Dataset()
    for tag in dataset.keys():  # noqa: SIM118  iterating a Dataset converts its elements
        element = element_of(dataset, tag)
        if isinstance(element, DataElement | RawDataElement):
            copy[tag] = element
    if getattr(dataset, "file_meta", None) is not None:
        copy.file_meta = dataset.file_meta
    return copy
