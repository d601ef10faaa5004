"""Worker side of the report: the pictures of one patient's standard volume."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from flows.work.scene import Look, ShowJob
from flows.work.showing import draw_views

J = TypeVar("J")
P = TypeVar("P")

#: Planes around the hottest region, small enough that a report of many patients can be opened.
_ON_CT: Final = Look(("mip", "fused", "histogram"), field_mm=240.0, width_px=640)
_ALONE: Final = Look(("mip", "planes", "histogram"), field_mm=240.0, width_px=640)


@dataclass(frozen=True)
class Pictures:
    """PNG files of one patient: the projections, and what is unfolded below them."""

    mip: bytes
    details: tuple[bytes, ...]


def draw(volumes_root: str, job: ShowJob) -> Pictures:
    """Draw projections, three planes (on the CT where there is one) and the histogram."""
    drawn = draw_views(volumes_root, job, _ON_CT if job.below_path else _ALONE)
    found = drawn.pictures
    first = found.get("mip") or next(iter(found.values()))
    return Pictures(first, tuple(png for view, png in found.items() if view != "mip"))


def second(function: Callable[[J], P], numbered: tuple[int, J]) -> P:
    """Draw one of several jobs; its number is for whoever collects them."""
    return function(numbered[1])
