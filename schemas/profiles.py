"""Profiles: the named parameters of standardisation and of feature extraction.

A profile is pure data. Its digest goes into every row made with it, so that two numbers with the
same digest were made the same way; the name alone (``pet-4mm/1``) is for people.
"""

from __future__ import annotations

import hashlib
import json
import math
import tomllib
import types
import typing
from dataclasses import asdict, dataclass, fields
from typing import Any, Final, Literal

from schemas.errors import InvalidInputError

Discretisation = Literal["fbs", "fbn"]
FEATURE_FAMILIES: Final[tuple[str, ...]] = ("uptake", "statistics", "glcm")


def _digest(profile: StandardProfile | FeatureProfile) -> str:
    text = json.dumps({"kind": profile.kind, **asdict(profile)}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _require(condition: bool, profile_id: str, expected: str, got: object) -> None:
    if not condition:
        raise InvalidInputError(f"profile {profile_id!r}: expected {expected}, got {got!r}")


@dataclass(frozen=True, slots=True)
class StandardProfile:
    """How volumes are brought onto a standard grid and resolution.

    Parameters
    ----------
    profile_id : str
        Name and version, such as ``pet-4mm/1``.
    modality : {"PT", "CT"}
        What it is for; ``PT`` includes SPECT.
    spacing_mm : tuple of float
        Voxel size ``(z, y, x)``.
    interpolation_order : {0, 1, 3}
        Nearest, linear or cubic B-spline. Cubic keeps more resolution and may overshoot at edges
        (negative SUV beside hot lesions is real output of it, and is not clipped).
    anti_alias : bool
        Smooth before down-sampling, so that structure below the new voxel size does not fold back.
    resolution_fwhm_mm : tuple of float or None
        FWHM ``(z, y, x)`` of an additional Gaussian that matches the resolution of scanners; 0
        leaves an axis alone.
    fill_value : float
        Value of voxels outside the scanned volume: 0 for PET, -1024 HU for CT.
    on_pet_grid : bool
        True for CT that is resampled onto the grid of the PET or SPECT volume it belongs to,
        instead of a grid of its own.
    """

    profile_id: str
    modality: Literal["PT", "CT"]
    spacing_mm: tuple[float, float, float]
    interpolation_order: int = 1
    anti_alias: bool = True
    resolution_fwhm_mm: tuple[float, float, float] | None = None
    fill_value: float = 0.0
    on_pet_grid: bool = False

    def __post_init__(self) -> None:
        name = self.profile_id
        _require(bool(name), name, "a name", name)
        _require(self.modality in {"PT", "CT"}, name, "modality PT or CT", self.modality)
        _require(
            all(math.isfinite(s) and s > 0 for s in self.spacing_mm),
            name,
            "a positive spacing in mm",
            self.spacing_mm,
        )
        order = self.interpolation_order
        _require(order in {0, 1, 3}, name, "interpolation order 0, 1 or 3", order)
        fwhm = self.resolution_fwhm_mm or ()
        _require(all(math.isfinite(f) and f >= 0 for f in fwhm), name, "FWHM in mm >= 0", fwhm)
        _require(math.isfinite(self.fill_value), name, "a finite fill value", self.fill_value)

    @property
    def kind(self) -> str:
        """``standard``."""
        return "standard"

    def digest(self) -> str:
        """Short hexadecimal digest of all parameters."""
        return _digest(self)


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
    resegment_min: float | None
    resegment_max: float | None
    glcm_distance: int = 1
    threshold_suv: float = 4.0
    minimum_volume_ml: float = 1.0
    families: tuple[str, ...] = FEATURE_FAMILIES

    def __post_init__(self) -> None:
        name, method = self.profile_id, self.discretisation
        _require(bool(name), name, "a name", name)
        _require(method in {"fbs", "fbn"}, name, "discretisation fbs or fbn", method)
        _require(_positive(self.bin_width), name, "bin_width > 0", self.bin_width)
        _require(2 <= self.bin_count <= 65535, name, "2 to 65535 bins", self.bin_count)
        low, high = self.resegment_min, self.resegment_max
        ordered = low is None or high is None or low < high
        _require(ordered, name, "resegment_min < resegment_max", (low, high))
        _require(self.glcm_distance >= 1, name, "glcm_distance >= 1", self.glcm_distance)
        _require(_positive(self.threshold_suv), name, "threshold_suv > 0", self.threshold_suv)
        volume = self.minimum_volume_ml
        _require(math.isfinite(volume) and volume >= 0, name, "minimum_volume_ml >= 0", volume)
        _require(len(self.families) > 0, name, "at least one feature family", self.families)

    @property
    def kind(self) -> str:
        """``feature``."""
        return "feature"

    def digest(self) -> str:
        """Short hexadecimal digest of all parameters."""
        return _digest(self)


def _positive(value: float) -> bool:
    return math.isfinite(value) and value > 0


PET_4MM: Final = StandardProfile("pet-4mm/1", "PT", (4.0, 4.0, 4.0))
PET_2MM: Final = StandardProfile("pet-2mm/1", "PT", (2.0, 2.0, 2.0))
CT_4MM: Final = StandardProfile(
    "ct-4mm/1", "CT", (4.0, 4.0, 4.0), fill_value=-1024.0, on_pet_grid=True
)
CT_2MM: Final = StandardProfile(
    "ct-2mm/1", "CT", (2.0, 2.0, 2.0), fill_value=-1024.0, on_pet_grid=True
)
STANDARD_PROFILES: Final[dict[str, StandardProfile]] = {
    p.profile_id: p for p in (PET_4MM, PET_2MM, CT_4MM, CT_2MM)
}

PET_FBS_025: Final = FeatureProfile("pet-fbs-0.25/1", "fbs", 0.25, 64, 0.0, None)
PET_FBS_05: Final = FeatureProfile("pet-fbs-0.5/1", "fbs", 0.5, 64, 0.0, None)
PET_FBN_64: Final = FeatureProfile("pet-fbn-64/1", "fbn", 0.25, 64, None, None)
FEATURE_PROFILES: Final[dict[str, FeatureProfile]] = {
    p.profile_id: p for p in (PET_FBS_025, PET_FBS_05, PET_FBN_64)
}

_KINDS: Final[dict[str, type[StandardProfile | FeatureProfile]]] = {
    "standard": StandardProfile,
    "feature": FeatureProfile,
}


def load_profile(toml_text: str) -> StandardProfile | FeatureProfile:
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
    try:
        raw = tomllib.loads(toml_text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidInputError(f"profile is not valid TOML: {error}") from error
    kind = raw.pop("kind", None)
    if kind not in _KINDS:
        raise InvalidInputError(f"profile kind: expected one of {sorted(_KINDS)}, got {kind!r}")
    cls = _KINDS[kind]
    hints = typing.get_type_hints(cls)
    known = {f.name for f in fields(cls)}
    unknown = sorted(set(raw) - known)
    if unknown:
        raise InvalidInputError(f"unknown profile keys {unknown}; known: {sorted(known)}")
    try:
        return cls(**{key: _coerce(key, value, hints[key]) for key, value in raw.items()})
    except TypeError as error:  # a required field is absent
        raise InvalidInputError(f"profile of kind {kind!r}: {error}") from error


def _coerce(key: str, value: Any, hint: Any) -> Any:
    """Turn a TOML value into the annotated type, or say what was expected."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in {types.UnionType, typing.Union}:  # here always "X | None"; TOML has no null
        return _coerce(key, value, arguments[0])
    if origin is tuple and isinstance(value, list):
        if arguments[-1] is Ellipsis:
            return tuple(_coerce(key, v, arguments[0]) for v in value)
        if len(value) == len(arguments):
            return tuple(_coerce(key, v, t) for v, t in zip(value, arguments, strict=True))
    if origin is Literal and value in arguments:
        return value
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if hint is float and number:
        return float(value)
    if hint in {int, bool, str} and type(value) is hint:
        return value
    raise InvalidInputError(f"profile key {key!r}: expected {hint}, got {value!r}")
