"""Who an object is about: the patient's key, and the words that must not survive anywhere."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from tasks.deidentify.descriptors import is_allowed
from tasks.deidentify.elements import element_of, first_text, texts
from tasks.deidentify.pseudonyms import Pseudonyms, clean_identifier

_NAMES: Final = """
PatientName PatientID IssuerOfPatientID PatientBirthDate PatientBirthName OtherPatientNames
OtherPatientIDs PatientMotherBirthName PatientAddress PatientTelephoneNumbers MilitaryRank
MedicalRecordLocator AccessionNumber StudyID AdmissionID ReferringPhysicianName
ReferringPhysicianAddress ReferringPhysicianTelephoneNumbers PerformingPhysicianName
NameOfPhysiciansReadingStudy PhysiciansOfRecord ConsultingPhysicianName OperatorsName
RequestingPhysician ScheduledPerformingPhysicianName ResponsiblePerson RequestingService
InstitutionName InstitutionAddress InstitutionalDepartmentName StationName DeviceSerialNumber
PerformedStationName PerformedProcedureStepID ReviewerName ClinicalTrialSubjectID
ClinicalTrialSubjectReadingID ROIInterpreter PersonName VerifyingObserverName
"""
_NAME_TAGS: Final = tuple(Tag(t) for t in map(tag_for_keyword, _NAMES.split()) if t is not None)
_WORD: Final = re.compile(r"[^\W_]+")
_PATIENT_ID: Final = Tag(0x0010, 0x0020)
_ISSUER: Final = Tag(0x0010, 0x0021)
_STUDY_UID: Final = Tag(0x0020, 0x000D)


@dataclass(frozen=True, slots=True)
class PatientIdentity:
    """Whom a data set is about.

    Parameters
    ----------
    key : str
        The pseudonym.
    patient_id, issuer : str
        The originals, cleaned: for the key holder's table only.
    is_from_study : bool
        True if there was no patient ID, so that each study counts as a patient of its own.
    """

    key: str
    patient_id: str
    issuer: str
    is_from_study: bool


def patient_identity(
    dataset: Dataset, pseudonyms: Pseudonyms, default_issuer: str = ""
) -> PatientIdentity:
    """Key of the patient of a data set.

    Parameters
    ----------
    dataset : Dataset
        With the original identifiers; a header of PatientID and StudyInstanceUID will do.
    pseudonyms : Pseudonyms
        The pseudonymiser.
    default_issuer : str
        Issuer where the object names none: give one per source if centres may share IDs.

    Returns
    -------
    PatientIdentity
        Never to be logged.

    Raises
    ------
    RejectedObjectError
        ``missing_attribute`` if there is neither a patient ID nor a study UID.
    """
    patient_id = clean_identifier(first_text(dataset, _PATIENT_ID))
    issuer = clean_identifier(first_text(dataset, _ISSUER)) or default_issuer
    if patient_id:
        return PatientIdentity(
            pseudonyms.patient_key(patient_id, issuer), patient_id, issuer, False
        )
    key = pseudonyms.study_patient_key(first_text(dataset, _STUDY_UID))
    return PatientIdentity(key, "", "", True)


class IdentifierFilter:
    """Knows the identifying words of one object and finds them in other text.

    Words of the vocabulary are not among them: a Mr Siemens must not cost the manufacturer.

    Parameters
    ----------
    dataset : Dataset
        The original object.
    """

    def __init__(self, dataset: Dataset) -> None:
        found = {
            word.casefold()
            for tag in _NAME_TAGS
            if tag in dataset
            for text in texts(element_of(dataset, tag))
            for word in (*_WORD.findall(text), text)
        }
        self._words = frozenset(w for w in found if len(w) >= 3 and not is_allowed(w))
        self._long = tuple(w for w in self._words if len(w) >= 4)
        self._bytes = tuple(w.encode() for w in self._long)

    def is_clean(self, text: str) -> bool:
        """Say whether a text holds none of the words, nor a long one inside another word."""
        if not text:
            return True
        folded = text.casefold()
        return self._words.isdisjoint(_WORD.findall(folded)) and not any(
            word in folded for word in self._long
        )

    def is_spelt_in(self, data: bytes) -> bool:
        """Say whether one of the long words stands in binary data."""
        folded = data.lower() if len(data) >= 4 else b""
        return any(word in folded for word in self._bytes) if folded else False
