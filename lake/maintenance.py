"""What keeps a lake quick and small, in the right order: one call for every night."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from lake.table_files import record_digests
from lake.vacuum import DEFAULT_GRACE, compact, expire, vacuum

if TYPE_CHECKING:
    from lake.lake import Lake


@dataclass(frozen=True, slots=True)
class Maintained:
    """What maintenance did.

    Parameters
    ----------
    n_expired : int
        Snapshots that can no longer be gone back to.
    n_compacted : int
        Parquet files that were merged or rewritten.
    n_volumes, n_files : int
        Volumes and Parquet files that were removed.
    n_digests : int
        Digests of Parquet files that were taken.
    """

    n_expired: int
    n_compacted: int
    n_volumes: int
    n_files: int
    n_digests: int


def maintain(lk: Lake, *, grace: timedelta = DEFAULT_GRACE) -> Maintained:
    """Expire old snapshots, merge small files, remove what nothing refers to, take digests.

    Each step holds the lake as its one writer and lets others in between. Pinned snapshots, the
    present one and all that they need stay, whatever their age.

    Parameters
    ----------
    lk : Lake
        Open for writing.
    grace : timedelta
        See `lake.vacuum.vacuum`.

    Raises
    ------
    ConflictError, StorageError
        As `Lake.transaction`.
    """
    days = lk.settings.maintenance.expire_after_days
    expired = [] if days is None else expire(lk, older_than=timedelta(days=days))
    compacted = compact(lk)
    removed = vacuum(lk, grace=grace)
    digests = record_digests(lk)
    return Maintained(len(expired), compacted, len(removed.volumes), len(removed.files), digests)
