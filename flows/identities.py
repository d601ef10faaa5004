"""From a lake's settings and key to pseudonyms, and back to the key holder's table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from lake import KeyStore
from lake.settings import LakeSettings
from tasks.deidentify.pseudonyms import IdentityPseudonymiser, Pseudonymiser, Pseudonyms


def pseudonymiser(settings: LakeSettings, keys: KeyStore) -> Pseudonyms:
    """Pseudonyms by the lake's key, or plain identifiers where de-identification is off."""
    if settings.deidentify:
        return Pseudonymiser(keys.secret, settings.centres)
    return IdentityPseudonymiser(settings.centres)


def remember(keys: KeyStore, identities: Iterable[Mapping[str, str]]) -> None:
    """Write who is behind which pseudonym to the key holder's table, never to the lake."""
    known = [identity for identity in identities if identity]
    keys.remember_patients(
        {
            (i["patient_key"], i.get("issuer", ""), i["patient_id"])
            for i in known
            if i.get("patient_key") and i.get("patient_id")
        }
    )
    pairs = {(i[f"{k}"], i[f"original_{k}"]) for i in known for k in _UIDS if f"original_{k}" in i}
    keys.remember_uids(pairs)


_UIDS = ("study_instance_uid", "series_instance_uid")
