"""Flow `standardise`: raw volumes to quantified volumes on a standard grid."""

from __future__ import annotations

from functools import partial
from typing import Final

from prefect import flow, get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.runtime import flow_run

import lake
from flows.cluster import open_cluster
from flows.derive import (
    done_digests,
    done_in_batches,
    geometry_of,
    input_digest,
    profile_named,
)
from flows.opaque import opaque
from flows.runs import RunLog, author, run_record
from flows.work.standardise import StandardiseJob, standardise_and_store
from schemas.geometry import Geometry
from schemas.profiles import STANDARD_PROFILES, StandardProfile
from schemas.records import Row
from schemas.volume import Part
from tasks.findings.row import finding_row
from tasks.standardise import grid_for

#: Changes of the algorithm itself; part of every input digest.
_ALGORITHM: Final = "standardise/1"

#: Raw volumes with what decides about their grid. A CT goes onto the grid of its PET or SPECT;
#: dynamic and gated volumes stay as they are.
_RAW: Final = """
SELECT v.series_instance_uid, v.volume_id, v.volume_path, s.modality,
       coalesce(v.part_index, 1), v.part_label,
       v.shape_z, v.shape_y, v.shape_x, v.affine_lps,
       e.shape_z, e.shape_y, e.shape_x, e.affine_lps
FROM volumes v
JOIN series s USING (series_instance_uid)
LEFT JOIN volumes e
  ON s.modality = 'CT' AND e.zone = 'raw' AND e.series_instance_uid = s.referenced_series_uid
 AND coalesce(e.part_index, 1) = 1
WHERE v.zone = 'raw' AND s.series_kind = 'image' AND s.modality IN ('PT', 'NM', 'CT')
  AND v.shape_t IS NULL
ORDER BY v.volume_id
"""

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
    dask_address: str | None = None,
    workers: int | None = None,
) -> dict[str, int]:
    """Bring every raw volume to its standard grid; only what is missing or changed is done.

    Parameters
    ----------
    location : str
        The lake.
    pet_profile, ct_profile : str
        Names in `schemas.profiles.STANDARD_PROFILES`.

    Returns
    -------
    dict
        ``n_written``: volumes written; ``n_failed``: volumes with a finding instead.
    """
    emission = profile_named(STANDARD_PROFILES, pet_profile, "standard")
    ct = profile_named(STANDARD_PROFILES, ct_profile, "standard")
    profiles = {"PT": emission, "NM": emission, "CT": ct}
    parameters = {"pet_profile": pet_profile, "ct_profile": ct_profile}
    with (
        lake.open(location) as lk,
        run_record(lk, "standardise", parameters, prefect_id=str(flow_run.id)) as log,
    ):
        forget_gone_parts(lk, log)
        jobs = missing_jobs(lk, profiles)
        get_run_logger().info("%d volumes to standardise", len(jobs))
        if not jobs:
            return {"n_written": 0, "n_failed": 0}
        with open_cluster(dask_address, workers=workers) as client:
            work = partial(standardise_and_store, lk.volumes_root)
            for batch in done_in_batches(client, "standardise", work, jobs):
                rows = [done.result for done in batch if done.result is not None]
                failed = [(d.job, d.error) for d in batch if d.result is None]
                publish(opaque(lk), opaque(log), opaque(rows), opaque(failed))
        return {"n_written": log.counts["n_written"], "n_failed": log.counts["n_quarantined"]}


def forget_gone_parts(lk: lake.Lake, log: RunLog) -> None:
    """Drop standard volumes of parts that their series no longer has, and what was measured there.

    History keeps them.
    """
    gone = [volume_id for (volume_id,) in lk.sql(_GONE).fetchall()]
    if gone:
        rois = lk.sql(_ROIS_ON, {"volumes": gone}).fetchall()

        def write(tx: lake.Transaction) -> None:
            tx.delete("volumes", {"volume_id": [*gone, *(mask for _, mask in rois)]})
            for table in ("rois", "features"):
                tx.delete(table, {"roi_id": [roi_id for roi_id, _ in rois]})

        lk.commit(
            write,
            message=log.message(f"{len(gone)} standard volumes of former parts dropped"),
            author=author(),
        )


def missing_jobs(lk: lake.Lake, profiles: dict[str, StandardProfile]) -> list[StandardiseJob]:
    """Jobs for raw volumes that have no standard volume made from the same inputs."""
    done = done_digests(lk, "volumes")
    jobs = (_job(profiles, row) for row in lk.sql(_RAW).fetchall())
    return [job for job in jobs if job.input_digest not in done]


def _job(profiles: dict[str, StandardProfile], row: tuple[object, ...]) -> StandardiseJob:
    uid, volume_id, path, modality, part, label, *grids = row
    profile = profiles[str(modality)]
    like = _pet_grid(profile, profiles["PT"], grids[4:])
    digest = input_digest(
        _ALGORITHM, volume_id, profile.digest(), None if like is None else like.digest()
    )
    of_series = Part(int(str(part)), None if label is None else str(label))
    return StandardiseJob(str(uid), str(volume_id), str(path), profile, like, digest, of_series)


def _pet_grid(
    profile: StandardProfile, pet_profile: StandardProfile, emission: list[object]
) -> Geometry | None:
    z, y, x, affine = emission
    if not profile.on_pet_grid or z is None:
        return None
    shape = (int(str(z)), int(str(y)), int(str(x)))
    return grid_for(geometry_of(shape, list(affine)), pet_profile)  # type: ignore[call-overload]


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
            tx.replace("volumes", log.stamp(rows), scope=scope)
        if findings:
            tx.replace("findings", log.stamp(findings), scope=("finding_id",))

    lk.commit(write, message=log.message(f"{len(rows)} standard volumes"), author=author())
    log.count("n_written", len(rows))
    log.count("n_quarantined", len(failed))


def _failure(job: StandardiseJob, error: BaseException | None) -> Row:
    return finding_row(
        rule_id="STD-FAILED",
        severity="fail",
        subject_kind="series",
        subject_id=job.series_instance_uid,
        message=f"the volume could not be standardised ({type(error).__name__})",
    )
