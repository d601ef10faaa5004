"""Flow `harmonise`: features of several centres made comparable, with the model kept."""

from __future__ import annotations

from typing import Final

import pyarrow as pa
from prefect import flow, get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.runtime import flow_run

import lake
from flows.derive import input_digest
from flows.opaque import opaque
from flows.progress import stage
from flows.runs import RunLog, author, run_record
from schemas.errors import InvalidInputError
from schemas.records import Row
from tasks.findings.row import finding_row
from tasks.harmonise import HarmonisationResult, harmonise_long
from tasks.harmonise.finding import Finding
from tasks.harmonise.pooling import PooledImage, pooling_findings

_ALGORITHM: Final = "harmonise/1"

#: Drawn lesions on PET with SUV: numbers that mean the same thing, measured the same way.
_FEATURES: Final = """
SELECT f.roi_id, f.feature, f.value, f.centre, f.patient_key, f.series_instance_uid,
       f.feature_profile, f.standard_profile
FROM features f
WHERE f.feature_profile = $profile AND f.standard_profile = $standard
  AND f.modality = 'PT' AND f.value IS NOT NULL
  AND f.roi_method IN ('rtstruct', 'seg')
  AND f.roi_id IN (SELECT roi_id FROM features WHERE feature = 'suv_mean')
ORDER BY f.roi_id, f.feature
"""

#: The standard profile with the most lesions, where none is named.
_USUAL: Final = """
SELECT standard_profile FROM features
WHERE feature_profile = $profile AND modality = 'PT' AND roi_method IN ('rtstruct', 'seg')
GROUP BY ALL ORDER BY count(DISTINCT roi_id) DESC, standard_profile LIMIT 1
"""

#: Where pooled features come from: the best that is known of each device's resolution.
_POOL: Final = """
WITH known AS (
  SELECT scanner_key, reconstruction_key, (fwhm_z_mm + fwhm_y_mm + fwhm_x_mm) / 3 AS fwhm_mm
  FROM resolution
  QUALIFY row_number() OVER (
    PARTITION BY scanner_key, reconstruction_key
    ORDER BY list_position(['measured', 'given', 'estimated'], resolution_source),
             resolution_id) = 1
)
SELECT s.scanner_key, s.reconstruction_key, m.match_status, k.fwhm_mm
FROM series s
LEFT JOIN resolution_matches m
  ON m.series_instance_uid = s.series_instance_uid AND m.profile_id = $standard
 AND m.part_index = 1
LEFT JOIN known k
  ON k.scanner_key IS NOT DISTINCT FROM s.scanner_key
 AND k.reconstruction_key IS NOT DISTINCT FROM s.reconstruction_key
WHERE list_contains($series, s.series_instance_uid)
ORDER BY s.series_instance_uid
"""

#: What may be preserved as biology; a column is used where every ROI has it and it varies.
_COVARIATES: Final = """
SELECT DISTINCT r.roi_id, c.age_years, c.sex, c.stage
FROM rois r
JOIN series s USING (series_instance_uid)
LEFT JOIN cohort c
  ON c.patient_key = r.patient_key AND c.study_instance_uid = s.study_instance_uid
WHERE r.feature_profile = $profile
ORDER BY r.roi_id
"""


@flow(name="harmonise", persist_result=False, validate_parameters=False)
def harmonise(
    location: str,
    *,
    profile: str = "pet-fbs-0.25/1",
    standard_profile: str | None = None,
    method: str = "combat_parametric",
    covariates: list[str] | None = None,
    reference_batch: str | None = None,
) -> dict[str, int | str | None]:
    """Harmonise the features of all centres by ComBat, batch = centre.

    Parameters
    ----------
    location : str
        The lake.
    profile : str
        Feature profile whose rows are harmonised; profiles are never mixed.
    standard_profile : str or None
        Standard profile of the images they were measured on; None: the one with the most lesions.
    method : str
        A method of `tasks.harmonise.harmonise_long`.
    covariates : list of str or None
        Of ``age_years``, ``sex``, ``stage``; None: those among age and stage that are complete.
    reference_batch : str or None
        Centre that is left as it is.

    Returns
    -------
    dict
        ``n_written`` rows and ``model_id``; None where there was nothing to harmonise.
    """
    parameters = {"profile": profile, "standard_profile": standard_profile, "method": method,
                  "reference_batch": reference_batch, "covariates": covariates}  # fmt: skip
    with (
        lake.open(location) as lk,
        run_record(lk, "harmonise", parameters, prefect_id=str(flow_run.id)) as log,
    ):
        standard = standard_profile or _usual_standard(lk, profile)
        parameters["standard_profile"] = standard
        chosen = {"profile": profile, "standard": standard}
        features = lk.sql(_FEATURES, chosen).to_arrow_table()
        table = _covariate_table(lk, features, profile, covariates)
        pooled = pooling_findings(_pool(lk, features, standard), standard)
        digest = input_digest(_ALGORITHM, parameters, _content(features), _content(table), pooled)
        if _done(lk, digest):
            get_run_logger().info("features and parameters are unchanged; nothing to do")
            return {"n_written": 0, "model_id": _model_of(lk, digest)}
        problem = _unsuitable(features)
        if problem is not None:
            publish_refusal(opaque(lk), opaque(log), problem)
            return {"n_written": 0, "model_id": None}
        with stage("harmonise", 1) as progress:
            try:
                result = harmonise_long(features, batch_column="centre", covariate_table=table,
                                        method=method, reference_batch=reference_batch)  # fmt: skip
            except InvalidInputError as refusal:
                publish_refusal(opaque(lk), opaque(log), str(refusal))
                return {"n_written": 0, "model_id": None}
            publish(opaque(lk), opaque(log), opaque(result), chosen, digest, pooled)
            progress.advance("harmonise")
        return {"n_written": log.counts["n_written"], "model_id": str(result.model_row["model_id"])}


