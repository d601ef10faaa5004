"""Bytes of one object of a declared source."""

from __future__ import annotations

import logging
from typing import Any

from schemas.errors import InvalidInputError, RejectedObjectError
from schemas.sources import DicomwebSettings, ObjectStoreSettings
from tasks.sources.file_reading import read_file
from tasks.sources.object_store import open_store, read_stored
from tasks.sources.retrieved import Connections
from tasks.sources.uris import DICOMWEB, OBJECT_STORE, RemotePlace, instance_uids, parse_remote_uri
from tasks.sources.web import WebClient

_log = logging.getLogger(__name__)


class RemoteReader:
    """Reads objects of declared sources; keeps connections open. Not to be shared between threads.

    An instance that comes over DICOMweb is kept in the retrieval folder, since its header is read
    first and the whole of it later.

    Parameters
    ----------
    connections : Connections
        Declared sources and the retrieval folder.
    """

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._clients: dict[str, WebClient] = {}
        self._stores: dict[str, tuple[Any, str]] = {}

    def close(self) -> None:
        """Close all connections."""
        while self._clients:
            self._clients.popitem()[1].close()
        self._stores.clear()

    def read(self, uri: str, limit: int) -> tuple[bytes, int]:
        """Read at most `limit` bytes of an object, and its size.

        Raises
        ------
        RejectedObjectError
            See `tasks.sources.reading.ObjectReader.read`.
        """
        place = parse_remote_uri(uri)
        if place.scheme == OBJECT_STORE:
            return read_stored(self._store(place.source), place, limit)
        kept = self._connections.place(uri)
        if kept is not None and kept.is_file():
            return read_file(kept, limit)
        uids = instance_uids(place)
        if place.scheme != DICOMWEB:
            raise RejectedObjectError("source_unavailable", "the archive has not delivered it")
        data = self._client(place).instance(*uids, self._connections.max_object_bytes)
        self._keep(uri, data)
        return data[:limit], len(data)

    def _client(self, place: RemotePlace) -> WebClient:
        if place.source not in self._clients:
            settings = self._connections.settings.get(place.source)
            if not isinstance(settings, DicomwebSettings):
                raise _undeclared()
            try:
                self._clients[place.source] = WebClient(settings)
            except InvalidInputError:  # the machine that listed it has the secret, this one not
                detail = "the secret of the source is not on the machine that reads"
                raise RejectedObjectError("source_unavailable", detail) from None
        return self._clients[place.source]

    def _keep(self, uri: str, data: bytes) -> None:
        """Keep it for the next reading; where there is no room, it is fetched once more."""
        try:
            self._connections.keep(uri, data)
        except OSError as error:
            _log.warning("retrieved objects cannot be kept: %s", error.strerror)

    def _store(self, source: str) -> tuple[Any, str]:
        if source not in self._stores:
            settings = self._connections.settings.get(source)
            if not isinstance(settings, ObjectStoreSettings):
                raise _undeclared()
            self._stores[source] = open_store(settings)
        return self._stores[source]


def _undeclared() -> RejectedObjectError:
    return RejectedObjectError("source_unavailable", "its source is not declared any more")
