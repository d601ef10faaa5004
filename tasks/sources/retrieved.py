"""The folder where objects of remote sources lie between retrieval and commit."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from schemas.sources import SourceSettings
from tasks.sources.durable import make_folder, write_durably
from tasks.sources.uris import is_remote, parse_remote_uri


@dataclass(frozen=True)
class Connections:
    """What a reader needs to reach remote objects; travels to workers, holds no secret.

    Parameters
    ----------
    settings : mapping of str to SourceSettings
        Declared sources by name.
    folder : Path
        Retrieved objects, one file each; names are digests, so nothing that a server sends becomes
        part of a path. What is here is not fetched again: an interrupted run goes on where it was.
    max_object_bytes : int
        Larger objects are refused while they arrive.
    """

    settings: Mapping[str, SourceSettings] = field(default_factory=dict)
    folder: Path | None = None
    max_object_bytes: int = 4 * 2**30

    def place(self, uri: str) -> Path | None:
        """File of a retrieved object, whether it is there or not; None without a folder."""
        if self.folder is None:
            return None
        digest = hashlib.sha256(uri.encode()).hexdigest()
        return self.folder / parse_remote_uri(uri).source / digest[:2] / f"{digest}.dcm"

    def keep(self, uri: str, data: bytes) -> None:
        """Put a retrieved object where readers look for it."""
        path = self.place(uri)
        if path is not None:
            write_durably(path, data)

    def has(self, uri: str) -> bool:
        """Say whether an object has been retrieved."""
        path = self.place(uri)
        return path is not None and path.is_file()

    def size_bytes(self, uri: str) -> int:
        """Size of a retrieved object; 0 where it is not."""
        path = self.place(uri) if is_remote(uri) else None
        try:
            return path.stat().st_size if path is not None else 0
        except OSError:
            return 0

    def release(self, uris: Iterable[str]) -> None:
        """Remove retrieved objects that are in the lake now."""
        for uri in uris:
            path = self.place(uri)
            if path is not None:
                path.unlink(missing_ok=True)

    def prepare(self) -> None:
        """Make the folder, closed to other accounts.

        Raises
        ------
        OSError
            If it cannot be made.
        """
        if self.folder is not None:
            make_folder(self.folder)
            self.folder.chmod(0o700)
