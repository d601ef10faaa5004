"""Handing objects to Prefect tasks without letting Prefect look into them."""

from __future__ import annotations

from typing import TypeVar, cast

from prefect.utilities.annotations import quote

T = TypeVar("T")


def opaque(value: T) -> T:
    """Wrap a task argument: Prefect passes it on without searching it for futures.

    Searching costs a visit to every element of a batch, and lakes and clusters are no collections.
    The task receives the value itself, hence the type.
    """
    return cast("T", quote(value))
