"""What derived zones share: profiles, batches, digests of inputs and which are done already."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeVar

import numpy as np
from distributed import Client

from flows.cluster import Done, stream
from flows.committing import BATCH_SECONDS, BATCH_SERIES, timed_batches
from flows.progress import stage
from lake import Lake
from schemas.errors import InvalidInputError
from schemas.geometry import Geometry

J = TypeVar("J")
R = TypeVar("R")
P = TypeVar("P")


def profile_named(profiles: Mapping[str, P], name: str, kind: str) -> P:
    """Return the profile of that name.

    Raises
    ------
    InvalidInputError
        There is none; the known ones are named.
    """
    if name not in profiles:
        raise InvalidInputError(f"no {kind} profile {name!r}; known: {', '.join(sorted(profiles))}")
    return profiles[name]


def done_in_batches(
    client: Client, name: str, work: Callable[[J], R], jobs: Sequence[J]
) -> Iterator[list[Done[J, R]]]:
    """Run the jobs of a stage; yield finished ones in batches to publish, counting progress."""
    with stage(name, len(jobs), "volumes") as progress:
        for batch in timed_batches(stream(client, work, jobs), BATCH_SERIES, BATCH_SECONDS):
            yield batch
            progress.advance(name, len(batch))


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
