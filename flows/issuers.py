"""Who issued the patient IDs of a source, where the objects do not say."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from lake.keys import KeyStore
from schemas.errors import ConflictError
from schemas.sources import SourceSettings


@dataclass(frozen=True)
class Issuers:
    """Default issuers of the sources of one run.

    Parameters
    ----------
    declared : mapping
        Sources of the settings by name.
    otherwise : str
        For sources that declare none; empty: none.
    """

    declared: Mapping[str, SourceSettings] = field(default_factory=dict)
    otherwise: str = ""

    @property
    def is_any(self) -> bool:
        """Whether any source has an issuer."""
        return bool(self.otherwise) or any(s.issuer for s in self.declared.values())

    def of(self, source_name: str | None) -> str:
        """Issuer of a source by its name, empty if there is none."""
        settings = self.declared.get(source_name or "")
        return (settings.issuer if settings else "") or self.otherwise

    def refuse_change(self, keys: KeyStore, lake_id: str, place: str) -> None:
        """Make sure that a source has the issuer that it had before; note it the first time.

        Parameters
        ----------
        keys : KeyStore
            Where it is noted.
        lake_id : str
            Lakes may share a key store.
        place : str
            The source as it was given: name or path.

        Raises
        ------
        ConflictError
            If it is another one: its patients would get a second key.
        """
        digest = hashlib.blake2b(place.encode("utf-8", "surrogateescape"), digest_size=16)
        note = f"issuer {lake_id} {digest.hexdigest()}"
        now, before = self.of(place), keys.note(note)
        if before is None:
            keys.set_note(note, now)
        elif before != now:
            raise ConflictError(
                f"this source was taken in with {_named(before)} before, and now with "
                f"{_named(now)}: its patients would get a second key. Give the same as before "
                "(--issuer, or issuer in [sources.NAME])."
            )


def _named(issuer: str) -> str:
    return f"issuer {issuer!r}" if issuer else "no issuer of patient IDs"
