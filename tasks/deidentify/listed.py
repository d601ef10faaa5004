"""Pseudonyms of a site's own list, with keyed ones for everybody else or nobody else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from schemas.errors import RejectedObjectError
from tasks.deidentify.pseudonym_list import Listed
from tasks.deidentify.pseudonyms import Pseudonymiser, clean_identifier


@dataclass(frozen=True)
class ListedPseudonymiser(Pseudonymiser):
    """Gives patients the key that the site's list has for them.

    All else (UIDs, days, centres, places) stays keyed by the secret. The list is kept as keyed
    digests, so that no patient ID travels with the jobs.

    Parameters
    ----------
    secret, centres
        As `Pseudonymiser`.
    by_digest : mapping
        Pseudonym by digest of patient; made by `with_list`.
    is_required : bool
        Refuse patients that are not in the list.
    """

    by_digest: Mapping[bytes, str] = field(default_factory=dict, repr=False)
    is_required: bool = False

    @classmethod
    def with_list(
        cls, plain: Pseudonymiser, listed: Listed, *, is_required: bool = False
    ) -> ListedPseudonymiser:
        """Add a list to a keyed pseudonymiser.

        Examples
        --------
        >>> plain = Pseudonymiser(bytes(16))
        >>> both = ListedPseudonymiser.with_list(plain, {("4711", ""): "S-01"})
        >>> both.patient_key("4711", "any"), both.patient_key("12") == plain.patient_key("12")
        ('S-01', True)
        """
        empty = cls(plain.secret, plain.centres)
        by_digest = {empty._entry(*patient): key for patient, key in listed.items()}
        return cls(plain.secret, plain.centres, by_digest, is_required)

    @property
    def listed_keys(self) -> frozenset[str]:
        """All pseudonyms of the list."""
        return frozenset(self.by_digest.values())

    @property
    def list_id(self) -> str:
        """Keyed fingerprint of the list, to notice that it has changed."""
        entries = [f"{digest.hex()} {key}" for digest, key in sorted(self.by_digest.items())]
        return self._digest("list", str(self.is_required), *entries).hex()[:24]

    def patient_key(self, patient_id: str, issuer: str = "") -> str:
        """Key of a patient: of the list by ID and issuer, by ID alone, or else keyed.

        Raises
        ------
        RejectedObjectError
            ``missing_attribute`` if the ID is empty, ``pseudonym_missing`` if a pseudonym of the
            list is required and there is none.
        """
        keyed = super().patient_key(patient_id, issuer)
        cleaned, by = clean_identifier(patient_id), clean_identifier(issuer)
        found = self.by_digest.get(self._entry(cleaned, by)) or self.by_digest.get(
            self._entry(cleaned, "")
        )
        if found is None and self.is_required:
            raise _missing()
        return found or keyed

    def study_patient_key(self, study_instance_uid: str) -> str:
        """Key for a study without patient ID; none if a pseudonym of the list is required.

        Raises
        ------
        RejectedObjectError
            As `patient_key`.
        """
        if self.is_required:
            raise _missing()
        return super().study_patient_key(study_instance_uid)

    def _entry(self, patient_id: str, issuer: str) -> bytes:
        return self._digest("listed", patient_id, issuer)[:16]


def _missing() -> RejectedObjectError:
    return RejectedObjectError("pseudonym_missing", "")
