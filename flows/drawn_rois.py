"""ROIs that came with the images, and on which series they lie."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final

import numpy as np

from flows.derive import input_digest
from flows.work.features import RoiSource
from lake import Lake
from schemas.geometry import FloatArray

_SEGMENTS: Final = """
SELECT g.segmentation_series_uid, g.segment_number, g.segment_label, g.segment_kind,
       g.referenced_series_uid, g.frame_of_reference_uid, v.volume_path, g.volume_id
FROM segments g LEFT JOIN volumes v ON v.volume_id = g.volume_id
ORDER BY g.segmentation_series_uid, g.segment_number
"""
_CONTOURS: Final = """
SELECT segmentation_series_uid, segment_number, points_lps_mm
FROM contours WHERE geometric_type = 'CLOSED_PLANAR'
ORDER BY segmentation_series_uid, segment_number, contour_index
"""


@dataclass(frozen=True, eq=False)
class DrawnRoi:
    """An ROI with what it was drawn on.

    Parameters
    ----------
    digest : str
        Of its content.
    referenced_series_uid, frame_of_reference_uid : str or None
        Series that it was drawn on, and that series' frame of reference.
    """

    source: RoiSource
    digest: str
    referenced_series_uid: str | None
    frame_of_reference_uid: str | None

    def lies_on(self, series_uid: str, frame_of_reference_uid: str | None) -> bool:
        """Tell whether it shares its space with a series."""
        frame = self.frame_of_reference_uid
        return self.referenced_series_uid == series_uid or (
            frame is not None and frame == frame_of_reference_uid
        )


def drawn_rois(lk: Lake) -> list[DrawnRoi]:
    """All ROIs of the lake that have contours or a mask."""
    contours = _contours(lk)
    found = []
    for uid, number, label, kind, series, frame, path, volume_id in lk.sql(_SEGMENTS).fetchall():
        points = contours.get((uid, number), ()) if kind == "contours" else ()
        if not points and path is None:
            continue
        source = RoiSource(uid, number, label or "", points, path)
        content = volume_id or input_digest([p.tolist() for p in points])
        found.append(DrawnRoi(source, input_digest(uid, number, content), series, frame))
    return found


def named(rois: Sequence[DrawnRoi], series_uid: str, patterns: Sequence[str]) -> list[DrawnRoi]:
    """ROIs with one of the names (case does not matter, ``*`` and ``?`` stand for anything).

    Where some of them were drawn on the series itself, the others are left out.
    """
    wanted = [p.casefold() for p in patterns]
    fitting = [
        r for r in rois if any(fnmatchcase(r.source.label.casefold(), p) for p in wanted)
    ]  # fmt: skip
    own = [r for r in fitting if r.referenced_series_uid == series_uid]
    return own or fitting


def _contours(lk: Lake) -> dict[tuple[str, int], tuple[FloatArray, ...]]:
    polygons: dict[tuple[str, int], list[FloatArray]] = defaultdict(list)
    for uid, number, points in lk.sql(_CONTOURS).fetchall():
        polygons[uid, number].append(np.asarray(points, dtype=np.float64).reshape(-1, 3))
    return {key: tuple(value) for key, value in polygons.items()}
