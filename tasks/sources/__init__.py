"""Where input objects come from: folders, archives and single files, all read in place."""

from __future__ import annotations

from tasks.sources.base import Source, is_link
from tasks.sources.opening import open_source
from tasks.sources.reading import ObjectReader, read_head, read_object

__all__ = ["ObjectReader", "Source", "is_link", "open_source", "read_head", "read_object"]
