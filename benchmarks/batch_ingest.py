"""The stages of ingestion one after the other in this process, without Prefect and Dask."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

import lake
from flows.committing import LookedAt, publish_series
from flows.discovery import discover, known_files, to_convert
from flows.identities import ingest_limits, pseudonymiser, remember
from flows.runs import RunLog
from flows.work.ingest import IngestContext, convert_and_store, scan_batch
from lake import writer
from lake.volumes import read_raw
from schemas.volume import RawVolume
from tasks.dicom.grouping import group_series
from tasks.sources import open_source


class BenchLake:
    """A new lake that is open, its writer too; it is removed in the end.

    Parameters
    ----------
    location : Path
        Folder to make.

    Attributes
    ----------
    disk_s : float
        How long commits waited for the disk.
    """

    def __init__(self, location: Path) -> None:
        self.disk_s = 0.0
        self._location = location
        self._lk: lake.Lake | None = None

    def __enter__(self) -> Self:
        keys = str(self._location.with_name("keys"))
        lake.create(self._location, settings={"key_dir": keys}).close()
        self._lk = lake.open(self._location)
        self._lk.commit(lambda _: None, message="nothing yet")
        self._synchronise = writer.synchronise  # type: ignore[attr-defined]
        writer.synchronise = self._timed  # type: ignore[attr-defined]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        writer.synchronise = self._synchronise  # type: ignore[attr-defined]
        self.lk.close()
        shutil.rmtree(self._location)
        shutil.rmtree(self._location.with_name("keys"))

    def _timed(self, roots: Iterable[str]) -> None:
        """Add up how long commits waited for the disk."""
        start = time.perf_counter()
        self._synchronise(roots)
        self.disk_s += time.perf_counter() - start

    @property
    def lk(self) -> lake.Lake:
        """The open lake."""
        if self._lk is None:
            raise RuntimeError("use it as a context manager")
        return self._lk

    def take_in(self, source: Path) -> None:
        """Find, scan, group, convert, store and commit what lies in a folder, as one batch."""
        keys = self.lk.keys()
        pseudonyms = pseudonymiser(self.lk.settings, keys)
        context = IngestContext(
            self.lk.volumes_root, pseudonyms, ingest_limits(self.lk.settings), deidentify=True
        )
        found = discover(
            [open_source(source)], known_files(self.lk), pseudonyms.file_key, lambda _: None
        )
        places = {pseudonyms.file_key(r.uri): r.uri for r in found.changed}
        keys.remember_locations(places.items())
        seen = LookedAt({key: found.source_names[uri] for key, uri in places.items()})
        scanned = scan_batch(context.connections, "refuse", None, tuple(found.changed))
        stored = [convert_and_store(context, g) for g in group_series(to_convert(scanned))]
        remember(keys, [series.identity for series in stored])
        publish_series(self.lk, RunLog("benchmark", "ingest"), stored, seen)

    def volumes(self) -> list[RawVolume]:
        """All volumes that are committed."""
        paths = self.lk.sql("SELECT volume_path FROM volumes").fetchall()
        return [read_raw(self.lk.volumes_root, str(path)) for (path,) in paths]
