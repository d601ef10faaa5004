"""The neuroCombat package as an engine, refused wherever version 0.2.12 is known to be wrong.

It serves as a cross-check of our own engine (they agree to about 1e-7; neuroCombat keeps continuous
covariates in single precision).

References
----------
Fortin JP et al. NeuroImage 2018;167:104; https://github.com/Jfortin1/ComBatHarmonization.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from schemas.errors import InvalidInputError
from schemas.geometry import FloatArray
from tasks.harmonise.covariates import CovariateEncoding, CovariateTable
from tasks.harmonise.guards import GuardLimits, Prepared, prepare, refuse_failures, review
from tasks.harmonise.interface import method_of
from tasks.harmonise.log_scale import LogFeatures
from tasks.harmonise.selection import Selection, on_scale, select

logger = logging.getLogger(__name__)

_INSTEAD = 'use engine="own", which does this correctly'


@dataclass(frozen=True, eq=False)
class NeuroCombatModel:
    """What neuroCombat made of its training rows; it cannot be applied to others.

    Parameters
    ----------
    method, feature_names, excluded, log_features, batches, covariate_names
        As in `tasks.harmonise.model.CombatModel`.
    input_digest : str
        Of the training rows.
    harmonised : ndarray, (n_rows, n_features), float64
        Result for the training rows.
    estimates : mapping of name to nested lists
        As neuroCombat reports them.
    """

    method: str
    feature_names: tuple[str, ...]
    excluded: tuple[tuple[str, str], ...]
    log_features: tuple[str, ...]
    batches: tuple[str, ...]
    covariate_names: tuple[str, ...]
    input_digest: str
    harmonised: FloatArray
    estimates: Mapping[str, object]

    def transform(
        self,
        features: FloatArray,
        batch: Sequence[str],
        covariates: CovariateTable | None = None,
    ) -> FloatArray:
        """Return the harmonised training rows, ``(n_rows, n_features)`` float64.

        Raises
        ------
        InvalidInputError
            These are not exactly the training rows.
        """
        if _input_digest(np.asarray(features, dtype=np.float64), batch, covariates) != (
            self.input_digest
        ):
            raise InvalidInputError(
                "neuroCombat cannot be applied to rows it was not fitted on (it replaces their "
                f"covariates by the training mean); {_INSTEAD}"
            )
        return self.harmonised.copy()

    def to_json(self) -> str:
        """Return settings and estimates, for the record."""
        document = {
            "format": 1,
            "kind": "neurocombat",
            "method": self.method,
            "feature_names": self.feature_names,
            "excluded": self.excluded,
            "log_features": self.log_features,
            "batches": self.batches,
            "covariates": self.covariate_names,
            "input_digest": self.input_digest,
            "estimates": self.estimates,
        }
        return json.dumps(document, allow_nan=False, sort_keys=True, separators=(",", ":"))

    def digest(self) -> str:
        """Return 32 hexadecimal digits of SHA-256 over `to_json`."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()[:32]


