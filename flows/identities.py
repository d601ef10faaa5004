"""From a lake's settings and key to pseudonyms, and back to the key holder's table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from flows.pseudonym_lists import refuse_split_patients, with_site_list
from lake import LakeSettings
from lake.keys import KeyStore
from tasks.deidentify.pseudonyms import IdentityPseudonymiser, Pseudonymiser, Pseudonyms
from tasks.ingest.limits import Limits


def pseudonymiser(settings: LakeSettings, keys: KeyStore) -> Pseudonyms:
    """Pseudonyms by the lake's key and the site's list, or plain identifiers.

    Raises
    ------
    InvalidInputError
        If the site's list cannot be used.
    ConflictError
        If it would give patients of the lake another key.
    """
    if not settings.deidentify:
        return IdentityPseudonymiser(settings.centres)
    pseudonyms = with_site_list(Pseudonymiser(keys.secret, settings.centres), settings)
    refuse_split_patients(keys, pseudonyms)
    return pseudonyms


def ingest_limits(settings: LakeSettings) -> Limits:
    """Limits of ingestion from the lake's settings."""
    most = settings.limits
    return Limits(
        max_object_bytes=most.max_object_bytes,
        max_pixel_bytes=most.max_object_bytes,
        max_series_bytes=4 * most.max_voxels,
    )


def remember(keys: KeyStore, identities: Iterable[Mapping[str, str]]) -> None:
    """Write who is behind which pseudonym to the key holder's table, never to the lake."""
    known = [identity for identity in identities if identity]
    keys.remember_patients(
        {
            (i["patient_key"], i.get("issuer_of_patient_id", ""), i["patient_id"])
            for i in known
            if i.get("patient_key") and i.get("patient_id")
        }
    )
    pairs = {(i[f"{k}"], i[f"original_{k}"]) for i in known for k in _UIDS if f"original_{k}" in i}
    keys.remember_uids(pairs)


_UIDS = ("study_instance_uid", "series_instance_uid")
