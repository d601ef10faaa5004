"""What a conversion is given, and what it makes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from pydicom.dataset import Dataset

from schemas.records import Row
from schemas.volume import MaskVolume, RawVolume
from tasks.deidentify.profile import METHOD_CODES, deidentify
from tasks.deidentify.pseudonyms import Pseudonyms
from tasks.deidentify.version import profile_version
from tasks.dicom import values
from tasks.dicom.variants import Header, overlay
from tasks.ingest.limits import Limits

#: In the column `deidentification` where headers were left as they are.
NOT_DEIDENTIFIED: Final = "none"
#: And otherwise: the options of PS3.15 Annex E by their codes.
PROFILE_NAME: Final = "PS3.15 E " + " ".join(code for code, _ in METHOD_CODES)


def applied_version(deidentify: bool) -> str:
    """Version of the allow-list, ``none`` where headers are left as they are."""
    return profile_version() if deidentify else NOT_DEIDENTIFIED


@dataclass(frozen=True, slots=True)
class Context:
    """How series are converted.

    Parameters
    ----------
    pseudonymiser : Pseudonyms
        For every identifier in rows and attributes.
    limits : Limits
        Sizes.
    deidentify : bool
        True to take all rows and attributes from de-identified headers.
    default_issuer : str
        Issuer of patient IDs where the objects name none.
    """

    pseudonymiser: Pseudonyms
    limits: Limits
    deidentify: bool
    default_issuer: str = ""

    @property
    def profile(self) -> str:
        """Name of the de-identification profile."""
        return PROFILE_NAME if self.deidentify else NOT_DEIDENTIFIED

    @property
    def profile_version(self) -> str:
        """Version of the allow-list; see `tasks.deidentify.version`."""
        return applied_version(self.deidentify)

    def clean(self, header: Dataset) -> Dataset:
        """Return the header that rows are made from: de-identified, or itself.

        Raises
        ------
        RejectedObjectError
            ``deidentification_failed`` or ``missing_attribute``.
        """
        if not self.deidentify:
            return header
        return deidentify(header, self.pseudonymiser, patient_key=self.patient_key(header))

    def clean_all(self, headers: Sequence[Header]) -> list[Dataset]:
        """De-identify the headers of one series; patched ones by what is their own.

        Raises
        ------
        RejectedObjectError
            As `clean`.
        """
        if not self.deidentify:
            return [header.dataset for header in headers]
        patient_key = self.patient_key(headers[0].dataset)
        first = self.clean(headers[0].dataset)
        made = [first]
        for header in headers[1:]:
            if header.own is None:
                made.append(self.clean(header.dataset))
            else:
                own = deidentify(
                    header.own, self.pseudonymiser, patient_key=patient_key, is_part=True
                )
                made.append(_patched(first, own, header.own))
        return made

    def uid(self, original: str | None) -> str | None:
        """Pseudonym of a UID, None if it is empty."""
        return self.pseudonymiser.uid(original) or None if original else None

    def issuer(self, header: Dataset) -> str:
        """Issuer of the patient ID of an original header, else that of the source."""
        return values.text(header, "IssuerOfPatientID") or self.default_issuer

    def patient_key(self, header: Dataset) -> str:
        """Key of the patient of an original header; of the study if the patient has no ID."""
        patient_id = values.text(header, "PatientID")
        if patient_id:
            return self.pseudonymiser.patient_key(patient_id, self.issuer(header))
        study = values.text(header, "StudyInstanceUID") or ""
        return self.pseudonymiser.study_patient_key(study)


def _patched(first: Dataset, own: Dataset, original: Dataset) -> Dataset:
    """Put de-identified elements into the first header; what de-identification removed goes."""
    merged = overlay(first, own)
    for tag in original.keys():  # noqa: SIM118 - a data set iterates over elements
        if tag not in own and tag in merged:
            del merged[tag]
    return merged


@dataclass(frozen=True, slots=True)
class Conversion:
    """What one series became, before the outcomes of its objects are added."""

    rows: Mapping[str, list[Row]]
    raw: tuple[RawVolume, ...] = ()
    masks: tuple[MaskVolume, ...] = ()
    identity: Mapping[str, str] = field(default_factory=dict)
