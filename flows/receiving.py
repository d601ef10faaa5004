"""A receiver that runs for months: takes what scanners and archives push into a spool."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from tasks.sources.spool import Spool
from tasks.sources.storage_scp import StorageScp

_log = logging.getLogger(__name__)


def receive(
    spool: Path,
    *,
    ae_title: str,
    host: str,
    port: int,
    callers: Collection[str] = (),
    say: Callable[[str], None],
    stop: threading.Event | None = None,
) -> int:
    """Take C-STORE requests until interrupted; each is acknowledged once it is on disk.

    Parameters
    ----------
    spool : Path
        Folder to fill; made if need be.
    ae_title : str
        Ours.
    host, port
        Interface and TCP port; port 0 takes any free one.
    callers : collection of str
        AE titles that may send; empty: any.
    say : callable
        Told the address once objects are taken.
    stop : threading.Event or None
        Ends it when set; SIGTERM and Ctrl-C do so too.

    Returns
    -------
    int
        Number of objects acknowledged.

    Raises
    ------
    ConflictError
        If another receiver fills the spool.
    InvalidInputError
        If the port cannot be listened on.
    StorageError
        If the spool cannot be written.
    """
    ended = stop or threading.Event()
    folder = Spool(spool.expanduser().resolve())
    counted = _Counter()

    def keep(_instance_uid: str, data: bytes) -> None:
        folder.keep(data)
        counted.add()

    with (
        folder.filling(),
        _ended_by_signals(ended),
        StorageScp(keep, ae_title=ae_title, host=host, port=port, callers=callers) as server,
    ):
        say(f"{ae_title} takes objects on {host}:{server.port} into {folder.path}")
        ended.wait()
    return counted.n


class _Counter:
    """Counts from several threads."""

    def __init__(self) -> None:
        self.n = 0
        self._lock = threading.Lock()

    def add(self) -> None:
        with self._lock:
            self.n += 1
            if self.n % 1000 == 0:
                _log.info("%d objects taken", self.n)


@contextmanager
def _ended_by_signals(ended: threading.Event) -> Iterator[None]:
    """Set an event on SIGTERM and SIGINT, where signals can be had (the main thread)."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(_number: int, _frame: FrameType | None) -> None:
        ended.set()

    previous = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
