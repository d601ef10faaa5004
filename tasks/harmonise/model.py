"""A fitted ComBat model: what it estimated, how to apply it, how to store it exactly."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from schemas.errors import InvalidInputError
from schemas.geometry import FloatArray
from tasks.harmonise.covariates import CovariateEncoding, CovariateTable
from tasks.harmonise.regression import row_blocks

_FORMAT: Final = 1


@dataclass(frozen=True, eq=False)
class CombatModel:
    """Estimates of ComBat and everything needed to apply them to rows of known batches.

    Arrays hold the harmonised features only, in the order of `harmonised_names`, on the logarithmic
    scale for `log_features`.

    Parameters
    ----------
    method : str
        Key of `tasks.harmonise.interface.METHODS`.
    feature_names : tuple of str
        All features in the order of the columns given to `transform`.
    excluded : tuple of (feature, rule_id)
        Features that are returned unchanged.
    log_features : tuple of str
    batches : tuple of str
    batch_sizes : tuple of int
        Training rows.
    reference_batch : str or None
        Batch that is returned unchanged and that the others are brought to.
    encoding : CovariateEncoding
    grand_mean, pooled_variance : ndarray, (n_harmonised,), float64
    slope : ndarray, (n_covariate_columns, n_harmonised), float64
    gamma_hat, delta_hat : ndarray, (n_batches, n_harmonised), float64
        Shift and variance of each batch in units of the pooled variance, as estimated.
    gamma_star, delta_star : ndarray, (n_batches, n_harmonised), float64
        The same after shrinkage; these are applied.
    """

    method: str
    feature_names: tuple[str, ...]
    excluded: tuple[tuple[str, str], ...]
    log_features: tuple[str, ...]
    batches: tuple[str, ...]
    batch_sizes: tuple[int, ...]
    reference_batch: str | None
    encoding: CovariateEncoding
    grand_mean: FloatArray
    pooled_variance: FloatArray
    slope: FloatArray
    gamma_hat: FloatArray
    delta_hat: FloatArray
    gamma_star: FloatArray
    delta_star: FloatArray

    def __post_init__(self) -> None:
        n, n_batches = len(self.harmonised_names), len(self.batches)
        shapes: dict[str, tuple[int, ...]] = {
            "grand_mean": (n,),
            "pooled_variance": (n,),
            "slope": (self.encoding.width, n),
            **dict.fromkeys(("gamma_hat", "delta_hat", "gamma_star", "delta_star"), (n_batches, n)),
        }
        for name, shape in shapes.items():
            array = np.array(getattr(self, name), dtype=np.float64)
            if array.shape != shape or not np.isfinite(array).all():
                raise InvalidInputError(
                    f"{name}: expected finite numbers of shape {shape}, got shape {array.shape}"
                )
            array.setflags(write=False)
            object.__setattr__(self, name, array)

    @property
    def covariate_names(self) -> tuple[str, ...]:
        """Covariates whose effect is kept."""
        return self.encoding.names

    @property
    def harmonised_names(self) -> tuple[str, ...]:
        """Features that are changed."""
        left_out = {name for name, _ in self.excluded}
        return tuple(name for name in self.feature_names if name not in left_out)

    def transform(
        self,
        features: FloatArray,
        batch: Sequence[str],
        covariates: CovariateTable | None = None,
    ) -> FloatArray:
        """Return harmonised values of training rows or new rows of known batches.

        Parameters
        ----------
        features : ndarray, (n_rows, n_features), float64
            In the order of `feature_names`; NaN stays NaN.
        batch : sequence of str, (n_rows,)
        covariates : CovariateTable or None
            Of these rows.

        Returns
        -------
        ndarray, (n_rows, n_features), float64
            A new array; excluded features and rows of the reference batch as they came.

        Raises
        ------
        InvalidInputError
            Unknown batch, missing covariates, other features, or a value without a logarithm.
        """
        out = np.array(features, dtype=np.float64)
        if out.ndim != 2 or out.shape[1] != len(self.feature_names):
            raise InvalidInputError(
                f"expected (rows, {len(self.feature_names)} features), got shape {out.shape}"
            )
        index = self._batch_index(batch, len(out))
        columns = self.encoding.encode(covariates, len(out))
        names, left_out = np.array(self.feature_names), {name for name, _ in self.excluded}
        used = np.array([name not in left_out for name in self.feature_names], dtype=np.bool_)
        logarithmic = np.isin(names[used], np.array(self.log_features))
        for rows in row_blocks(*out.shape):
            block = out[rows]
            changed = self._adjust(block[:, used], index[rows], columns[rows], logarithmic)
            if self.reference_batch is not None:
                kept = index[rows] == self.batches.index(self.reference_batch)
                changed[kept] = block[kept][:, used]
            block[:, used] = changed
        return out

    def _adjust(
        self,
        values: FloatArray,
        index: NDArray[np.intp],
        columns: FloatArray,
        logarithmic: NDArray[np.bool_],
    ) -> FloatArray:
        if np.isinf(values).any():
            raise InvalidInputError("infinite values cannot be harmonised")
        if logarithmic.any():
            if (values[:, logarithmic] <= 0).any():
                raise InvalidInputError(
                    f"values <= 0 in a feature harmonised as logarithm: {list(self.log_features)}"
                )
            values[:, logarithmic] = np.log(values[:, logarithmic])
        expected = self.grand_mean + columns @ self.slope
        shift = self.gamma_star * np.sqrt(self.pooled_variance)
        values -= expected + shift[index]
        values /= np.sqrt(self.delta_star)[index]
        values += expected
        values[:, logarithmic] = np.exp(values[:, logarithmic])
        return values

    def _batch_index(self, batch: Sequence[str], n_rows: int) -> NDArray[np.intp]:
        if len(batch) != n_rows:
            raise InvalidInputError(f"expected a batch for each of {n_rows} rows, got {len(batch)}")
        number = {name: i for i, name in enumerate(self.batches)}
        if unseen := sorted({str(b) for b in batch} - set(number)):
            raise InvalidInputError(
                f"batches {unseen} are not among those the model was fitted on, "
                f"{list(self.batches)}; fit a model that includes them"
            )
        return np.array([number[str(b)] for b in batch], dtype=np.intp)

    def to_json(self) -> str:
        """Return the model as JSON; numbers are written so that `from_json` gets the same bits."""
        document = {
            "format": _FORMAT,
            "kind": "combat",
            **{name: getattr(self, name) for name in _PLAIN},
            "covariates_continuous": self.encoding.continuous,
            "covariates_categorical": self.encoding.categorical,
            **{name: getattr(self, name).ravel().tolist() for name in _ARRAYS},
        }
        return json.dumps(document, allow_nan=False, sort_keys=True, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> CombatModel:
        """Read a model written by `to_json`.

        Raises
        ------
        InvalidInputError
            Not such a model, or one of a format this version does not know.
        """
        try:
            document = json.loads(text)
            if document["kind"] != "combat" or document["format"] != _FORMAT:
                raise InvalidInputError(
                    f"expected a combat model of format {_FORMAT}, got {document['kind']!r} of "
                    f"format {document['format']!r}"
                )
            return _from_document(document)
        except (KeyError, TypeError, ValueError) as error:
            if isinstance(error, InvalidInputError):
                raise
            raise InvalidInputError("this text is not a stored ComBat model") from error

    def digest(self) -> str:
        """Return 32 hexadecimal digits of SHA-256 over `to_json`."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()[:32]


