"""Bounded retry with back-off, for what may pass by itself."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from typing import TypeVar

from schemas.sources import Attempts

T = TypeVar("T")

_log = logging.getLogger(__name__)


class PassingError(Exception):
    """A failure that may be gone in a moment.

    Parameters
    ----------
    what : str
        What happened, without values of objects.
    wait_s : float or None
        How long the other side asks us to wait.
    """

    def __init__(self, what: str, wait_s: float | None = None) -> None:
        super().__init__(what)
        self.wait_s = wait_s


def persist(
    action: Callable[[], T], attempts: Attempts, *, sleep: Callable[[float], None] = time.sleep
) -> T:
    """Do something until it works or the attempts are used up.

    The wait doubles from one attempt to the next, with jitter, so that workers that failed together
    do not come back together.

    Raises
    ------
    PassingError
        The last one.
    """
    for attempt in range(1, attempts.attempts + 1):
        try:
            return action()
        except PassingError as error:
            if attempt == attempts.attempts:
                raise
            wait = _wait(attempts, attempt, error)
            _log.warning("attempt %d failed (%s), next one in %.1f s", attempt, error, wait)
            sleep(wait)
    raise AssertionError("unreachable: the last attempt returns or raises")


def _wait(attempts: Attempts, attempt: int, error: PassingError) -> float:
    asked = error.wait_s if error.wait_s is not None else 0.0
    backed_off: float = attempts.first_wait_s * 2 ** (attempt - 1) * random.uniform(0.5, 1.0)  # noqa: S311  no secret
    return min(max(asked, backed_off), attempts.max_wait_s)
