"""All quantities that a protocol can name."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from tasks.protocol.quantity import Quantity
from tasks.protocol.series_quantities import SERIES
from tasks.protocol.study_quantities import STUDY

#: By name.
QUANTITIES: Final[Mapping[str, Quantity]] = MappingProxyType(
    {quantity.name: quantity for quantity in (*SERIES, *STUDY)}
)
