"""Volumes as Zarr v3 groups: written once, never changed, readable without a catalog.

The functions work in any process (Dask workers included): they take the root of the lake's
volumes and know nothing of catalog, settings or keys.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lake.volumes.read import read_image, read_mask, read_raw, volume_digest
from lake.volumes.slabs import RawSlabs, open_raw
from lake.volumes.standard import write_parametric, write_standard
from lake.volumes.write import write_mask, write_raw

if TYPE_CHECKING:
    from lake.volumes.lazy import open_lazy

__all__ = [
    "RawSlabs",
    "open_lazy",
    "open_raw",
    "read_image",
    "read_mask",
    "read_raw",
    "volume_digest",
    "write_mask",
    "write_parametric",
    "write_raw",
    "write_standard",
]


def __getattr__(name: str) -> object:
    """Load xarray (and pandas with it) when a labelled array is asked for."""
    if name != "open_lazy":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from lake.volumes.lazy import open_lazy

    return open_lazy
