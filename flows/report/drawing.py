"""Pictures drawn over Dask, handed back in the order they were asked for."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

from distributed import Client

from flows.cluster import stream
from flows.progress import stage
from flows.work.pictures import second

logger = logging.getLogger(__name__)

J = TypeVar("J")
P = TypeVar("P")


def draw_in_order(client: Client, function: Callable[[J], P], jobs: Sequence[J]) -> list[P | None]:
    """Draw every job; a picture that cannot be drawn is None, for the report to leave out.

    Raises
    ------
    ClusterError
        As `flows.cluster.stream`.
    """
    drawn: list[P | None] = [None] * len(jobs)
    with stage("pictures", len(jobs), "pictures") as progress:
        for done in stream(client, partial(second, function), enumerate(jobs)):
            number, _ = done.job
            if done.result is None:
                logger.warning("picture %d cannot be drawn: %s", number, type(done.error).__name__)
            drawn[number] = done.result
            progress.advance("pictures")
    return drawn
