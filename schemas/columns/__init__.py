"""All columns of the lake, each defined once."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from schemas.columns import (
    analysis,
    imaging,
    kinetics,
    phantom,
    protocol,
    provenance,
    quantification,
    reported,
    resolution,
)
from schemas.columns.base import ARROW_TYPES, Column

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ARROW_TYPES", "COLUMNS", "Column"]


def _registry() -> Mapping[str, Column]:
    groups = (
        provenance.COLUMNS,
        imaging.SERIES,
        imaging.VOLUMES,
        imaging.SEGMENTS,
        imaging.ROIS,
        reported.REPORTS,
        reported.VALUE_MAPS,
        quantification.NORMALISATIONS,
        quantification.DECAY_REFERENCES,
        quantification.SPECT,
        analysis.FEATURES,
        analysis.CLINICAL,
        analysis.COHORT,
        protocol.COLUMNS,
        protocol.MASS_BALANCE,
        kinetics.KINETICS,
        phantom.PHANTOMS,
        resolution.RESOLUTION,
        resolution.MATCHES,
    )
    columns: dict[str, Column] = {}
    for column in (c for group in groups for c in group):
        if column.name in columns:
            raise ValueError(f"column {column.name!r} is defined twice")
        columns[column.name] = column
    return MappingProxyType(columns)


#: Every column by name.
COLUMNS: Mapping[str, Column] = _registry()
