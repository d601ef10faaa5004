"""Feature families: the interface, and those that exist."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from schemas.errors import InvalidInputError
from schemas.profiles import FeatureProfile
from tasks.features.glcm import Glcm
from tasks.features.roi import RoiImage
from tasks.features.statistics import Statistics
from tasks.features.uptake import Uptake


class FeatureFamily(Protocol):
    """A group of features that are computed together."""

    @property
    def name(self) -> str:
        """As in `FeatureProfile.families` and `schemas.features.FeatureDefinition.family`."""

    @property
    def margin_mm(self) -> float:
        """How far around the region the family looks."""

    def compute(self, roi: RoiImage, profile: FeatureProfile) -> dict[str, float]:
        """Return every feature of the family by name; NaN where it is not defined.

        Regions may be empty, of one voxel or of one grey level; none of this may raise.
        """


class FamilyRegistry:
    """Families by name.

    Parameters
    ----------
    families : iterable of FeatureFamily
        Names must differ.
    """

    def __init__(self, families: Iterable[FeatureFamily]) -> None:
        self._families: dict[str, FeatureFamily] = {}
        for family in families:
            if family.name in self._families:
                raise ValueError(f"feature family {family.name!r} is registered twice")
            self._families[family.name] = family

    @property
    def names(self) -> tuple[str, ...]:
        """Names in order of registration."""
        return tuple(self._families)

    def select(self, names: Iterable[str]) -> tuple[FeatureFamily, ...]:
        """Return the named families.

        Raises
        ------
        InvalidInputError
            A name that is not registered.
        """
        wanted = tuple(names)
        unknown = sorted(set(wanted) - set(self._families))
        if unknown:
            raise InvalidInputError(
                f"unknown feature families {unknown}; known: {sorted(self._families)}"
            )
        return tuple(self._families[name] for name in wanted)


#: The families of this version.
FAMILIES = FamilyRegistry((Uptake(), Statistics(), Glcm()))