_PLAIN: Final = (
    "method",
    "feature_names",
    "excluded",
    "log_features",
    "batches",
    "batch_sizes",
    "reference_batch",
)
_VECTORS: Final = ("grand_mean", "pooled_variance")
_PER_BATCH: Final = ("gamma_hat", "delta_hat", "gamma_star", "delta_star")
_ARRAYS: Final = (*_VECTORS, "slope", *_PER_BATCH)


def _from_document(document: Mapping[str, list[float]]) -> CombatModel:
    """Rebuild tuples and shapes that JSON does not keep."""
    plain = {name: _tuples(document[name]) for name in _PLAIN}
    encoding = CovariateEncoding(
        _tuples(document["covariates_continuous"]),  # type: ignore[arg-type]  # checked below
        _tuples(document["covariates_categorical"]),  # type: ignore[arg-type]
    )
    n = len(document["grand_mean"])
    shapes = {"slope": (encoding.width, n)} | dict.fromkeys(
        _PER_BATCH, (len(document["batches"]), n)
    )
    arrays = {
        name: np.array(document[name], dtype=np.float64).reshape(shapes.get(name, (n,)))
        for name in _ARRAYS
    }
    return CombatModel(encoding=encoding, **plain, **arrays)  # type: ignore[arg-type]


def _tuples(value: object) -> object:
    """Turn lists back into tuples, at any depth."""
    return tuple(_tuples(v) for v in value) if isinstance(value, list) else value
