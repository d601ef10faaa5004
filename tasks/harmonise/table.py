"""From long feature rows to a matrix, through a model, and back to long rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from schemas.errors import InvalidInputError
from schemas.records import Row
from schemas.tables import TABLES
from tasks.harmonise.engines import harmoniser
from tasks.harmonise.finding import Finding
from tasks.harmonise.guards import GuardLimits, excluded, prepare, review
from tasks.harmonise.interface import HarmonisationModel
from tasks.harmonise.log_scale import LogFeatures
from tasks.harmonise.matrix import FeatureMatrix, long_values, to_matrix


@dataclass(frozen=True, eq=False)
class HarmonisationResult:
    """Everything that a harmonisation makes.

    Parameters
    ----------
    rows : pyarrow.Table
        Rows of ``features_harmonised`` without `run_id`; `value_harmonised` is null where the
        feature was excluded, the value is missing, or the row could not take part.
    model : HarmonisationModel
    model_row : dict
        Row of ``harmonisation_models`` without run, snapshot and input digest.
    findings : tuple of Finding
        ``(rule_id, severity, message)``.
    """

    rows: pa.Table
    model: HarmonisationModel
    model_row: Row
    findings: tuple[Finding, ...]


def harmonise_long(
    features: pa.Table,
    *,
    batch_column: str,
    covariate_table: pa.Table | None = None,
    method: str = "combat_parametric",
    reference_batch: str | None = None,
    engine: str = "own",
    log_features: LogFeatures = "auto",
) -> HarmonisationResult:
    """Fit a model on feature rows and apply it to them.

    Parameters
    ----------
    features : pyarrow.Table
        Rows of ``features``: `roi_id`, `feature`, `value`; one feature profile.
    batch_column : str
        Column of `features` (such as `centre`) or, if it is not there, of `covariate_table`.
    covariate_table : pyarrow.Table or None
        `roi_id` and columns, each a covariate whose effect is kept: numbers are continuous, text
        is categorical. Never the outcome that is to be predicted.
    method, reference_batch, engine
        See `tasks.harmonise.engines.harmoniser`.
    log_features : "auto", bool or sequence of str
        See `tasks.harmonise.log_scale.choose_log_features`; recorded in the model.

    Returns
    -------
    HarmonisationResult

    Raises
    ------
    InvalidInputError
        The rows do not form a matrix, or cannot be harmonised; the sentence says why.
    """
    profile = _profile(features)
    matrix = to_matrix(features, batch_column, covariate_table)
    part = matrix.usable()
    chosen = harmoniser(
        method, engine=engine, reference_batch=reference_batch, log_features=log_features
    )
    model = chosen.fit(part.values, part.batch_labels(), part.covariates, names=part.feature_names)
    rows = _apply(model, matrix, features)
    model_row: Row = {
        "model_id": model.digest(),
        "harmonisation_method": method,
        "batch_column": batch_column,
        "covariates": list(model.covariate_names),
        "reference_batch": reference_batch,
        "feature_profile": profile,
        "n_rows": len(part.roi_ids),
        "n_features": len(model.feature_names) - len(model.excluded),
        "n_batches": len(model.batches),
        "estimates_json": model.to_json(),
    }
    return HarmonisationResult(rows, model, model_row, _findings(matrix, part, model, features))


def transform_long(
    features: pa.Table,
    model: HarmonisationModel,
    *,
    batch_column: str,
    covariate_table: pa.Table | None = None,
) -> pa.Table:
    """Apply a fitted model to feature rows, such as those of new patients.

    Parameters
    ----------
    features, batch_column, covariate_table
        As in `harmonise_long`; features that the model does not know are not accepted, those that
        are absent count as missing.
    model : HarmonisationModel

    Returns
    -------
    pyarrow.Table
        Rows of ``features_harmonised`` without `run_id`.

    Raises
    ------
    InvalidInputError
        Unknown features or batches, or covariates that are not there.
    """
    matrix = to_matrix(features, batch_column, covariate_table)
    if unknown := sorted(set(matrix.feature_names) - set(model.feature_names)):
        raise InvalidInputError(f"features that the model was not fitted on: {unknown}")
    return _apply(model, matrix.with_features(model.feature_names), features)


def _apply(model: HarmonisationModel, matrix: FeatureMatrix, features: pa.Table) -> pa.Table:
    part = matrix.usable()
    harmonised = np.full(matrix.values.shape, np.nan)
    changed = model.transform(part.values, part.batch_labels(), part.covariates)
    left_out = [matrix.feature_names.index(name) for name, _ in model.excluded]
    changed[:, left_out] = np.nan
    harmonised[matrix.is_usable] = changed
    n = features.num_rows
    columns: dict[str, object] = {
        "model_id": pa.array([model.digest()] * n, pa.string()),
        "roi_id": features.column("roi_id"),
        "feature": features.column("feature"),
        "batch": pa.array([matrix.batch[i] for i in matrix.row_of], pa.string()),
        "value": features.column("value"),
        "value_harmonised": long_values(matrix, harmonised),
    }
    schema = TABLES["features_harmonised"].arrow_schema
    fields = [field for field in schema if field.name != "run_id"]
    for field in fields:
        if field.name not in columns:
            present = field.name in features.column_names
            columns[field.name] = features.column(field.name) if present else pa.nulls(n)
    return pa.table({f.name: columns[f.name] for f in fields}).cast(pa.schema(fields))


def _profile(features: pa.Table) -> str | None:
    if "feature_profile" not in features.column_names:
        return None
    profiles = [p for p in pc.unique(features.column("feature_profile")).to_pylist() if p]
    if len(profiles) > 1:
        raise InvalidInputError(
            f"features of different profiles cannot be harmonised together: {sorted(profiles)}"
        )
    return str(profiles[0]) if profiles else None


def _findings(
    matrix: FeatureMatrix, part: FeatureMatrix, model: HarmonisationModel, features: pa.Table
) -> tuple[Finding, ...]:
    given = prepare(part.values, part.batch_labels(), part.feature_names)
    reviewed = review(given, part.covariates, GuardLimits())
    found = list(reviewed.findings)
    for name, rule in model.excluded:
        if name not in reviewed.left_out:
            detail = "is explained without residual, or not determined, by batch and covariates"
            found.append(excluded(name, rule.removeprefix("harmonise."), detail))
    if n_left_out := int((~matrix.is_usable).sum()):
        message = (
            f"{n_left_out} of {len(matrix.roi_ids)} ROIs lack the batch or a covariate; they are "
            "left unharmonised."
        )
        found.append(Finding("harmonise.rows_left_out", "warn", message))
    found += _repeated_patients(features, part.roi_ids)
    if model.log_features:
        message = f"Harmonised as logarithms: {', '.join(model.log_features)}."
        found.append(Finding("harmonise.log_features", "info", message))
    return tuple(found)


def _repeated_patients(features: pa.Table, roi_ids: Sequence[str]) -> list[Finding]:
    """Warn that several ROIs of a patient are treated as independent."""
    if "patient_key" not in features.column_names:
        return []
    used = features.filter(pc.is_in(features.column("roi_id"), pa.array(roi_ids, pa.string())))
    pairs = used.select(["patient_key", "roi_id"]).group_by(["patient_key", "roi_id"]).aggregate([])
    counts = pairs.filter(pc.is_valid(pairs["patient_key"])).column("patient_key").value_counts()
    n_rois = [entry["counts"] for entry in counts.to_pylist()]
    if not (several := sum(n > 1 for n in n_rois)):
        return []
    message = (
        f"{several} of {len(n_rois)} patients contribute several ROIs (at most {max(n_rois)}): "
        "they are treated as independent, which makes batch estimates look too certain."
    )
    return [Finding("harmonise.repeated_patient", "warn", message)]
