"""A Storage SCP: takes C-STORE requests and acknowledges what has been kept, nothing else."""

from __future__ import annotations

import errno
import logging
from collections.abc import Callable, Collection
from types import TracebackType
from typing import Any, Final, Self

from schemas.errors import InvalidInputError

_log = logging.getLogger(__name__)

#: Status codes of C-STORE responses (PS3.4 B.2.3, PS3.7 C).
SUCCESS: Final = 0x0000
NOT_AUTHORISED: Final = 0x0124
PROCESSING_FAILURE: Final = 0x0110
OUT_OF_RESOURCES: Final = 0xA700

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.ENOMEM, errno.EFBIG})


class NotExpectedError(Exception):
    """Raised by the keeper of objects for one that nobody asked for."""


class StorageScp:
    """A server of its own threads; use it as a context manager.

    Parameters
    ----------
    keep : callable
        Given (SOP Instance UID, DICOM file as bytes); when it returns, the object is acknowledged.
        It may raise `NotExpectedError`, or OSError if it could not be kept: the sender is told and
        keeps what it has. Called from several threads at once.
    ae_title : str
        Ours; senders must call us by it.
    host, port
        Interface and TCP port; port 0 takes any free one.
    callers : collection of str
        AE titles that may send; empty: any.

    Raises
    ------
    InvalidInputError
        On entering, if the port cannot be listened on.

    References
    ----------
    PS3.4 Annex B (Storage Service Class).
    """

    def __init__(
        self,
        keep: Callable[[str, bytes], object],
        *,
        ae_title: str,
        host: str,
        port: int,
        callers: Collection[str] = (),
    ) -> None:
        self._keep = keep
        self._ae_title = ae_title
        self._address = (host, port)
        self._callers = sorted(callers)
        self._server: Any = None

    @property
    def port(self) -> int:
        """Port that is listened on."""
        return int(self._server.server_address[1])

    def __enter__(self) -> Self:
        from pynetdicom import evt

        entity = _entity(self._ae_title, self._callers)
        handlers = [(evt.EVT_C_STORE, self._store), (evt.EVT_C_ECHO, lambda _: SUCCESS)]
        try:
            self._server = entity.start_server(self._address, block=False, evt_handlers=handlers)
        except OSError as error:
            host, port = self._address
            raise InvalidInputError(
                f"port {port} of {host} cannot be listened on: {error.strerror}"
            ) from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.ae.shutdown()

    def _store(self, event: Any) -> int:
        try:
            uid = str(event.request.AffectedSOPInstanceUID)
            self._keep(uid, event.encoded_dataset())
        except NotExpectedError:
            return NOT_AUTHORISED
        except OSError as error:
            _log.error("a received object could not be kept: %s", error.strerror)
            return OUT_OF_RESOURCES if error.errno in _FULL else PROCESSING_FAILURE
        return SUCCESS


def _entity(ae_title: str, callers: list[str]) -> Any:
    from pynetdicom import AE, ALL_TRANSFER_SYNTAXES, AllStoragePresentationContexts
    from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]

    silence()
    entity = AE(ae_title)
    entity.require_called_aet = True
    entity.require_calling_aet = callers
    entity.maximum_associations = 50
    for context in AllStoragePresentationContexts:
        entity.add_supported_context(str(context.abstract_syntax), ALL_TRANSFER_SYNTAXES)
    entity.add_supported_context(Verification)
    return entity


def silence() -> None:
    """Keep pynetdicom from logging requests: they hold identifiers."""
    from pynetdicom import _config

    _config.LOG_HANDLER_LEVEL = "none"
    logging.getLogger("pynetdicom").setLevel(logging.CRITICAL)
