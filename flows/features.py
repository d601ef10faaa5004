"""Flow `extract_features`: ROIs of the standard volumes, drawn, measured and published."""

from __future__ import annotations

from collections import defaultdict
from functools import partial
from typing import Final

from prefect import flow, get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.runtime import flow_run

import lake
from flows.cluster import Done, open_cluster
from flows.derive import done_digests, done_in_batches, input_digest, profile_named
from flows.drawn_rois import drawn_rois as every_drawn_roi
from flows.opaque import opaque
from flows.profiles import feature_profiles
from flows.runs import RunLog, author, run_record
from flows.work.features import FeatureJob, MeasuredVolume, RoiSource, measure
from schemas.profiles import FeatureProfile
from schemas.records import Row
from tasks.findings.row import finding_row

_ALGORITHM: Final = "features/1"

_IMAGES: Final = """
SELECT s.series_instance_uid, s.study_instance_uid, s.patient_key, s.centre, s.modality,
       s.frame_of_reference_uid, v.volume_id, v.volume_path, v.value_unit, v.profile_id
FROM volumes v JOIN series s USING (series_instance_uid)
WHERE v.zone = 'standard' AND s.modality IN ('PT', 'NM') AND s.series_kind = 'image'
ORDER BY v.volume_id
"""


@flow(name="extract_features", persist_result=False, validate_parameters=False)
def extract_features(
    location: str,
    *,
    profile: str = "pet-fbs-0.25/1",
    profile_without_suv: str = "pet-fbn-64/1",
    dask_address: str | None = None,
    workers: int | None = None,
) -> dict[str, int]:
    """Measure every ROI on every standard PET and SPECT volume; only what is missing or changed.

    Of a series with several standard profiles, each of its volumes is measured.

    ROIs are those drawn on the series (RTSTRUCT, SEG); a series without any is segmented by the
    profile's SUV threshold, where it has SUV.

    Parameters
    ----------
    location : str
        The lake.
    profile : str
        Name of a feature profile, for volumes in SUV.
    profile_without_suv : str
        The same for counts and Bq/ml, where a bin width in SUV has no meaning.

    Returns
    -------
    dict
        ``n_written``: ROIs measured; ``n_failed``: volumes that could not be measured.
    """
    parameters = {"profile": profile, "profile_without_suv": profile_without_suv}
    with (
        lake.open(location) as lk,
        run_record(lk, "extract_features", parameters, prefect_id=str(flow_run.id)) as log,
    ):
        known = feature_profiles(lk)
        chosen = profile_named(known, profile, "feature")
        other = profile_named(known, profile_without_suv, "feature")
        jobs = missing_jobs(lk, chosen, other)
        get_run_logger().info("%d volumes to measure", len(jobs))
        if not jobs:
            return {"n_written": 0, "n_failed": 0}
        with open_cluster(dask_address, workers=workers) as client:
            work = partial(measure, lk.volumes_root)
            for batch in done_in_batches(client, "features", work, jobs):
                publish(opaque(lk), opaque(log), opaque(batch))
        return {"n_written": log.counts["n_written"], "n_failed": log.counts["n_quarantined"]}


def missing_jobs(
    lk: lake.Lake, suv_profile: FeatureProfile, other_profile: FeatureProfile
) -> list[FeatureJob]:
    """Jobs for standard volumes whose ROIs have not been measured from the same inputs."""
    done = done_digests(lk, "rois")
    drawn = drawn_rois(lk)
    jobs = []
    for uid, study, patient, centre, modality, frame, volume_id, path, unit, standard in lk.sql(
        _IMAGES
    ).fetchall():
        found = drawn.get(uid) or drawn.get(frame) or []
        if not found and unit != "SUVbw":
            continue  # nothing drawn, and no SUV to put a threshold on
        profile = suv_profile if unit == "SUVbw" else other_profile
        inputs = [key for key, _ in found]
        digest = input_digest(_ALGORITHM, volume_id, profile.digest(), inputs)
        if digest in done:
            continue
        identity: Row = {"patient_key": patient, "centre": centre, "study_instance_uid": study,
                         "series_instance_uid": uid, "modality": modality,
                         "standard_profile": standard}  # fmt: skip
        rois = tuple(source for _, source in found)
        jobs.append(FeatureJob(identity, volume_id, path, rois, profile, digest))
    return jobs


