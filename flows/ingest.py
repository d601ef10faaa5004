"""Flow `ingest`: from sources of DICOM objects to published raw volumes and tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import date
from functools import partial
from typing import Final

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.runtime import flow_run

import lake
from flows.accepting import acceptance_of
from flows.accounting import check_accounts
from flows.calibrate import spect_table
from flows.cluster import ClusterOnDemand, Done, failure_reason, stream
from flows.committing import (
    BATCH_OBJECTS,
    BATCH_SECONDS,
    LookedAt,
    publish_files,
    publish_series,
    timed_batches,
)
from flows.discovery import Discovery, batches, discover, known_files, settled, to_convert
from flows.growing import KnownObject, incomplete_series, known_objects, marked, to_remake
from flows.identities import ingest_limits, pseudonymiser, remember
from flows.issuers import Issuers
from flows.linking import link_ct
from flows.opaque import opaque
from flows.outdated import reopen_outdated
from flows.private_flow import private_flow
from flows.progress import logged_if_nobody_listens, stage
from flows.protocol_checks import renew_checks
from flows.protocols import protocols_of
from flows.reporting import reported_run
from flows.retrying import known_places
from flows.runs import RunLog
from flows.shared_instances import note_shared_instances
from flows.sources import (
    connections,
    open_sources,
    retrieve,
    retrieve_again,
)
from flows.spect_calibration import calibrate_spect
from flows.value_maps import check_value_maps
from flows.work.ingest import IngestContext, StoredSeries, convert_and_store, scan_batch
from lake.keys import KeyStore
from schemas.errors import InvalidInputError, SourceUnavailableError, StorageError
from schemas.reasons import Outcome
from schemas.records import ObjectRef, Row, ScannedObject, SeriesGroup
from schemas.sources import Selection
from tasks.dicom.grouping import group_series
from tasks.ingest.context import applied_version
from tasks.ingest.outcomes import file_row, scanned_row
from tasks.sources.base import RetrievingSource, Source
from tasks.sources.selection import resolved, selection_digest
from tasks.sources.settled import still_being_written
from tasks.sources.uris import is_remote

#: Objects per scanning job: long enough to hide the scheduling, short enough to show progress.
_SCAN_BATCH: Final = 200


@dataclass
class IngestSession:
    """What the stages of one ingestion share."""

    lk: lake.Lake
    keys: KeyStore
    cluster: ClusterOnDemand
    context: IngestContext
    log: RunLog
    selection: Selection | None = None
    seen: LookedAt = field(default_factory=LookedAt)
    sibling_names: dict[str, str | None] = field(default_factory=dict)
    sibling_uris: list[str] = field(default_factory=list)
    issuers: Issuers = field(default_factory=Issuers)


@private_flow("ingest")
def ingest(
    location: str,
    sources: list[str],
    *,
    dask_address: str | None = None,
    workers: int | None = None,
    centre: str | None = None,
    issuer: str | None = None,
    selection: dict[str, object] | None = None,
    again: list[str] | None = None,
    accept_changed: bool = False,
) -> dict[str, int]:
    """Take everything new or changed at `sources` into the lake.

    Parameters
    ----------
    location : str
        The lake.
    sources : list of str
        Names of declared sources, or folders, archives, DICOMDIRs, spools or files.
    dask_address : str or None
        Existing Dask scheduler; None for a local cluster.
    workers : int or None
        Processes of the local cluster.
    centre : str or None
        Centre code for everything in this call; None: from the settings or the institution.
    issuer : str or None
        Issuer of patient IDs where objects name none, for sources that declare no other.
    selection : dict or None
        Fields of `schemas.sources.Selection`; None: everything. What it leaves out is taken by a
        later run that asks for more.
    again : list of str or None
        File keys of objects to look at once more where they lie, although they have not changed.
    accept_changed : bool
        Use those of `again` that are in conflict in place of what the lake uses now.

    Returns
    -------
    dict
        Counts by outcome: ``n_files`` is the sum of the other ``n_`` counts except ``n_written``.

    Raises
    ------
    SourceUnavailableError
        A source does not answer; everything that could be had has been taken in.
    StorageError
        The lake cannot be written; what was committed is kept.
    AccountingError
        An object that was listed has no outcome, or more than one.
    InvalidInputError
        A protocol file or a table of SPECT calibrations that the settings name is not valid, or
        what is to be accepted is not in conflict or not clear; nothing has been taken in.
    """
    with (
        logged_if_nobody_listens(get_run_logger().info),
        lake.open(location) as lk,
        ClusterOnDemand(dask_address, workers=workers) as cluster,
        reported_run(
            lk, cluster, "ingest", _told(centre, selection, accept_changed=accept_changed),
            prefect_id=str(flow_run.id),
        ) as log,
    ):  # fmt: skip
        wanted = None if selection is None else Selection.model_validate(selection)
        calibrations = spect_table(lk.settings)  # what is wrong with it is said before the work
        session = _session(lk, cluster, log, centre, wanted)
        session.issuers = Issuers(lk.settings.sources, issuer or "")
        if accept_changed:
            session.seen.accepted = acceptance_of(lk, again or [])
        for place in sources:
            session.issuers.refuse_change(session.keys, lk.settings.lake_id, place)
        opened = open_sources(sources, session.context.connections)
        opened += known_places(lk, session.keys, again or [], session.context.connections)
        with log.clock.measuring("discover"):
            found = _discover(session, opened, again or [])
        with log.clock.measuring("retrieve"):
            retrieve_objects(opaque(opened), opaque(found))
        if found.changed:
            cluster.start()  # outside the stages: a rate of scanning is about scanning
            with log.clock.measuring("scan"):
                scanned = scan(opaque(session), opaque(found))
            with log.clock.measuring("convert"):
                convert(opaque(session), opaque(found), opaque(scanned))
        _release(session, found)
        link_ct(lk, log)
        check_value_maps(lk, log)
        note_shared_instances(lk, log, session.seen.converted)
        calibrate_spect(lk, log, cluster, calibrations)
        renew_checks(lk, log)
        check_accounts(lk, log, session.seen.source_names)
        if found.failures:
            raise found.failures[0]
        return dict(log.counts)


def _told(
    centre: str | None, selection: dict[str, object] | None, *, accept_changed: bool
) -> dict[str, object]:
    """Return what the lake keeps of the parameters of a run."""
    told: dict[str, object] = {"centre": centre, "selection": selection}
    return {**told, "accept_changed": True} if accept_changed else told


def _session(
    lk: lake.Lake,
    cluster: ClusterOnDemand,
    log: RunLog,
    centre: str | None,
    selection: Selection | None,
) -> IngestSession:
    settings = lk.settings
    keys = lk.keys()
    limits = ingest_limits(settings)
    context = IngestContext(
        lk.volumes_root,
        pseudonymiser(settings, keys),
        limits,
        settings.deidentify,
        centre,
        connections(lk, selection),
        protocols_of(lk),
    )
    return IngestSession(lk, keys, cluster, context, log, selection)


def _discover(session: IngestSession, opened: list[Source], again: list[str]) -> Discovery:
    known = known_files(session.lk, _selection_digest(session)).without(again)
    with stage("discover", None, "objects") as progress:
        found = discover(
            opened,
            known,
            session.context.pseudonymiser.file_key,
            partial(progress.advance, "discover"),
        )
    reopened = reopen_outdated(session.lk, found, applied_version(session.context.deidentify))
    if reopened:
        get_run_logger().info("%d series went through another allow-list: again", reopened)
    session.seen.source_names = {
        session.context.pseudonymiser.file_key(uri): name
        for uri, name in found.source_names.items()
    }
    session.log.sources = found.tallies
    file_key = session.context.pseudonymiser.file_key
    session.seen.replaced = {file_key(uri) for uri in found.known_before}
    found.unsettled = still_being_written(found.changed, session.lk.settings.settle_s)
    session.log.count("n_files", found.n_files)
    session.log.count("n_unchanged", len(found.unchanged))
    for failure in found.failures:
        get_run_logger().error("%s", failure)
    get_run_logger().info("%d objects, %d new or changed", found.n_files, len(found.changed))
    return found


@task(name="retrieve objects", cache_policy=NO_CACHE, persist_result=False)
def retrieve_objects(opened: list[Source], found: Discovery) -> None:
    """Bring new objects here from sources that deliver them to us (C-MOVE)."""
    delivering = [s for s in opened if isinstance(s, RetrievingSource)]
    if not delivering or not found.changed:
        return
    with stage("retrieve", None, "objects") as progress:
        for source in delivering:
            try:
                retrieve(
                    source, found.changed, found.unchanged.refs(),
                    partial(progress.advance, "retrieve"),
                )  # fmt: skip
            except (SourceUnavailableError, InvalidInputError) as error:
                get_run_logger().error("source %s: %s", source.name, error)
                found.failed(source.name, error)


def _release(session: IngestSession, found: Discovery) -> None:
    """Remove what was retrieved: all of it has its outcome in the lake now."""
    reached = session.context.connections
    session.log.input_bytes = sum(r.size_bytes or reached.size_bytes(r.uri) for r in found.changed)
    uris = [*(ref.uri for ref in found.changed), *session.sibling_uris]
    reached.release(uri for uri in uris if is_remote(uri))


@task(name="scan headers", cache_policy=NO_CACHE, persist_result=False)
def scan(session: IngestSession, found: Discovery) -> list[ScannedObject]:
    """Look at the header of every changed object; publish those that end here."""
    _remember_places(session, found.changed)
    # What the lake has already is kept up to date, whatever this run is asked for.
    known = [ref for ref in found.changed if ref.uri in found.known_before]
    fresh = [ref for ref in found.changed if ref.uri not in found.known_before]
    looked_at = [*_scan(session, fresh, "scan", session.selection), *_scan(session, known, "scan")]
    scanned = settled(looked_at, found.unsettled)
    rejected = [s for s in scanned if s.outcome is not None]
    for batch in batches(rejected, 5000):
        rows = _named(session, [scanned_row(s, session.context.pseudonymiser) for s in batch])
        publish_files(session.lk, session.log, rows, session.seen)
        _count(session, rows)
    return to_convert(scanned)


def _selection_digest(session: IngestSession) -> str | None:
    return None if session.selection is None else selection_digest(session.selection)


def _scan(
    session: IngestSession, refs: list[ObjectRef], name: str, selection: Selection | None = None
) -> list[ScannedObject]:
    scanned: list[ScannedObject] = []
    if not refs:
        return scanned
    wanted = selection and resolved(selection, date.today())  # noqa: DTZ011  as StudyDate
    with stage(name, len(refs), "objects") as progress:
        grey = session.lk.settings.secondary_capture
        function = partial(scan_batch, session.context.connections, grey, wanted)
        for done in stream(session.cluster.client, function, batches(refs, _SCAN_BATCH)):
            scanned.extend(done.result if done.result is not None else _unscannable(done))
            progress.advance(name, len(done.job))
    return scanned


def _unscannable(done: Done[tuple[ObjectRef, ...], list[ScannedObject]]) -> list[ScannedObject]:
    reason = _failure(done.error)
    return [
        ScannedObject(ref, outcome=Outcome.QUARANTINED, reason_code=reason, detail="while scanning")
        for ref in done.job
    ]


def _failure(error: BaseException | None) -> str:
    """Reason code of a job that ended with an error; its text may hold values, so it is dropped.

    Raises
    ------
    StorageError
        The lake cannot be written: no fault of the objects, and the next ones would fare no better.
    """
    if isinstance(error, StorageError):
        raise error
    get_run_logger().error("a job ended with %s", type(error).__name__)
    return failure_reason(error)


def _remember_places(session: IngestSession, refs: Iterable[ObjectRef]) -> None:
    """Let the key holder find quarantined and grown objects again."""
    file_key = session.context.pseudonymiser.file_key
    session.keys.remember_locations([(file_key(r.uri), r.uri) for r in refs])


@task(name="convert series", cache_policy=NO_CACHE, persist_result=False)
def convert(session: IngestSession, found: Discovery, scanned: list[ScannedObject]) -> None:
    """Convert every series that has new objects, publishing in batches."""
    done = _settled(session, found, scanned)
    for batch in timed_batches(done, BATCH_OBJECTS, BATCH_SECONDS, _n_objects):
        commit_batch(opaque(session), opaque(batch))


def _with_issuer(session: IngestSession, group: SeriesGroup) -> SeriesGroup:
    """Give a group the issuer of its source, for objects that name none."""
    if not session.issuers.is_any:
        return group
    file_key = session.context.pseudonymiser.file_key
    names = (_source_name(session, file_key(o.ref.uri)) for o in group.objects)
    found = (session.issuers.of(name) for name in names)
    return replace(group, default_issuer=next((i for i in found if i), ""))


def _settled(
    session: IngestSession, found: Discovery, scanned: list[ScannedObject]
) -> Iterator[StoredSeries]:
    """Yield what becomes of every series with new objects, as soon as it is known."""
    names = session.context.pseudonymiser
    known = session.seen.accepted.applied(_known(session, found, scanned))
    scanned = marked(scanned, known, names.uid, names.file_key)
    remade = to_remake(scanned, known, names.file_key) | {
        str(s.series_instance_uid)
        for s in scanned
        if names.file_key(s.ref.uri) in session.seen.accepted.file_keys
    }
    growing = [s for s in scanned if s.series_instance_uid in remade]
    again = [s for s in scanned if s.series_instance_uid not in remade]
    uids = {names.uid(uid) for uid in remade}
    siblings = [k for k in known if k.series_instance_uid in uids]
    looked_at = marked(_look_again(session, found, siblings), known, names.uid, names.file_key)
    blocked = incomplete_series(siblings, looked_at, growing, names.uid)
    groups = [replace(g, is_known=True) for g in group_series(again)]
    for group in group_series([*growing, *to_convert(looked_at)]):
        if names.uid(group.series_instance_uid) in blocked:
            yield _left(session, group, "series_incomplete")
        else:
            groups.append(_with_issuer(session, group))
    yield from _converted(session, groups)


def _known(
    session: IngestSession, found: Discovery, scanned: list[ScannedObject]
) -> list[KnownObject]:
    """Look up what the lake has of the series of new objects."""
    uid = session.context.pseudonymiser.uid
    uids = {uid(s.series_instance_uid) for s in scanned if s.series_instance_uid}
    known = known_objects(session.lk, uids, found.unchanged, session.keys.location)
    session.sibling_names = {k.file_key: k.source_name for k in known}
    for item in known:
        used = session.seen.used.setdefault(item.series_instance_uid, set())
        if item.is_used:
            used.add(item.content)
    return known


def _look_again(
    session: IngestSession, found: Discovery, siblings: list[KnownObject]
) -> list[ScannedObject]:
    """Look again at the known objects of series that are converted as a whole."""
    refs = [ref for k in siblings if (ref := k.ref) and k.file_key not in session.seen.source_names]
    session.sibling_uris = [ref.uri for ref in refs]
    try:
        retrieve_again(refs, session.context.connections)
    except (SourceUnavailableError, InvalidInputError) as error:
        get_run_logger().error("%s", error)
        found.failures.append(error)
    return _scan(session, refs, "known objects") if refs else []


def _converted(session: IngestSession, groups: list[SeriesGroup]) -> Iterator[StoredSeries]:
    function = partial(convert_and_store, session.context)
    sizes = {group.series_instance_uid: _bytes_of(session, group) for group in groups}
    with stage("convert", len(groups), "series", sum(sizes.values())) as progress:
        for done in stream(session.cluster.client, function, groups, per_worker=2):
            yield done.result if done.result is not None else _unconvertible(session, done)
            progress.advance("convert", 1, sizes[done.job.series_instance_uid])


def _bytes_of(session: IngestSession, group: SeriesGroup) -> int:
    """Size of a series; 0 where its source does not say and nothing has been retrieved."""
    size = session.context.connections.size_bytes
    return sum(s.ref.size_bytes or size(s.ref.uri) for s in group.objects)


def _n_objects(series: StoredSeries) -> int:
    return len(series.rows.get("files", []))


def _unconvertible(session: IngestSession, done: Done[SeriesGroup, StoredSeries]) -> StoredSeries:
    return _left(session, done.job, _failure(done.error))


def _left(session: IngestSession, group: SeriesGroup, reason: str) -> StoredSeries:
    """Leave a series as the lake has it, for a reason that is none of its objects'."""
    names = session.context.pseudonymiser
    rows = [file_row(s, Outcome.QUARANTINED, reason, names) for s in group.objects]
    return StoredSeries(names.uid(group.series_instance_uid), {"files": rows}, leaves_series=True)


