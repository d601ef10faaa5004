"""Keyed pseudonyms: the same secret always gives the same patient, UIDs, dates and files."""

from __future__ import annotations

import hashlib
import hmac
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import ClassVar, Final, Protocol

# The table of the standard's UIDs; pydicom has no public name for it.
from pydicom._uid_dict import UID_dictionary

from schemas.errors import InvalidInputError, RejectedObjectError

#: Shorter secrets could be found by trying.
MIN_SECRET_BYTES: Final = 16
#: Whole weeks to go back: 35 to 3647 days, so that the day of the week survives.
_FIRST_WEEK, _N_WEEKS = 5, 517


class Pseudonyms(Protocol):
    """What replaces identifiers; see `Pseudonymiser` and `IdentityPseudonymiser`."""

    #: True where real identifiers are replaced.
    replaces: ClassVar[bool]

    @property
    def key_id(self) -> str:
        """Fingerprint of the secret, or ``none``."""

    def patient_key(self, patient_id: str, issuer: str = "") -> str:
        """Key of a patient."""

    def study_patient_key(self, study_instance_uid: str) -> str:
        """Key of a patient known only by the study."""

    def shift_days(self, patient_key: str) -> int:
        """Days to add to every date of the patient."""

    def uid(self, original: str) -> str:
        """UID to use instead."""

    def centre(self, institution_name: str | None) -> str:
        """Centre to name instead of the institution."""

    def file_key(self, uri: str) -> str:
        """Key of an input object's place."""

    def record_key(self, source_system: str, *parts: str) -> str:
        """Key of a clinical record."""


def clean_identifier(text: str) -> str:
    r"""Bring an identifier into one form: NFC, no control characters, single inner spaces.

    Examples
    --------
    >>> clean_identifier("  A  12\x00")
    'A 12'
    """
    printable = "".join(c if c.isprintable() else " " for c in unicodedata.normalize("NFC", text))
    return re.sub(r"\s+", " ", printable).strip()


def is_standard_uid(uid: str) -> bool:
    """Say whether a UID is registered in the standard (SOP class, syntax, known frame ...).

    References
    ----------
    DICOM PS3.6 Annex A.
    """
    return uid in UID_dictionary


def _no_patient_id() -> RejectedObjectError:
    return RejectedObjectError("missing_attribute", "PatientID (0010,0020) is empty")


def _mapped_centre(centres: Mapping[str, str], institution_name: str) -> str | None:
    """Find the centre of an institution; a centre's own name stands for itself."""
    wanted = clean_identifier(institution_name).casefold()
    for name, centre in centres.items():
        if clean_identifier(name).casefold() == wanted:
            return centre
    return next((c for c in centres.values() if c.casefold() == wanted), None)


@dataclass(frozen=True)
class Pseudonymiser:
    """Replaces identifiers by HMAC-SHA256 under one secret.

    Parameters
    ----------
    secret : bytes
        At least 16 random bytes. Never shown, but part of its pickle: send it to workers of the
        same trust only.
    centres : mapping, optional
        Institution name (any case and spacing) to the centre's name in the lake.

    Raises
    ------
    InvalidInputError
        If the secret is too short.

    References
    ----------
    DICOM PS3.15 Annex E.1 and E.3.6; RFC 2104.

    Examples
    --------
    >>> pseudonymiser = Pseudonymiser(b"not a secret but long enough")
    >>> pseudonymiser.patient_key("4711") == pseudonymiser.patient_key(" 4711 ")
    True
    """

    secret: bytes = field(repr=False)
    centres: Mapping[str, str] = field(default_factory=dict, repr=False)

    replaces: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if len(self.secret) < MIN_SECRET_BYTES:
            raise InvalidInputError(
                f"the pseudonymisation secret needs {MIN_SECRET_BYTES} bytes or more, "
                f"got {len(self.secret)}"
            )

    def _digest(self, purpose: str, *parts: str) -> bytes:
        return _keyed(self.secret, purpose, *parts)

    def patient_key(self, patient_id: str, issuer: str = "") -> str:
        """Key of a patient, ``P-`` and 16 hexadecimal digits.

        Parameters
        ----------
        patient_id, issuer : str
            PatientID (0010,0020) and IssuerOfPatientID (0010,0021); spacing does not matter.

        Raises
        ------
        RejectedObjectError
            ``missing_attribute`` if the ID is empty: see `study_patient_key`.
        """
        cleaned = clean_identifier(patient_id)
        if not cleaned:
            raise _no_patient_id()
        return f"P-{self._digest('patient', cleaned, clean_identifier(issuer)).hex()[:16]}"

    def study_patient_key(self, study_instance_uid: str) -> str:
        """Key for a study without patient ID: each such study counts as a patient of its own.

        Raises
        ------
        RejectedObjectError
            ``missing_attribute`` if the study has no UID either.
        """
        cleaned = clean_identifier(study_instance_uid)
        if not cleaned:
            raise _no_patient_id()
        return f"P-{self._digest('study patient', cleaned).hex()[:16]}"

    def shift_days(self, patient_key: str) -> int:
        """Days to add to every date of the patient: a multiple of 7 from -3647 to -35."""
        number = int.from_bytes(self._digest("shift", patient_key)[:8], "big")
        return -7 * (_FIRST_WEEK + number % _N_WEEKS)

    def uid(self, original: str) -> str:
        """``2.25.`` and 128 bits; UIDs of the standard and empty ones stay.

        Examples
        --------
        >>> Pseudonymiser(bytes(16)).uid("1.2.840.10008.5.1.4.1.1.128")
        '1.2.840.10008.5.1.4.1.1.128'
        """
        cleaned = original.strip(" \0")
        if not cleaned or is_standard_uid(cleaned):
            return cleaned
        return _keyed_uid(self.secret, cleaned)

    def centre(self, institution_name: str | None) -> str:
        """Centre by the mapping, otherwise ``site-`` and 6 hexadecimal digits, or ``unknown``."""
        cleaned = clean_identifier(institution_name or "")
        if not cleaned:
            return "unknown"
        digest = self._digest("centre", cleaned.casefold()).hex()[:6]
        return _mapped_centre(self.centres, cleaned) or f"site-{digest}"

    def file_key(self, uri: str) -> str:
        """Key of an input object's place: 32 hexadecimal digits."""
        keyed = _keyed_so_far(self.secret, "file").copy()
        keyed.update(_with_length(uri))
        return keyed.hexdigest()[:32]

    def record_key(self, source_system: str, *parts: str) -> str:
        """Key of a clinical record, ``R-`` and 16 hexadecimal digits.

        Parameters
        ----------
        source_system : str
            Such as ``redcap``.
        *parts : str
            What makes the record unique there.
        """
        return f"R-{self._digest('record', source_system, *parts).hex()[:16]}"

    @property
    def key_id(self) -> str:
        """Short fingerprint of the secret, to notice that a lake was made with another one."""
        return self._digest("key id").hex()[:12]


