"""The profiles that a lake knows: those that come with tracerlake, and its own."""

from __future__ import annotations

from typing import Final

from lake import Lake
from schemas.profiles import (
    FEATURE_PROFILES,
    STANDARD_PROFILES,
    FeatureProfile,
    Profile,
    StandardProfile,
    merged,
    profiles_in,
)

#: Folder of a lake with profiles of its own.
PROFILE_FOLDER: Final = "profiles"


def standard_profiles(lk: Lake) -> dict[str, StandardProfile]:
    """Return standard profiles by name.

    Raises
    ------
    InvalidInputError
        A file in the lake's folder ``profiles`` is no profile, or renames a shipped one.
    """
    found = merged(dict[str, Profile](STANDARD_PROFILES), _own(lk))
    return {name: p for name, p in found.items() if isinstance(p, StandardProfile)}


def feature_profiles(lk: Lake) -> dict[str, FeatureProfile]:
    """Return feature profiles by name; errors as of `standard_profiles`."""
    found = merged(dict[str, Profile](FEATURE_PROFILES), _own(lk))
    return {name: p for name, p in found.items() if isinstance(p, FeatureProfile)}


def _own(lk: Lake) -> dict[str, Profile]:
    folder = lk.folder.path / PROFILE_FOLDER
    return profiles_in(folder) if folder.is_dir() else {}