def _usual_standard(lk: lake.Lake, profile: str) -> str:
    row = lk.sql(_USUAL, {"profile": profile}).fetchone()
    return "" if row is None else str(row[0])


def _pool(lk: lake.Lake, features: pa.Table, standard: str) -> list[PooledImage]:
    series = pa.compute.unique(features["series_instance_uid"]).to_pylist()
    rows = lk.sql(_POOL, {"series": series, "standard": standard}).fetchall()
    return [PooledImage((scanner, recon), status, fwhm) for scanner, recon, status, fwhm in rows]


def _content(table: pa.Table | None) -> object:
    return None if table is None else input_digest(table.to_pylist())


def _covariate_table(
    lk: lake.Lake, features: pa.Table, profile: str, wanted: list[str] | None
) -> pa.Table | None:
    """Covariates of the ROIs in `features`: those asked for, or those that are complete."""
    rows = lk.sql(_COVARIATES, {"profile": profile}).to_arrow_table()
    rois = pa.compute.unique(features["roi_id"])
    rows = rows.filter(pa.compute.is_in(rows["roi_id"], value_set=rois))
    unknown = sorted(set(wanted or []) - set(rows.column_names))
    if unknown:
        raise InvalidInputError(f"no such covariates: {unknown}; known: age_years, sex, stage")
    chosen = wanted if wanted is not None else [
        name for name in ("age_years", "stage") if _is_usable(rows[name])
    ]  # fmt: skip
    return rows.select(["roi_id", *chosen]) if chosen else None


def _is_usable(column: pa.ChunkedArray) -> bool:
    return column.null_count == 0 and len(column.unique()) > 1


def _unsuitable(features: pa.Table) -> str | None:
    centres = len(pa.compute.unique(features["centre"]))
    if centres >= 2:
        return None
    return (
        f"features of drawn lesions come from {centres} centre(s); harmonisation needs at least 2. "
        "Ingest more centres, or name them in the lake's settings"
    )


def _done(lk: lake.Lake, digest: str) -> bool:
    return _model_of(lk, digest) is not None


def _model_of(lk: lake.Lake, digest: str) -> str | None:
    row = lk.sql(
        "SELECT model_id FROM harmonisation_models WHERE input_digest = $digest", {"digest": digest}
    ).fetchone()
    return None if row is None else str(row[0])


@task(name="publish harmonised features", cache_policy=NO_CACHE, persist_result=False)
def publish(
    lk: lake.Lake,
    log: RunLog,
    result: HarmonisationResult,
    of: dict[str, str],
    digest: str,
    pooled: list[Finding],
) -> None:
    """Commit model, harmonised rows and findings; earlier models of the profile leave the view."""
    rows = result.rows.append_column("run_id", pa.array([log.run_id] * result.rows.num_rows))
    model = {**result.model_row, "input_digest": digest, "feature_profile": of["profile"],
             "standard_profile": of["standard"], "fitted_on_snapshot": lk.snapshot}  # fmt: skip
    previous = [
        m for (m,) in lk.sql(
            "SELECT model_id FROM harmonisation_models WHERE feature_profile = $profile "
            "AND standard_profile = $standard", of
        ).fetchall()
    ]  # fmt: skip

    def write(tx: lake.Transaction) -> None:
        tx.delete("features_harmonised", {"model_id": previous})
        tx.delete("harmonisation_models", {"model_id": previous})
        tx.delete("findings", {"subject_id": previous, "subject_kind": ["model"]})
        tx.insert("harmonisation_models", log.stamp([model]))
        tx.insert("features_harmonised", rows)
        tx.insert("findings", log.stamp(_findings(result, pooled)))

    lk.commit(write, message=log.message(f"model {result.model_row['model_id']}"), author=author())
    log.count("n_written", rows.num_rows)


def _findings(result: HarmonisationResult, pooled: list[Finding]) -> list[Row]:
    model_id = str(result.model_row["model_id"])
    return [
        finding_row(rule_id=rule, severity=severity, subject_kind="model",
                    subject_id=model_id, message=message)
        for rule, severity, message in (*result.findings, *pooled)
    ]  # fmt: skip


@task(name="publish refusal", cache_policy=NO_CACHE, persist_result=False)
def publish_refusal(lk: lake.Lake, log: RunLog, problem: str) -> None:
    """Record why nothing was harmonised."""
    row = finding_row(rule_id="BAT-1", severity="warn", subject_kind="model",
                      subject_id="none", message=problem)  # fmt: skip
    lk.commit(
        lambda tx: tx.replace("findings", log.stamp([row]), scope=("finding_id",)),
        message=log.message("not harmonised"),
        author=author(),
    )
    get_run_logger().warning(problem)
