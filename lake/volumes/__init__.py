"""Volumes as Zarr v3 groups: written once, never changed, readable without a catalog.

The functions work in any process (Dask workers included): they take the root of the lake's
volumes and know nothing of catalog, settings or keys.
"""

from __future__ import annotations

from lake.volumes.lazy import open_lazy
from lake.volumes.read import read_image, read_mask, read_raw, volume_digest
from lake.volumes.write import write_mask, write_raw, write_standard

__all__ = [
    "open_lazy",
    "read_image",
    "read_mask",
    "read_raw",
    "volume_digest",
    "write_mask",
    "write_raw",
    "write_standard",
]