#: The UIDs of a series are asked for again and again: by its files, its row, its volume.
@lru_cache(maxsize=8192)
def _keyed_uid(secret: bytes, original: str) -> str:
    return f"2.25.{int.from_bytes(_keyed(secret, 'uid', original)[:16], 'big')}"


def _keyed(secret: bytes, purpose: str, *parts: str) -> bytes:
    # Length before content: ("ab", "c") and ("a", "bc") must not meet.
    message = b"".join([_counted(purpose), *map(_with_length, parts)])
    return hmac.digest(secret, message, "sha256")


#: Every object at every source is asked for in every run: the key is worked in once.
@lru_cache(maxsize=16)
def _keyed_so_far(secret: bytes, purpose: str) -> hmac.HMAC:
    return hmac.new(secret, _counted(purpose), "sha256")


def _with_length(part: str) -> bytes:
    coded = part.encode("utf-8", "surrogateescape")
    return len(coded).to_bytes(4, "big") + coded


_counted = lru_cache(maxsize=64)(_with_length)


@dataclass(frozen=True)
class IdentityPseudonymiser:
    """Keeps identifiers as they are: for phantoms and public data only.

    Parameters
    ----------
    centres : mapping, optional
        Institution name to the centre's name in the lake.
    """

    centres: Mapping[str, str] = field(default_factory=dict)

    replaces: ClassVar[bool] = False

    @property
    def key_id(self) -> str:
        """``none``: there is no secret."""
        return "none"

    def patient_key(self, patient_id: str, issuer: str = "") -> str:
        """Return the patient ID itself, cleaned, after its issuer if there is one.

        Raises
        ------
        RejectedObjectError
            ``missing_attribute`` if the ID is empty.
        """
        cleaned, by = clean_identifier(patient_id), clean_identifier(issuer)
        if not cleaned:
            raise _no_patient_id()
        return f"{by}:{cleaned}" if by else cleaned

    def study_patient_key(self, study_instance_uid: str) -> str:
        """Return a key from the study UID.

        Raises
        ------
        RejectedObjectError
            ``missing_attribute`` if the study has no UID either.
        """
        if not study_instance_uid.strip():
            raise _no_patient_id()
        return f"P-{_plain_digest(study_instance_uid.strip())[:16]}"

    def shift_days(self, patient_key: str) -> int:  # noqa: ARG002  same interface
        """No shift."""
        return 0

    def uid(self, original: str) -> str:
        """Return the UID itself, without padding."""
        return original.strip(" \0")

    def centre(self, institution_name: str | None) -> str:
        """Centre by the mapping, otherwise the institution's name, or ``unknown``."""
        cleaned = clean_identifier(institution_name or "")
        return _mapped_centre(self.centres, cleaned) or cleaned or "unknown"

    def file_key(self, uri: str) -> str:
        """Key of an input object's place: 32 hexadecimal digits."""
        return _plain_digest(uri)[:32]

    def record_key(self, source_system: str, *parts: str) -> str:
        """Key of a clinical record, ``R-`` and 16 hexadecimal digits."""
        return f"R-{_plain_digest(source_system, *parts)[:16]}"


def _plain_digest(*parts: str) -> str:
    text = "\x1f".join(parts)
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
