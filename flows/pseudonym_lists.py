"""A site's own list of pseudonyms: reading it, and what a change of it must not do."""

from __future__ import annotations

from typing import Final

from lake import LakeSettings
from lake.key_files import refuse_inside_lake, refuse_wide
from lake.keys import KeyStore
from schemas.errors import ConflictError, InvalidInputError, RejectedObjectError
from tasks.deidentify.listed import ListedPseudonymiser
from tasks.deidentify.pseudonym_list import read_pseudonym_list
from tasks.deidentify.pseudonyms import Pseudonymiser

_NOTE: Final = "pseudonym list"
_NO_LIST: Final = "none"


def with_site_list(plain: Pseudonymiser, settings: LakeSettings) -> Pseudonymiser:
    """Add the list of the settings, if there is one.

    Raises
    ------
    InvalidInputError
        If the file is not there, may be read by others, lies in a lake, or is wrong.
    """
    chosen = settings.pseudonyms
    if chosen is None:
        return plain
    path = chosen.file.expanduser()
    refuse_inside_lake(path.parent.resolve())
    try:
        refuse_wide(path, 0o600)
        data = path.read_bytes()
    except OSError as error:
        raise InvalidInputError(f"pseudonym list {path}: {error.strerror}") from error
    listed = read_pseudonym_list(data, issuer=chosen.issuer, domain=chosen.domain)
    return ListedPseudonymiser.with_list(plain, listed, is_required=chosen.require_listed)


def refuse_split_patients(keys: KeyStore, pseudonyms: Pseudonymiser) -> None:
    """Make sure that all patients known keep their key; looked at when the list has changed.

    Raises
    ------
    ConflictError
        If some would get another key, or their key another patient.
    """
    now = pseudonyms.list_id if isinstance(pseudonyms, ListedPseudonymiser) else _NO_LIST
    before = keys.note(_NOTE)
    if now == (before or _NO_LIST):
        return
    changed = sum(_loses_its_key(pseudonyms, *patient) for patient in keys.patients())
    if changed:
        raise ConflictError(
            f"{changed} patients of this lake would be split: the list of pseudonyms is not the "
            "one they were taken in with, and gives them other keys. Restore their entries in the "
            "list, or make a new lake with the new list."
        )
    keys.set_note(_NOTE, now)


def _loses_its_key(pseudonyms: Pseudonymiser, key: str, issuer: str, patient_id: str) -> bool:
    try:
        return pseudonyms.patient_key(patient_id, issuer) != key
    except RejectedObjectError:
        # Not listed any more: nothing new comes of this patient, unless another one got the key.
        return isinstance(pseudonyms, ListedPseudonymiser) and key in pseudonyms.listed_keys