def drawn_rois(lk: lake.Lake) -> dict[str, list[tuple[str, RoiSource]]]:
    """ROIs with a digest of their content, by the series (or else the frame) they belong to."""
    drawn: dict[str, list[tuple[str, RoiSource]]] = defaultdict(list)
    for roi in every_drawn_roi(lk):
        drawn[roi.referenced_series_uid or roi.frame_of_reference_uid or ""].append(
            (roi.digest, roi.source)
        )
    return drawn


@task(name="publish features", cache_policy=NO_CACHE, persist_result=False)
def publish(lk: lake.Lake, log: RunLog, batch: list[Done[FeatureJob, MeasuredVolume]]) -> None:
    """Commit the ROIs of a batch of volumes; what was measured on them before goes."""
    measured = [done.result for done in batch if done.result is not None]
    failed = [_failure(d.job, d.error) for d in batch if d.result is None]
    previous = _previous_rois(lk, batch)
    rows: dict[str, list[Row]] = defaultdict(list)
    for volume in measured:
        for table, found in volume.rows.items():
            rows[table].extend(log.stamp(found))

    def write(tx: lake.Transaction) -> None:
        _forget(tx, previous, measured)
        for table in ("volumes", "rois", "features", "findings"):
            if rows[table]:
                tx.insert(table, rows[table])
        if failed:
            tx.replace("findings", log.stamp(failed), scope=("finding_id",))

    n = len(rows["rois"])
    lk.commit(write, message=log.message(f"{n} ROIs measured"), author=author())
    log.count("n_written", n)
    log.count("n_quarantined", len(failed))


def _forget(
    tx: lake.Transaction, previous: list[tuple[str, str]], measured: list[MeasuredVolume]
) -> None:
    """Delete ROIs with what was measured of them and their masks (history keeps them)."""
    roi_ids = [roi_id for roi_id, _ in previous]
    tx.delete("rois", {"roi_id": roi_ids})
    tx.delete("features", {"roi_id": roi_ids})
    tx.delete("volumes", {"zone": ["mask"], "volume_id": [mask for _, mask in previous]})
    tx.delete("findings", {"subject_id": [*roi_ids, *(m.volume_id for m in measured)]})


def _previous_rois(
    lk: lake.Lake, batch: list[Done[FeatureJob, MeasuredVolume]]
) -> list[tuple[str, str]]:
    """ROIs, with their masks, that earlier runs measured on these volumes with these profiles.

    So also those on volumes of these series that are no more: a standard volume that was made again
    has another name. What was measured on other parts of a series stays.
    """
    done = [(d.job, d.result) for d in batch if d.result is not None]
    rows = lk.sql(
        "WITH again AS (SELECT unnest($series) AS series_instance_uid, "
        "unnest($profiles) AS feature_profile, unnest($volumes) AS measured_id) "
        "SELECT DISTINCT r.roi_id, r.volume_id FROM rois r "
        "JOIN again USING (series_instance_uid, feature_profile) "
        "WHERE r.parent_volume_id = measured_id OR NOT EXISTS "
        "(SELECT 1 FROM volumes v WHERE v.volume_id = r.parent_volume_id) ORDER BY ALL",
        {
            "series": [m.series_instance_uid for _, m in done],
            "profiles": [job.profile.profile_id for job, _ in done],
            "volumes": [m.volume_id for _, m in done],
        },
    ).fetchall()
    return [(roi_id, mask) for roi_id, mask in rows]


def _failure(job: FeatureJob, error: BaseException | None) -> Row:
    """Make the finding for a volume that ended its worker or met a fault (its text is dropped)."""
    return finding_row(
        rule_id="ROI-FAILED",
        severity="fail",
        subject_kind="volume",
        subject_id=job.volume_id,
        message=f"the ROIs of this volume could not be measured ({type(error).__name__})",
        patient_key=job.identity["patient_key"],
        centre=job.identity["centre"],
    )
