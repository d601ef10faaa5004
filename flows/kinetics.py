"""Flow `kinetics`: curves, parameters and parametric images of dynamic PET series."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Final

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.runtime import flow_run

import lake
from flows.cluster import Done, open_cluster
from flows.committing import BATCH_SECONDS, BATCH_SERIES, timed_batches
from flows.kinetic_jobs import KineticsRequest, missing_jobs, profile_of, samples_of, text_of
from flows.opaque import opaque
from flows.parametric import Finished, finished
from flows.private_flow import private_flow
from flows.progress import stage
from flows.runs import RunLog, author, run_record
from flows.work.kinetic_job import Analysed, KineticsJob
from flows.work.kinetic_rows import finding
from flows.work.kinetics import analyse
from schemas.kinetics import load_kinetic_profile
from schemas.records import Row

_PER_ANALYSIS: Final = ("kinetic_analyses", "input_functions", "kinetic_parameters")
#: Analyses and curves of volumes that are no more: of series that went, or grew.
_GONE: Final = """
SELECT DISTINCT analysis_id, parent_volume_id FROM
 (SELECT analysis_id, parent_volume_id FROM kinetic_analyses
  UNION ALL SELECT NULL, parent_volume_id FROM time_activity_curves) k
WHERE NOT EXISTS (SELECT 1 FROM volumes v WHERE v.volume_id = k.parent_volume_id)
ORDER BY ALL
"""
_MAPS: Final = (
    "SELECT volume_id FROM volumes WHERE zone = 'parametric' "
    "AND list_contains($parents, parent_volume_id)"
)


@private_flow("kinetics")
def kinetics(
    location: str,
    *,
    model: str = "patlak/1",
    profile_file: str | None = None,
    input_roi: str = "aorta",
    reference_roi: str = "cerebellum",
    rois: list[str] | None = None,
    series: list[str] | None = None,
    blood_samples: str | None = None,
    with_maps: bool = True,
    dask_address: str | None = None,
    workers: int | None = None,
) -> dict[str, int]:
    """Analyse every dynamic PET series; only what is missing or changed is done.

    Parameters
    ----------
    location : str
        The lake.
    model : str
        Name in `schemas.kinetics.KINETIC_PROFILES`, or a model, for the first profile of it.
    profile_file : str or None
        Path of a profile as TOML, instead.
    input_roi, reference_roi : str
        Name of the ROI in the blood pool, for models that take plasma, and of that in the reference
        tissue, for the others. Case does not matter; ``*`` and ``?`` stand for anything.
    rois : list of str or None
        Names of the ROIs to fit; None: all but that of the input.
    series : list of str or None
        Only these series (UIDs in the lake).
    blood_samples : str or None
        Path of arterial samples of the one series that is named, instead of the input ROI: a CSV
        (see `tasks.kinetics.input_function.read_samples`), or a BIDS recording (TSV with JSON).
    with_maps : bool
        Make parametric volumes, too.

    Returns
    -------
    dict
        ``n_written``: series analysed; ``n_refused``: series with a reason instead; ``n_failed``:
        series that a fault of ours or a lost worker ended.
    """
    profile = profile_of(model)
    if profile_file is not None:
        profile = load_kinetic_profile(text_of(Path(profile_file)))
    wanted = KineticsRequest(
        profile, input_roi, reference_roi, tuple(rois or ("*",)), tuple(series or ()),
        None if blood_samples is None else samples_of(Path(blood_samples)), with_maps,
    )  # fmt: skip
    with (
        lake.open(location) as lk,
        run_record(lk, "kinetics", wanted.recorded(), prefect_id=str(flow_run.id)) as log,
    ):
        forget_gone(lk, log)
        jobs = missing_jobs(lk, wanted)
        get_run_logger().info("%d dynamic series to analyse", len(jobs))
        counts = {"n_written": 0, "n_refused": 0, "n_failed": 0}
        if not jobs:
            return counts
        with (
            open_cluster(dask_address, workers=workers) as client,
            stage("kinetics", len(jobs), "series") as progress,
        ):
            analysed = finished(client, lk.volumes_root, partial(analyse, lk.volumes_root), jobs)
            for batch in timed_batches(analysed, BATCH_SERIES, BATCH_SECONDS):
                for name, n in publish(opaque(lk), opaque(log), opaque(batch)).items():
                    counts[name] += n
                progress.advance("kinetics", len(batch))
        return counts


def forget_gone(lk: lake.Lake, log: RunLog) -> None:
    """Drop what was made of raw volumes that are no more; history keeps it."""
    gone = lk.sql(_GONE).fetchall()
    if not gone:
        return
    analyses = [analysis for analysis, _ in gone if analysis is not None]
    parents = sorted({parent for _, parent in gone})
    maps = [volume for (volume,) in lk.sql(_MAPS, {"parents": parents}).fetchall()]

    def write(tx: lake.Transaction) -> None:
        for table in _PER_ANALYSIS:
            tx.delete(table, {"analysis_id": analyses})
        tx.delete("findings", {"subject_id": analyses})
        tx.delete("time_activity_curves", {"parent_volume_id": parents})
        tx.delete("volumes", {"zone": ["parametric"], "volume_id": maps})

    lk.commit(write, message=log.message("kinetics of former volumes dropped"), author=author())


@task(name="publish kinetics", cache_policy=NO_CACHE, persist_result=False)
def publish(lk: lake.Lake, log: RunLog, batch: list[Finished]) -> dict[str, int]:
    """Commit the analyses of a batch of series; what the same profile gave before goes."""
    done = [(f.done.job, _result(f.done)) for f in batch]
    rows: dict[str, list[Row]] = {}
    for _, result in done:
        for table, found in result.rows.items():
            rows.setdefault(table, []).extend(log.stamp(found))
    rows["volumes"] = log.stamp([row for f in batch for row in f.volumes])
    analyses = [job.analysis_id for job, _ in done]

    def write(tx: lake.Transaction) -> None:
        for table in _PER_ANALYSIS:
            tx.delete(table, {"analysis_id": analyses})
        tx.delete("findings", {"subject_id": analyses})
        for job, _ in done:
            _drop_maps(tx, job)
        curves = ("parent_volume_id", "segmentation_series_uid", "segment_number")
        tx.replace("time_activity_curves", rows.pop("time_activity_curves", []), scope=curves)
        for table, found in rows.items():
            tx.insert(table, found)

    lk.commit(write, message=log.message(f"{len(batch)} dynamic series"), author=author())
    counts = _counts([result for _, result in done])
    log.count("n_written", counts["n_written"])
    log.count("n_quarantined", counts["n_refused"] + counts["n_failed"])
    return counts


def _drop_maps(tx: lake.Transaction, job: KineticsJob) -> None:
    tx.delete(
        "volumes",
        {
            "zone": ["parametric"],
            "series_instance_uid": [job.series_instance_uid],
            "profile_id": [job.profile.profile_id],
        },
    )


def _result(done: Done[KineticsJob, Analysed]) -> Analysed:
    """Return the rows of a job, or a finding if it ended its worker or met a fault."""
    if done.result is not None:
        return done.result
    failed = Analysed()
    name = type(done.error).__name__ if done.error is not None else "lost"
    failed.rows["findings"].append(finding(done.job, "kinetics.failed", name, "fail"))
    return failed


def _counts(results: list[Analysed]) -> dict[str, int]:
    states = [row.get("analysis_status") for r in results for row in r.rows["kinetic_analyses"]]
    return {
        "n_written": states.count("done"),
        "n_refused": states.count("refused"),
        "n_failed": len(results) - len(states),
    }