@task(
    name="commit batch",
    cache_policy=NO_CACHE,
    persist_result=False,
    retries=2,
    retry_delay_seconds=5,
)
def commit_batch(session: IngestSession, batch: list[StoredSeries]) -> None:
    """Publish a batch of series; identities go to the key holder's table first."""
    if session.context.deidentify:
        remember(session.keys, [s.identity for s in batch])
    named = [_with_names(session, s) for s in batch]
    for series in publish_series(session.lk, session.log, named, session.seen):
        if not series.leaves_series:
            session.seen.converted.add(series.series_instance_uid)
        _count(session, series.rows.get("files", []))
        session.log.count("n_written", len(series.rows.get("volumes", [])))
        session.log.n_series += len(series.rows.get("series", []))


def _with_names(session: IngestSession, series: StoredSeries) -> StoredSeries:
    rows = dict(series.rows) | {"files": _named(session, series.rows.get("files", []))}
    return replace(series, rows=rows)


def _named(session: IngestSession, files: list[Row]) -> list[Row]:
    # Two look-ups a row: merging the names first would cost every series a pass over all files.
    left_out = _selection_digest(session)
    return [
        {
            **row,
            "source_name": _source_name(session, str(row["file_key"])),
            "selection_digest": left_out if row["reason_code"] == "outside_selection" else None,
        }
        for row in files
    ]


def _source_name(session: IngestSession, file_key: str) -> str | None:
    if file_key in session.seen.source_names:
        return session.seen.source_names[file_key]
    return session.sibling_names.get(file_key)


def _count(session: IngestSession, files: Iterable[Row]) -> None:
    """Count outcomes of new and changed objects; known siblings count as unchanged."""
    for row in files:
        if str(row["file_key"]) in session.seen.source_names:
            reason = row["reason_code"]
            session.log.count_outcome(str(row["outcome"]), None if reason is None else str(reason))
