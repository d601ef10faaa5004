"""Long feature rows as a matrix of ROIs by features, with the batch and covariates of each ROI."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from schemas.errors import InvalidInputError
from schemas.geometry import FloatArray
from tasks.harmonise.covariates import CovariateTable


@dataclass(frozen=True, eq=False)
class FeatureMatrix:
    """ROIs by features.

    Parameters
    ----------
    values : ndarray, (n_rois, n_features), float64
        NaN where there is no value.
    roi_ids, feature_names : tuple of str
        Sorted.
    batch : tuple of str or None, (n_rois,)
    covariates : CovariateTable or None
    is_usable : ndarray, (n_rois,), bool
        Batch and all covariates are known.
    row_of, column_of : ndarray, (n_long_rows,)
        Where each long row lies in the matrix.
    """

    values: FloatArray
    roi_ids: tuple[str, ...]
    feature_names: tuple[str, ...]
    batch: tuple[str | None, ...]
    covariates: CovariateTable | None
    is_usable: NDArray[np.bool_]
    row_of: NDArray[np.intp]
    column_of: NDArray[np.intp]

    def usable(self) -> FeatureMatrix:
        """Return the rows that can take part; `row_of` and `column_of` still speak of all."""
        if self.is_usable.all():
            return self
        rows = np.flatnonzero(self.is_usable)
        return replace(
            self,
            values=self.values[rows],
            roi_ids=tuple(self.roi_ids[i] for i in rows),
            batch=tuple(self.batch[i] for i in rows),
            covariates=self.covariates.take(rows) if self.covariates is not None else None,
            is_usable=np.ones(len(rows), dtype=np.bool_),
        )

    def batch_labels(self) -> list[str]:
        """Return the batch of every row of `usable`."""
        return [str(b) for b in self.batch]

    def with_features(self, names: Sequence[str]) -> FeatureMatrix:
        """Return these columns in this order; absent ones are missing everywhere."""
        number = {name: j for j, name in enumerate(names)}
        new_column = np.array([number[name] for name in self.feature_names], dtype=np.intp)
        values = np.full((len(self.roi_ids), len(names)), np.nan)
        values[:, new_column] = self.values
        return replace(
            self,
            values=values,
            feature_names=tuple(names),
            column_of=new_column[self.column_of],
        )


def to_matrix(
    features: pa.Table, batch_column: str, covariate_table: pa.Table | None
) -> FeatureMatrix:
    """Bring long rows into a matrix; ROIs and features sorted, so that order never matters.

    Parameters
    ----------
    features : pyarrow.Table
        `roi_id`, `feature`, `value`, and `batch_column` unless `covariate_table` has it.
    batch_column : str
    covariate_table : pyarrow.Table or None
        `roi_id` and a column per covariate.

    Raises
    ------
    InvalidInputError
        Columns or rows are absent, a feature of an ROI comes twice, or an ROI has two batches.
    """
    _require(features, ("roi_id", "feature", "value"), "features")
    if features.num_rows == 0:
        raise InvalidInputError("there are no feature rows to harmonise")
    roi_ids, row_of = _coded(features, "roi_id")
    names, column_of = _coded(features, "feature")
    if len(np.unique(row_of * len(names) + column_of)) != features.num_rows:
        raise InvalidInputError("expected one row per roi_id and feature, got some twice")
    values = np.full((len(roi_ids), len(names)), np.nan)
    long = pc.fill_null(features.column("value").cast(pa.float64()), float("nan"))
    values[row_of, column_of] = long.to_numpy()
    aligned = _align(covariate_table, roi_ids)
    batch = _batches(features, batch_column, roi_ids, row_of, aligned)
    columns = [
        name
        for name in (aligned.column_names if aligned is not None else ())
        if name not in ("roi_id", batch_column)
    ]
    covariates = CovariateTable.from_arrow(aligned, columns) if columns else None
    usable = np.array([b is not None for b in batch], dtype=np.bool_)
    if covariates is not None:
        usable &= ~covariates.missing()
    if not usable.any():
        raise InvalidInputError("no ROI has both a batch and all covariates")
    return FeatureMatrix(values, roi_ids, names, batch, covariates, usable, row_of, column_of)


def long_values(matrix: FeatureMatrix, values: FloatArray) -> pa.Array:
    """Return matrix entries in the order of the long rows; NaN becomes null."""
    return pa.array(values[matrix.row_of, matrix.column_of], pa.float64(), from_pandas=True)


def _require(table: pa.Table, columns: Sequence[str], what: str) -> None:
    if absent := [name for name in columns if name not in table.column_names]:
        raise InvalidInputError(f"{what}: columns {absent} are absent, got {table.column_names}")


def _coded(table: pa.Table, name: str) -> tuple[tuple[str, ...], NDArray[np.intp]]:
    """Sorted distinct values of a text column, and the number of each row's value."""
    column = table.column(name).cast(pa.string())
    if column.null_count:
        raise InvalidInputError(f"features: {name} is null in {column.null_count} rows")
    levels = pc.unique(column).sort()
    codes = pc.index_in(column, levels).to_numpy().astype(np.intp)
    return tuple(levels.to_pylist()), codes


def _align(table: pa.Table | None, roi_ids: tuple[str, ...]) -> pa.Table | None:
    """Rows of the covariate table in the order of `roi_ids`; nulls where an ROI is not in it."""
    if table is None:
        return None
    _require(table, ("roi_id",), "covariates")
    keys = table.column("roi_id").cast(pa.string()).combine_chunks()
    if len(pc.unique(keys)) != table.num_rows:
        raise InvalidInputError("covariates: expected one row per roi_id, got some twice")
    return table.take(pc.index_in(pa.array(roi_ids, pa.string()), keys))


def _batches(
    features: pa.Table,
    batch_column: str,
    roi_ids: tuple[str, ...],
    row_of: NDArray[np.intp],
    aligned: pa.Table | None,
) -> tuple[str | None, ...]:
    if batch_column not in features.column_names:
        if aligned is None or batch_column not in aligned.column_names:
            raise InvalidInputError(
                f"batch column {batch_column!r} is neither in the features nor in the covariates"
            )
        return tuple(aligned.column(batch_column).cast(pa.string()).to_pylist())
    labels = features.column(batch_column).cast(pa.string()).to_pylist()
    batch: list[str | None] = [None] * len(roi_ids)
    for i, label in zip(row_of.tolist(), labels, strict=True):
        if label is not None and batch[i] not in (None, label):
            raise InvalidInputError(f"ROI {roi_ids[i]!r} has several batches in {batch_column!r}")
        batch[i] = label if label is not None else batch[i]
    return tuple(batch)
