"""Profiles: the named parameters of standardisation and of feature extraction.

A profile is pure data. Its digest goes into every row made with it, so that two numbers with the
same digest were made the same way; the name alone (``pet-4mm/1``) is for people.
"""

from __future__ import annotations

import math
import typing
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Final, Literal

from schemas.errors import InvalidInputError
from schemas.profile_toml import coerce, parse_profile, require_known_keys
from schemas.standard_profile import StandardProfile, parameter_digest, require

__all__ = [
    "CT_4MM",
    "FEATURE_PROFILES",
    "PET_4MM",
    "PET_FBN_64",
    "PET_FBS_025",
    "STANDARD_PROFILES",
    "FeatureProfile",
    "Profile",
    "StandardProfile",
    "load_profile",
    "merged",
    "profiles_in",
]

Discretisation = Literal["fbs", "fbn"]
FEATURE_FAMILIES: Final[tuple[str, ...]] = ("uptake", "statistics", "glcm")


@dataclass(frozen=True, slots=True)
class FeatureProfile:
    """How features are measured on a standard volume.

    Parameters
    ----------
    profile_id : str
        Name and version, such as ``pet-fbs-0.25/1``.
    discretisation : {"fbs", "fbn"}
        Fixed bin size (`bin_width`, in the unit of the volume, from `resegment_min` or 0) or fixed
        bin number (`bin_count`).
    resegment_min, resegment_max : float or None
        Voxels outside this range, in the unit of the volume, leave the ROI for intensity features.
    glcm_distance : int
        Chebyshev distance of the grey level co-occurrence matrix, voxels.
    threshold_suv : float
        SUV at and above which voxels form ROIs where no segmentation exists.
    minimum_volume_ml : float
        Smallest ROI that is kept.
    families : tuple of str
        Feature families to compute.

    References
    ----------
    Zwanenburg et al., Radiology 2020, doi:10.1148/radiol.2020191145 (IBSI 1).
    """

    profile_id: str
    discretisation: Discretisation
    bin_width: float
    bin_count: int
    resegment_min: float | None = None
    resegment_max: float | None = None
    glcm_distance: int = 1
    threshold_suv: float = 4.0
    minimum_volume_ml: float = 1.0
    families: tuple[str, ...] = FEATURE_FAMILIES

    def __post_init__(self) -> None:
        name, method = self.profile_id, self.discretisation
        require(bool(name), name, "a name", name)
        require(method in {"fbs", "fbn"}, name, "discretisation fbs or fbn", method)
        require(_positive(self.bin_width), name, "bin_width > 0", self.bin_width)
        require(2 <= self.bin_count <= 65535, name, "2 to 65535 bins", self.bin_count)
        low, high = self.resegment_min, self.resegment_max
        ordered = low is None or high is None or low < high
        require(ordered, name, "resegment_min < resegment_max", (low, high))
        require(self.glcm_distance >= 1, name, "glcm_distance >= 1", self.glcm_distance)
        require(_positive(self.threshold_suv), name, "threshold_suv > 0", self.threshold_suv)
        volume = self.minimum_volume_ml
        require(math.isfinite(volume) and volume >= 0, name, "minimum_volume_ml >= 0", volume)
        require(len(self.families) > 0, name, "at least one feature family", self.families)

    @property
    def kind(self) -> str:
        """``feature``."""
        return "feature"

    def digest(self) -> str:
        """Short hexadecimal digest of all parameters."""
        return parameter_digest({"kind": self.kind, **asdict(self)})


def _positive(value: float) -> bool:
    return math.isfinite(value) and value > 0


Profile = StandardProfile | FeatureProfile
_KINDS: Final[dict[str, type[Profile]]] = {
    "standard": StandardProfile,
    "feature": FeatureProfile,
}


def load_profile(toml_text: str) -> Profile:
    """Read a profile from TOML: ``kind = "standard"`` or ``"feature"`` and its fields.

    Parameters
    ----------
    toml_text : str
        Unknown keys, wrong types and impossible values are refused.

    Raises
    ------
    InvalidInputError
        Naming the key, what was expected and what came.

    Examples
    --------
    >>> text = '''
    ... kind = "standard"
    ... profile_id = "mine/1"
    ... modality = "PT"
    ... spacing_mm = [3, 3, 3]
    ... '''
    >>> load_profile(text).spacing_mm
    (3.0, 3.0, 3.0)
    """
    kind, raw = parse_profile(toml_text)
    if kind not in _KINDS:
        raise InvalidInputError(f"profile kind: expected one of {sorted(_KINDS)}, got {kind!r}")
    cls = _KINDS[str(kind)]
    require_known_keys(raw, cls)
    hints = typing.get_type_hints(cls)
    try:
        return cls(**{key: coerce(key, value, hints[key]) for key, value in raw.items()})
    except TypeError as error:  # a required field is absent
        raise InvalidInputError(f"profile of kind {kind!r}: {error}") from error


def profiles_in(folder: Traversable) -> dict[str, Profile]:
    """Read every ``*.toml`` of a folder; the profiles by their names.

    Raises
    ------
    InvalidInputError
        Naming the file that cannot be used, or two with the same ``profile_id``.
    """
    found: dict[str, Profile] = {}
    for file in sorted(folder.iterdir(), key=lambda f: f.name):
        if not file.name.endswith(".toml"):
            continue
        try:
            profile = load_profile(file.read_text(encoding="utf-8"))
        except (InvalidInputError, UnicodeDecodeError) as error:
            raise InvalidInputError(f"{file.name}: {error}") from error
        if profile.profile_id in found:
            raise InvalidInputError(f"{file.name}: there are two profiles {profile.profile_id!r}")
        found[profile.profile_id] = profile
    return found


def merged(profiles: Mapping[str, Profile], own: Mapping[str, Profile]) -> dict[str, Profile]:
    """Return the shipped profiles and a user's own.

    Raises
    ------
    InvalidInputError
        If a name of a shipped profile is used for something else.
    """
    for name, profile in own.items():
        if name in profiles and profiles[name] != profile:
            raise InvalidInputError(
                f"profile {name!r} comes with tracerlake and cannot be changed; choose another "
                "profile_id"
            )
    return {**profiles, **own}


_SHIPPED: Final = profiles_in(files("schemas") / "profile_files")
STANDARD_PROFILES: Final[dict[str, StandardProfile]] = {
    name: p for name, p in _SHIPPED.items() if isinstance(p, StandardProfile)
}
FEATURE_PROFILES: Final[dict[str, FeatureProfile]] = {
    name: p for name, p in _SHIPPED.items() if isinstance(p, FeatureProfile)
}
PET_4MM: Final = STANDARD_PROFILES["pet-4mm/1"]
CT_4MM: Final = STANDARD_PROFILES["ct-4mm/1"]
PET_FBS_025: Final = FEATURE_PROFILES["pet-fbs-0.25/1"]
PET_FBN_64: Final = FEATURE_PROFILES["pet-fbn-64/1"]
