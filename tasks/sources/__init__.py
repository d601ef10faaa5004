"""Where input objects come from: folders, archives, spools, PACS and object stores."""

from __future__ import annotations

from tasks.sources.base import RetrievingSource, Source, is_link
from tasks.sources.opening import open_declared, open_source
from tasks.sources.reading import ObjectReader, read_head, read_object
from tasks.sources.retrieved import Connections

__all__ = [
    "Connections",
    "ObjectReader",
    "RetrievingSource",
    "Source",
    "is_link",
    "open_declared",
    "open_source",
    "read_head",
    "read_object",
]
