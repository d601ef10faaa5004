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

_ALGORITHM: Final = "harmonise/1"

#: Drawn lesions on PET with SUV: numbers that mean the same thing, measured the same way.
_FEATURES: Final = """
SELECT f.roi_id, f.feature, f.value, f.centre, f.patient_key, f.series_instance_uid,
       f.feature_profile
FROM features f
WHERE f.feature_profile = $profile AND f.modality = 'PT' AND f.value IS NOT NULL
  AND f.roi_method IN ('rtstruct', 'seg')
  AND f.roi_id IN (SELECT roi_id FROM features WHERE feature = 'suv_mean')
ORDER BY f.roi_id, f.feature
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
    parameters = {"profile": profile, "method": method, "reference_batch": reference_batch,
                  "covariates": covariates}  # fmt: skip
    with (
        lake.open(location) as lk,
        run_record(lk, "harmonise", parameters, prefect_id=str(flow_run.id)) as log,
    ):
        features = lk.sql(_FEATURES, {"profile": profile}).to_arrow_table()
        table = _covariate_table(lk, features, profile, covariates)
        digest = input_digest(_ALGORITHM, parameters, _content(features), _content(table))
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
            publish(opaque(lk), opaque(log), opaque(result), profile, digest)
            progress.advance("harmonise")
        return {"n_written": log.counts["n_written"], "model_id": str(result.model_row["model_id"])}


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
    lk: lake.Lake, log: RunLog, result: HarmonisationResult, profile: str, digest: str
) -> None:
    """Commit model, harmonised rows and findings; earlier models of the profile leave the view."""
    rows = result.rows.append_column("run_id", pa.array([log.run_id] * result.rows.num_rows))
    model = {**result.model_row, "input_digest": digest, "feature_profile": profile,
             "fitted_on_snapshot": lk.snapshot}  # fmt: skip
    previous = [
        m for (m,) in lk.sql(
            "SELECT model_id FROM harmonisation_models WHERE feature_profile = $p", {"p": profile}
        ).fetchall()
    ]  # fmt: skip

    def write(tx: lake.Transaction) -> None:
        tx.delete("features_harmonised", {"model_id": previous})
        tx.delete("harmonisation_models", {"feature_profile": [profile]})
        tx.delete("findings", {"subject_id": previous, "subject_kind": ["model"]})
        tx.insert("harmonisation_models", log.stamp([model]))
        tx.insert("features_harmonised", rows)
        tx.insert("findings", log.stamp(_findings(result)))

    lk.commit(write, message=log.message(f"model {result.model_row['model_id']}"), author=author())
    log.count("n_written", rows.num_rows)


def _findings(result: HarmonisationResult) -> list[Row]:
    model_id = str(result.model_row["model_id"])
    return [
        finding_row(rule_id=rule, severity=severity, subject_kind="model",
                    subject_id=model_id, message=message)
        for rule, severity, message in result.findings
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
