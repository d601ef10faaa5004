"""The lake itself: settings, catalog, volumes, queries, snapshots, verification.

Examples
--------
>>> import lake  # doctest: +SKIP
>>> lk = lake.open("my-lake")  # doctest: +SKIP
>>> lk.sql("SELECT centre, count(*) FROM cohort GROUP BY centre").show()  # doctest: +SKIP
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lake.lake import Lake
    from lake.settings import LakeSettings
    from lake.transactions import Transaction

__all__ = ["Lake", "LakeSettings", "Transaction", "create", "open"]


def create(
    location: str | Path,
    *,
    catalog: str | None = None,
    data: str | None = None,
    settings: Mapping[str, object] | None = None,
) -> Lake:
    """Make a lake in a new or empty folder and open it.

    Parameters
    ----------
    location : str or Path
        Folder of the lake.
    catalog : str or None
        ``postgresql://...`` for a catalog that several people share; None for SQLite in the folder.
    data : str or None
        Where the tables' Parquet files lie; None for ``tables/`` in the folder.
    settings : mapping or None
        Further settings of `LakeSettings`.

    Raises
    ------
    InvalidInputError
        If the folder holds something else, or a setting is wrong.
    StorageError
        If the folder or the catalog cannot be written.
    """
    from lake import catalog as _catalog
    from lake import folder as _folder
    from lake.lake import Lake
    from lake.settings import make_settings

    chosen = make_settings(
        {"catalog": catalog, "data": data, **(settings or {}), "lake_id": secrets.token_hex(8)}
    )
    return Lake(_folder.make(location, chosen, _catalog.create))


def open(location: str | Path, *, read_only: bool = False) -> Lake:  # noqa: A001 - lake.open
    """Open a lake.

    Parameters
    ----------
    location : str or Path
        Folder of the lake (with ``tracerlake.toml``).
    read_only : bool
        Refuse to write.

    Raises
    ------
    NotFoundInLakeError
        If there is no lake.
    LakeVersionError
        If a newer version made it.
    StorageError
        If it cannot be read or, unless `read_only`, written.
    """
    from lake import folder as _folder
    from lake.lake import Lake

    found = _folder.find(location)
    if read_only:
        found = _folder.on_read_only_medium(found)
    else:
        _folder.require_writable(found)
    return Lake(found, read_only=read_only)


def __getattr__(name: str) -> object:
    """Load the catalog's side (DuckDB, PyArrow) when it is asked for: workers need volumes only."""
    homes = {
        "Lake": "lake.lake",
        "LakeSettings": "lake.settings",
        "Transaction": "lake.transactions",
    }
    if name not in homes:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(homes[name]), name)
