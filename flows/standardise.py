"""Flow `standardise`: raw volumes to quantified volumes on a standard grid."""

from __future__ import annotations

from functools import partial
from typing import Final

from prefect import flow, get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.runtime import flow_run

import lake
from flows.cluster import ClusterOnDemand
from flows.derive import done_digests, done_in_batches, profile_named
from flows.features import drawn_rois
from flows.matches import match_rows, publish_matches, refused_volumes
from flows.opaque import opaque
from flows.profiles import standard_profiles
from flows.resolution import update_resolution
from flows.runs import RunLog, author, run_record
from flows.standard_jobs import planned, raw_images
from flows.targets import Targets
from flows.work.standardise import StandardiseJob, standardise_and_store
from schemas.records import Row
from tasks.findings.row import finding_row
from tasks.standardise.normalise import NoReferenceError
from tasks.standardise.white_stripe import NoWhiteStripeError

#: A fault of ours; a reference ROI that gives no scale of intensity; an image without white stripe.
_FAILED, _NO_SCALE, _NO_STRIPE = "STD-FAILED", "STD-8", "STD-9"

#: Standard volumes whose series still has raw volumes, but no longer this part.
_GONE: Final = """
SELECT v.volume_id FROM volumes v
WHERE v.zone = 'standard'
  AND EXISTS (SELECT 1 FROM volumes r WHERE r.zone = 'raw'
              AND r.series_instance_uid = v.series_instance_uid)
  AND NOT EXISTS (SELECT 1 FROM volumes r WHERE r.zone = 'raw' AND r.shape_t IS NULL
                  AND r.series_instance_uid = v.series_instance_uid
                  AND coalesce(r.part_index, 1) = coalesce(v.part_index, 1))
"""


_ROIS_ON: Final = (
    "SELECT roi_id, volume_id FROM rois WHERE list_contains($volumes, parent_volume_id)"
)


@flow(name="standardise", persist_result=False, validate_parameters=False)
def standardise(
    location: str,
    *,
    pet_profile: str = "pet-4mm/1",
    ct_profile: str = "ct-4mm/1",
    profiles: list[str] | None = None,
    dask_address: str | None = None,
    workers: int | None = None,
) -> dict[str, int]:
    """Bring every raw volume to its standards; only what is missing or changed is done.

    Parameters
    ----------
    location : str
        The lake.
    pet_profile, ct_profile : str
        Names of standard profiles: those of tracerlake, or of the lake's folder ``profiles``.
    profiles : list of str or None
        Further ones whose volumes are made beside; None: the lake's setting `standard_profiles`.

    Returns
    -------
    dict
        ``n_written``: volumes written; ``n_failed``: volumes with a finding instead.
    """
    parameters = {"pet_profile": pet_profile, "ct_profile": ct_profile, "profiles": profiles}
    with (
        lake.open(location) as lk,
        run_record(lk, "standardise", parameters, prefect_id=str(flow_run.id)) as log,
        ClusterOnDemand(dask_address, workers=workers) as cluster,
    ):
        further = lk.settings.standard_profiles if profiles is None else profiles
        known = standard_profiles(lk)
        names = dict.fromkeys([pet_profile, ct_profile, *further])
        chosen = [profile_named(known, name, "standard") for name in names]
        forget_gone_parts(lk, log)
        images = raw_images(lk)
        update_resolution(lk, log, images, chosen, cluster)
        rois = drawn_rois(lk) if any(p.reference_roi for p in chosen) else {}
        plans = planned(images, chosen, Targets.of_lake(lk, images), rois)
        publish_matches(lk, log, *match_rows(plans))
        forget(lk, log, refused_volumes(lk, plans), "without the resolution of their profile")
        done = done_digests(lk, "volumes")
        jobs = [p.job for p in plans if p.job is not None and p.job.input_digest not in done]
        get_run_logger().info("%d volumes to standardise", len(jobs))
        if jobs:
            work = partial(standardise_and_store, lk.volumes_root)
            for batch in done_in_batches(cluster.client, "standardise", work, jobs):
                rows = [done.result for done in batch if done.result is not None]
                failed = [(d.job, d.error) for d in batch if d.result is None]
                publish(opaque(lk), opaque(log), opaque(rows), opaque(failed))
        return {"n_written": log.counts["n_written"], "n_failed": log.counts["n_quarantined"]}


def forget_gone_parts(lk: lake.Lake, log: RunLog) -> None:
    """Drop standard volumes of parts that their series no longer has, and what was measured there.

    History keeps them.
    """
    gone = [volume_id for (volume_id,) in lk.sql(_GONE).fetchall()]
    forget(lk, log, gone, "of former parts")


def forget(lk: lake.Lake, log: RunLog, gone: list[str], why: str) -> None:
    """Drop standard volumes and what was measured on them; history keeps them."""
    if gone:
        rois = lk.sql(_ROIS_ON, {"volumes": gone}).fetchall()

        def write(tx: lake.Transaction) -> None:
            tx.delete("volumes", {"volume_id": [*gone, *(mask for _, mask in rois)]})
            for table in ("rois", "features"):
                tx.delete(table, {"roi_id": [roi_id for roi_id, _ in rois]})

        lk.commit(
            write,
            message=log.message(f"{len(gone)} standard volumes {why} dropped"),
            author=author(),
        )


@task(name="publish standard volumes", cache_policy=NO_CACHE, persist_result=False)
def publish(
    lk: lake.Lake,
    log: RunLog,
    rows: list[Row],
    failed: list[tuple[StandardiseJob, BaseException | None]],
) -> None:
    """Commit a batch of standard volumes, and a finding for each that could not be made."""
    findings = [_failure(job, error) for job, error in failed]

    def write(tx: lake.Transaction) -> None:
        scope = ("series_instance_uid", "zone", "profile_id", "part_index")
        if rows:
            series = [row["series_instance_uid"] for row in rows]
            rules = [_FAILED, _NO_SCALE, _NO_STRIPE]
            tx.delete("findings", {"rule_id": rules, "subject_id": series})
            tx.replace("volumes", log.stamp(rows), scope=scope)
        if findings:
            tx.replace("findings", log.stamp(findings), scope=("finding_id",))

    lk.commit(write, message=log.message(f"{len(rows)} standard volumes"), author=author())
    log.count("n_written", len(rows))
    log.count("n_quarantined", len(failed))


def _failure(job: StandardiseJob, error: BaseException | None) -> Row:
    message = f"the volume could not be standardised ({type(error).__name__})"
    rule = _FAILED
    if isinstance(error, NoReferenceError):
        message = f"no volume was made under {job.profile.profile_id}: {error}"
        rule = _NO_STRIPE if isinstance(error, NoWhiteStripeError) else _NO_SCALE
    return finding_row(
        rule_id=rule,
        severity="fail",
        subject_kind="series",
        subject_id=job.series_instance_uid,
        message=message,
    )
