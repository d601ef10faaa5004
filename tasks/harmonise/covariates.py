"""Covariates whose effect harmonisation keeps, and how they become columns of a design matrix."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from schemas.errors import InvalidInputError
from schemas.geometry import FloatArray


@dataclass(frozen=True, eq=False)
class CovariateTable:
    """One value per row and covariate.

    Parameters
    ----------
    continuous : mapping of name to ndarray, (n_rows,), float64
        NaN where missing.
    categorical : mapping of name to sequence of str or None
        None where missing.

    Raises
    ------
    InvalidInputError
        Columns of different length, no column, or one name in both mappings.
    """

    continuous: Mapping[str, FloatArray] = field(default_factory=dict)
    categorical: Mapping[str, Sequence[str | None]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        lengths = {len(c) for c in (*self.continuous.values(), *self.categorical.values())}
        if len(lengths) != 1:
            raise InvalidInputError(
                f"covariates need one or more columns of one length, got lengths {sorted(lengths)}"
            )
        if both := set(self.continuous) & set(self.categorical):
            raise InvalidInputError(f"covariates both continuous and categorical: {sorted(both)}")

    @property
    def n_rows(self) -> int:
        """Rows."""
        return len(next(iter((*self.continuous.values(), *self.categorical.values()))))

    @property
    def names(self) -> tuple[str, ...]:
        """Names, continuous ones first."""
        return (*self.continuous, *self.categorical)

    def missing(self) -> NDArray[np.bool_]:
        """Rows, ``(n_rows,)``, where a covariate is missing or not finite."""
        out = np.zeros(self.n_rows, dtype=np.bool_)
        for numbers in self.continuous.values():
            out |= ~np.isfinite(numbers)
        for levels in self.categorical.values():
            out |= np.array([level is None for level in levels], dtype=np.bool_)
        return out

    def take(self, rows: NDArray[np.intp]) -> CovariateTable:
        """Return these rows, in this order."""
        return CovariateTable(
            {name: np.asarray(v)[rows] for name, v in self.continuous.items()},
            {name: [v[i] for i in rows.tolist()] for name, v in self.categorical.items()},
        )

    @classmethod
    def from_arrow(cls, table: pa.Table, columns: Sequence[str]) -> CovariateTable:
        """Read columns of a table: numbers are continuous, everything else is categorical."""
        continuous: dict[str, FloatArray] = {}
        categorical: dict[str, Sequence[str | None]] = {}
        for name in columns:
            column = table.column(name)
            if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
                filled = pc.fill_null(column.cast(pa.float64()), float("nan"))
                continuous[name] = np.asarray(filled.to_numpy(), dtype=np.float64)
            else:
                categorical[name] = column.cast(pa.string()).to_pylist()
        return cls(continuous, categorical)


@dataclass(frozen=True)
class CovariateEncoding:
    """Design columns of covariates, the same for training rows and new rows.

    Continuous covariates are centred and scaled by the training rows (which changes no result and
    keeps the regression well conditioned); of the categories the first in sorted order is the base.

    Parameters
    ----------
    continuous : tuple of (name, centre, scale)
    categorical : tuple of (name, levels)
        Levels sorted, two or more.
    """

    continuous: tuple[tuple[str, float, float], ...] = ()
    categorical: tuple[tuple[str, tuple[str, ...]], ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Covariates that are used."""
        return (*(c[0] for c in self.continuous), *(c[0] for c in self.categorical))

    @property
    def width(self) -> int:
        """Columns of the design."""
        return len(self.continuous) + sum(len(levels) - 1 for _, levels in self.categorical)

    @classmethod
    def fit(cls, table: CovariateTable | None) -> CovariateEncoding:
        """Choose centres, scales and levels; constant covariates are left out."""
        if table is None:
            return cls()
        continuous = tuple(
            (name, float(np.mean(v)), float(np.std(v)))
            for name, v in table.continuous.items()
            if np.ptp(v) > 0
        )
        categorical = tuple(
            (name, tuple(sorted({str(level) for level in v})))
            for name, v in table.categorical.items()
            if len(set(v)) > 1
        )
        return cls(continuous, categorical)

    def encode(self, table: CovariateTable | None, n_rows: int) -> FloatArray:
        """Return the design columns, ``(n_rows, width)`` float64.

        Raises
        ------
        InvalidInputError
            A covariate is absent or missing in a row, or has a category the model never saw.
        """
        out = np.empty((n_rows, self.width), dtype=np.float64)
        if not self.names:
            return out
        if table is None or not set(self.names) <= set(table.names):
            raise InvalidInputError(
                f"the model keeps the effect of the covariates {list(self.names)}; "
                f"got {[] if table is None else list(table.names)}"
            )
        if table.n_rows != n_rows:
            raise InvalidInputError(f"expected covariates of {n_rows} rows, got {table.n_rows}")
        used = CovariateTable(
            {name: table.continuous[name] for name, _, _ in self.continuous},
            {name: table.categorical[name] for name, _ in self.categorical},
        )
        if n_missing := int(used.missing().sum()):
            raise InvalidInputError(f"covariates are missing in {n_missing} of {n_rows} rows")
        for j, (name, centre, scale) in enumerate(self.continuous):
            out[:, j] = (np.asarray(used.continuous[name]) - centre) / scale
        self._encode_levels(used, out)
        return out

    def _encode_levels(self, table: CovariateTable, out: FloatArray) -> None:
        j = len(self.continuous)
        for name, levels in self.categorical:
            values = np.array([str(v) for v in table.categorical[name]], dtype=np.str_)
            if unseen := sorted(set(values.tolist()) - set(levels)):
                raise InvalidInputError(
                    f"covariate {name!r}: categories {unseen} are not among those the model "
                    f"was fitted on, {list(levels)}"
                )
            for level in levels[1:]:
                out[:, j] = values == level
                j += 1