@dataclass(frozen=True)
class NeuroCombatHarmoniser:
    """ComBat by the neuroCombat package.

    Parameters
    ----------
    method, reference_batch, log_features, limits
        As in `tasks.harmonise.combat.CombatHarmoniser`.
    """

    method: str = "combat_parametric"
    reference_batch: str | None = None
    log_features: LogFeatures = False
    limits: GuardLimits = field(default_factory=GuardLimits)

    def fit(
        self,
        features: FloatArray,
        batch: Sequence[str],
        covariates: CovariateTable | None = None,
        *,
        names: Sequence[str] | None = None,
    ) -> NeuroCombatModel:
        """Harmonise the training rows; parameters as in `CombatHarmoniser.fit`.

        Raises
        ------
        InvalidInputError
            The guards refuse the data, or neuroCombat is known to be wrong for them.
        """
        method_of(self.method)
        given = prepare(features, batch, names)
        reviewed = review(given, covariates, self.limits)
        refuse_failures(reviewed.findings)
        selection = select(given, self.log_features, reviewed.left_out)
        self._refuse_known_faults(given, selection)
        encoding = CovariateEncoding.fit(covariates)
        harmonised, estimates = self._run(given, selection, covariates, encoding)
        return NeuroCombatModel(
            method=self.method,
            feature_names=given.names,
            excluded=tuple(selection.left_out.items()),
            log_features=tuple(given.names[j] for j in np.flatnonzero(selection.is_log)),
            batches=given.batches,
            covariate_names=encoding.names,
            input_digest=_input_digest(given.matrix, batch, covariates),
            harmonised=harmonised,
            estimates=estimates,
        )

    def _refuse_known_faults(self, given: Prepared, selection: Selection) -> None:
        if self.reference_batch is not None:
            raise InvalidInputError(
                f"neuroCombat 0.2.12 crashes with a reference batch (np.int); {_INSTEAD}"
            )
        if np.isnan(given.matrix[:, selection.used]).any():
            raise InvalidInputError(
                f"neuroCombat 0.2.12 turns all values NaN if one is missing; {_INSTEAD}"
            )
        if min(np.bincount(given.batch_index)) < 2:
            raise InvalidInputError(
                "neuroCombat 0.2.12 turns all values NaN if a batch has one row; leave the batch "
                "out or join it with another"
            )
        if len(selection.used) < 2:
            raise InvalidInputError("neuroCombat needs two or more features that vary")

    def _run(
        self,
        given: Prepared,
        selection: Selection,
        covariates: CovariateTable | None,
        encoding: CovariateEncoding,
    ) -> tuple[FloatArray, dict[str, object]]:
        from neuroCombat import neuroCombat

        method = method_of(self.method)
        frame, categorical, continuous = _frame(given, covariates, encoding)
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            result = neuroCombat(
                on_scale(given.matrix, selection).T.copy(),
                frame,
                "batch",
                categorical_cols=categorical,
                continuous_cols=continuous,
                eb=method.prior != "none",
                parametric=method.prior == "parametric",
                mean_only=method.mean_only,
            )
        logger.debug("neuroCombat: %s", said.getvalue())
        harmonised = given.matrix.copy()
        harmonised[:, selection.used] = result["data"].T
        harmonised[:, selection.is_log] = np.exp(harmonised[:, selection.is_log])
        if not np.isfinite(harmonised[:, selection.used]).all():
            raise InvalidInputError(f"neuroCombat returned values that are not finite; {_INSTEAD}")
        kept = ("gamma.star", "delta.star", "var.pooled")
        return harmonised, {k: np.asarray(result["estimates"][k]).tolist() for k in kept}


def _frame(
    given: Prepared, covariates: CovariateTable | None, encoding: CovariateEncoding
) -> tuple[pd.DataFrame, list[str], list[str]]:
    """Batch and covariates as neuroCombat takes them, under names that cannot collide."""
    columns: dict[str, object] = {"batch": [given.batches[i] for i in given.batch_index]}
    categorical, continuous = [], []
    if covariates is not None:
        for i, (name, centre, scale) in enumerate(encoding.continuous):
            columns[f"number{i}"] = (covariates.continuous[name] - centre) / scale
            continuous.append(f"number{i}")
        for i, (name, _) in enumerate(encoding.categorical):
            columns[f"category{i}"] = list(covariates.categorical[name])
            categorical.append(f"category{i}")
    return pd.DataFrame(columns), categorical, continuous


def _input_digest(
    values: FloatArray, batch: Sequence[str], covariates: CovariateTable | None
) -> str:
    digest = hashlib.sha256(repr((values.shape, [str(b) for b in batch])).encode())
    digest.update(np.ascontiguousarray(values).tobytes())
    if covariates is not None:
        for name, numbers in covariates.continuous.items():
            digest.update(name.encode() + np.asarray(numbers, dtype=np.float64).tobytes())
        for name, levels in covariates.categorical.items():
            digest.update(repr((name, list(levels))).encode())
    return digest.hexdigest()[:32]
