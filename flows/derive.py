"""What derived zones share: digests of inputs, and which of them are done already."""

from __future__ import annotations

import hashlib
import json

import numpy as np

from lake import Lake
from schemas.geometry import Geometry


def input_digest(*parts: object) -> str:
    """Digest of everything a derived row depends on, in order."""
    return hashlib.sha256(json.dumps(parts, default=str).encode()).hexdigest()[:24]


def geometry_of(shape: tuple[int, int, int], affine: list[float]) -> Geometry:
    """Grid of a volume from its columns ``shape_z, shape_y, shape_x`` and ``affine_lps``."""
    return Geometry(shape, np.asarray(affine, dtype=np.float64).reshape(4, 4))


def done_digests(lk: Lake, table: str) -> set[str]:
    """Input digests that a table already holds rows of."""
    rows = lk.sql(f'SELECT DISTINCT input_digest FROM "{table}"').fetchall()  # noqa: S608
    return {digest for (digest,) in rows if digest is not None}
