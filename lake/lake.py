"""An open lake: its queries, volumes, snapshots and the one way to write to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import duckdb

from lake import catalog, digest, queries
from lake.catalog import READER
from lake.folder import LakeFolder, open_keys
from lake.keys import KeyStore
from lake.settings import LakeSettings
from lake.snapshots import Snapshot, list_snapshots, snapshot_at
from lake.suv import suv_scale
from lake.transactions import Transaction
from lake.writer import CommitInfo, Result, Writer
from schemas.errors import InvalidInputError, NotFoundInLakeError

if TYPE_CHECKING:
    import xarray as xr


class Lake:
    """An open lake; made by `lake.open` and `lake.create`.

    Use it as a context manager, or call `close`. One process may use several; one Lake belongs to
    one thread.

    Parameters
    ----------
    folder : LakeFolder
        The lake.
    read_only : bool
        Refuse to write.
    snapshot : int or None
        Show the lake as it was then (and refuse to write).
    connection : duckdb.DuckDBPyConnection or None
        DuckDB of the lake that this one is an older state of.
    """

    def __init__(
        self,
        folder: LakeFolder,
        *,
        read_only: bool = False,
        snapshot: int | None = None,
        connection: duckdb.DuckDBPyConnection | None = None,
    ) -> None:
        self._folder = folder
        self._read_only = read_only or snapshot is not None
        self._snapshot = snapshot
        self._alias = READER if snapshot is None else f"{READER}_at_{snapshot}"
        self._connection = connection.cursor() if connection else catalog.connect(folder)
        self._writing: Writer | None = None
        attached = {
            name
            for (name,) in self._connection.execute(
                "SELECT database_name FROM duckdb_databases()"
            ).fetchall()
        }
        if self._alias not in attached:
            catalog.attach(self._connection, folder, self._alias, read_only=True, snapshot=snapshot)
        self._connection.execute(f"USE {self._alias}")

    def __enter__(self) -> Self:
        """Use as a context manager."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close."""
        self.close()

    def __repr__(self) -> str:
        """Show where, and of when."""
        when = "" if self._snapshot is None else f", snapshot={self._snapshot}"
        return f"Lake({str(self.location)!r}{when})"

    @property
    def location(self) -> Path:
        """Folder of the lake."""
        return self._folder.path

    @property
    def settings(self) -> LakeSettings:
        """Settings, as read when the lake was opened."""
        return self._folder.settings

    @property
    def folder(self) -> LakeFolder:
        """Places inside the lake."""
        return self._folder

    @property
    def volumes_root(self) -> str:
        """Root that `lake.volumes` functions take."""
        return self._folder.volumes_root

    @property
    def snapshot(self) -> int:
        """Snapshot that queries see."""
        if self._snapshot is not None:
            return self._snapshot
        row = self._connection.execute(f"FROM {READER}.current_snapshot()").fetchone()
        return int(row[0]) if row else 0

    def keys(self) -> KeyStore:
        """Open the key holder's folder of this lake (the first time: make it).

        Raises
        ------
        InvalidInputError
            As `KeyStore.open_or_create`, and if the key is not the one that the lake was filled
            with: another key would give every patient a second pseudonym.
        StorageError
            As `KeyStore.open_or_create`.
        """
        return open_keys(self._folder)

    def sql(
        self, query: str, params: Sequence[object] | Mapping[str, object] | None = None
    ) -> duckdb.DuckDBPyRelation:
        """Ask a question in SQL.

        Parameters
        ----------
        query : str
            DuckDB SQL over the tables and views of `tables`.
        params : sequence or mapping, optional
            Values for ``?`` or ``$name``.

        Returns
        -------
        duckdb.DuckDBPyRelation
            Use ``.df()``, ``.to_arrow_table()``, ``.pl()``, ``.fetchall()`` or ``.show()``.

        Raises
        ------
        InvalidInputError
            For a mistake in the SQL, with its line and what was probably meant.
        """
        return queries.run_sql(self._connection, query, params)

    def tables(self) -> list[queries.TableInfo]:
        """All tables and views: name, description, rows."""
        return queries.list_tables(self._connection, self._alias)

    def describe(self, table: str) -> list[queries.ColumnInfo]:
        """Columns of a table or view with type, unit, description and source.

        Raises
        ------
        NotFoundInLakeError
            If there is no such table.
        """
        return queries.describe_table(table)

    def volume(
        self,
        series_uid: str,
        zone: str = "raw",
        profile: str | None = None,
        *,
        part: int | None = None,
        parameter: str | None = None,
        quantity: str = "suv",
    ) -> xr.DataArray:
        """Open a volume without reading its voxels.

        Parameters
        ----------
        series_uid : str
            ``series_instance_uid`` in the lake.
        zone : str
            ``raw``, ``standard``, ``parametric`` or ``mask``.
        profile : str or None
            ``profile_id`` of a standard or parametric volume, where there are several.
        part : int or None
            ``part_index``, where a series holds several volumes.
        parameter : str or None
            ``parameter_name`` of a parametric volume (``ki``, ``vt``), where there are several.
        quantity : str
            For raw volumes: ``suv`` (SUVbw where a factor exists, else native), ``native``
            (Bq/ml, CNTS, HU) or ``stored``. For raw and standard ones: a kind of SUV of table
            ``suv_factors`` (``suv_bw``, ``suv_lbm_morgan``, ``suv_lbm_james``, ``suv_lbm_janma``,
            ``suv_bsa``, ``suv_ibw``), which is given or refused, never replaced by another unit.

        Returns
        -------
        xarray.DataArray
            dims (z, y, x), or (t, z, y, x) for dynamic and gated series; coordinates in mm (and s),
            ``attrs["units"]``, ``attrs["affine_lps"]``.

        Raises
        ------
        NotFoundInLakeError
            If there is no such volume.
        InvalidInputError
            If several fit, or the kind of SUV was refused for this series.
        """
        from lake.volumes import open_lazy

        path = self._volume_path(series_uid, zone, profile, part, parameter)
        if quantity.startswith("suv_"):
            scale = suv_scale(self._connection, series_uid, quantity)
            return open_lazy(self.volumes_root, path, scale=scale)
        return open_lazy(self.volumes_root, path, quantity=quantity)

    def at(self, snapshot: int | None = None, timestamp: datetime | str | None = None) -> Lake:
        """Return the whole lake as it was: tables and volumes.

        Parameters
        ----------
        snapshot : int or None
            A ``snapshot_id`` of `snapshots`.
        timestamp : datetime or str or None
            Instead: the newest snapshot not after it (UTC if without zone).

        Raises
        ------
        NotFoundInLakeError
            If there is no such snapshot.
        InvalidInputError
            Unless exactly one of the two is given.
        """
        found = snapshot_at(self.snapshots(), snapshot, timestamp)
        return Lake(self._folder, snapshot=found, connection=self._connection)

    def snapshots(self) -> list[Snapshot]:
        """All states of the lake that can be gone back to, oldest first."""
        return list_snapshots(self._connection, self._alias)

    def internal_rows(self, query: str) -> list[tuple[object, ...]]:
        """Rows of the lake's own tables (schema ``tracerlake``), at the present state."""
        cursor = self._connection.cursor()
        cursor.execute(f"USE {READER}.{catalog.INTERNAL_SCHEMA}")
        return cursor.execute(query).fetchall()

    def content_digest(self) -> dict[str, str]:
        """Digest per table over what does not depend on the run; equal lakes have equal ones."""
        return digest.content_digest(self._connection, self._alias)

    @contextmanager
    def transaction(
        self,
        *,
        message: str,
        author: str | None = None,
        extra: Mapping[str, object] | None = None,
    ) -> Iterator[Transaction]:
        """Write to the lake: all that is done inside becomes one snapshot, or nothing does.

        Parameters
        ----------
        message : str
            What was done; shown by `snapshots`.
        author : str or None
            Who did it; the account by default.
        extra : mapping or None
            JSON values to keep with it, such as the flow run and the code version.

        Raises
        ------
        ConflictError
            If another process writes for longer than ``retry.lock_timeout_s``, or the catalog
            refuses the commit; `commit` tries again.
        SchemaViolationError
            If rows do not fit their table.
        StorageError
            If the lake cannot be written.
        """
        with self._writer().transaction(CommitInfo(message, author, extra)) as transaction:
            yield transaction

    def commit(
        self,
        change: Callable[[Transaction], Result],
        *,
        message: str,
        author: str | None = None,
        extra: Mapping[str, object] | None = None,
    ) -> Result:
        """Run a change in a transaction, again if another writer was in the way.

        Parameters
        ----------
        change : callable
            Takes the `Transaction`; may be called several times.
        message, author, extra
            As in `transaction`.

        Returns
        -------
        object
            What `change` returned.

        Raises
        ------
        ConflictError
            When ``retry.attempts`` are used up.
        SchemaViolationError, StorageError
            As in `transaction`.
        """
        return self._writer().commit(change, CommitInfo(message, author, extra))

    @contextmanager
    def maintenance(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Hold the lake as its one writer, outside a transaction; for `lake.vacuum`.

        Yields
        ------
        duckdb.DuckDBPyConnection
            With the writable catalog attached as ``writer``.

        Raises
        ------
        ConflictError, StorageError, InvalidInputError
            As `transaction`.
        """
        with self._writer().session() as cursor:
            yield cursor

    def close(self) -> None:
        """Let go of the catalog."""
        self._connection.close()

    def _volume_path(
        self,
        series_uid: str,
        zone: str,
        profile: str | None,
        part: int | None,
        parameter: str | None,
    ) -> str:
        found = self._connection.execute(
            "SELECT volume_path, profile_id, part_index, part_label, parameter_name FROM volumes "
            "WHERE series_instance_uid = $uid AND zone = $zone "
            "AND ($profile::VARCHAR IS NULL OR profile_id = $profile) "
            "AND ($part::BIGINT IS NULL OR coalesce(part_index, 1) = $part) "
            "AND ($parameter::VARCHAR IS NULL OR parameter_name = $parameter) ORDER BY volume_path",
            {
                "uid": series_uid,
                "zone": zone,
                "profile": profile,
                "part": part,
                "parameter": parameter,
            },
        ).fetchall()
        what = f"{zone} volume of series {series_uid}" + (f", profile {profile}" if profile else "")
        if not found:
            raise NotFoundInLakeError(f"there is no {what}; see table 'volumes'")
        if len(found) > 1:
            choices = ", ".join(
                f"{path} (profile {name}, part {index}{f': {label}' if label else ''}"
                f"{f', parameter {of}' if of else ''})"
                for path, name, index, label, of in found
            )
            raise InvalidInputError(
                f"there is more than one {what}: {choices}; name a profile, a part or a parameter"
            )
        return str(found[0][0])

    def _writer(self) -> Writer:
        if self._read_only:
            raise InvalidInputError(
                "this lake was opened read-only or as of an earlier snapshot; open it again with "
                "lake.open(location) to write"
            )
        if self._writing is None:
            self._writing = Writer(self._folder, self._connection)
        return self._writing
