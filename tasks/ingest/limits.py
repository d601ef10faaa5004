"""Sizes beyond which an object is refused rather than read."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of ingestion.

    Parameters
    ----------
    max_object_bytes : int
        Largest file or archive member that is read.
    max_pixel_bytes : int
        Largest decoded pixel data of one object (Rows x Columns x frames x bytes).
    max_series_bytes : int
        Largest volume; a series is held in memory once.
    """

    max_object_bytes: int = 2 * 2**30
    max_pixel_bytes: int = 2 * 2**30
    max_series_bytes: int = 8 * 2**30
