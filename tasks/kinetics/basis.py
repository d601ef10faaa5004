"""The simplified reference tissue model, solved by basis functions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from schemas.errors import KineticsRefusedError
from schemas.geometry import FloatArray
from schemas.kinetics import KineticProfile
from tasks.kinetics.frames import FrameTimes
from tasks.kinetics.integrals import convolve_exponential


@dataclass(frozen=True, eq=False)
class BasisSet:
    """Everything about the basis functions that does not depend on a voxel.

    The model is ``C = R1 Cr + (k2 - R1 k2a) Cr (x) exp(-k2a t)`` with ``k2a = k2 / (1 + BP)``: for
    each of a series of k2a it is linear, and the one with the least residual is taken.

    Parameters
    ----------
    theta_per_min : ndarray, (n,), float64
        k2a of each basis function.
    orthonormal : ndarray, (n, t, 2), float64
        Orthonormal basis of the weighted plane of reference and basis function.
    solve : ndarray, (n, 2, 2), float64
        Makes R1 and the other coefficient (1/min) of the projections on that basis.
    root_weights : ndarray, (t,), float64
        Square roots of the weights; 0 for frames that are not used.
    """

    theta_per_min: FloatArray
    orthonormal: FloatArray
    solve: FloatArray
    root_weights: FloatArray

    def best(
        self, curves: NDArray[np.floating[Any]]
    ) -> tuple[NDArray[np.int64], NDArray[np.floating[Any]]]:
        """Best basis function of each curve, and what it explains of the weighted sum of squares.

        Parameters
        ----------
        curves : ndarray, (t, v), float
            Means over frames.
        """
        n, t, _ = self.orthonormal.shape
        stacked = np.moveaxis(self.orthonormal, 2, 1).reshape(2 * n, t).astype(curves.dtype)
        projected = stacked @ (curves * self.root_weights[:, None].astype(curves.dtype))
        gained = (projected.reshape(n, 2, -1) ** 2).sum(axis=1)
        chosen = np.argmax(gained, axis=0)
        return chosen, np.take_along_axis(gained, chosen[None], axis=0)[0]

    def parameters(
        self, curves: NDArray[np.floating[Any]], chosen: NDArray[np.int64]
    ) -> FloatArray:
        """R1, k2 (1/min) and BPND of each curve with its basis function; (3, v)."""
        y = curves * self.root_weights[:, None].astype(curves.dtype)
        projected = np.einsum("vti,tv->vi", self.orthonormal[chosen], y)
        r1, other = np.einsum("vij,vj->iv", self.solve[chosen], projected)
        theta = self.theta_per_min[chosen]
        k2 = other + r1 * theta
        return np.stack([r1, k2, k2 / theta - 1.0])


def basis_set(
    times: FrameTimes,
    reference: FloatArray,
    weights: FloatArray,
    used: slice,
    theta_per_min: FloatArray,
) -> BasisSet:
    """Basis functions of a reference curve.

    Parameters
    ----------
    times : FrameTimes
        Frames.
    reference : ndarray, (t,), float64
        Means over frames of the reference tissue.
    weights : ndarray, (t,), float64
        Of the frames.
    used : slice
        Frames that are fitted.
    theta_per_min : ndarray, (n,), float64
        Rate constants k2a.

    Raises
    ------
    KineticsRefusedError
        ``kinetics.no_solution`` if a basis function cannot be told from the reference.

    References
    ----------
    Gunn, Lammertsma, Hume, Cunningham, NeuroImage 6 (1997) 279. Lammertsma, Hume, NeuroImage 4
    (1996) 153.
    """
    root = np.zeros(times.n)
    root[used] = np.sqrt(weights[used])
    per_min = convolve_exponential(times, reference, theta_per_min / 60.0) / 60.0
    design = np.stack([np.broadcast_to(reference, per_min.shape), per_min], axis=2) * root[:, None]
    if not np.isfinite(design).all() or not design.any():
        raise KineticsRefusedError("kinetics.no_solution", "the reference curve is empty")
    orthonormal, upper = np.linalg.qr(design)
    diagonal = np.abs(np.diagonal(upper, axis1=1, axis2=2))
    if (diagonal[:, 1] < 1e-9 * np.abs(upper[:, 0, 0]) * per_min.max() / reference.max()).any():
        raise KineticsRefusedError(
            "kinetics.no_solution", "the basis functions cannot be told from the reference curve"
        )
    return BasisSet(theta_per_min, orthonormal, np.linalg.inv(upper), root)


def theta_grid(profile: KineticProfile) -> FloatArray:
    """Rate constants of the profile's basis functions, 1/min, in equal steps of the logarithm."""
    return np.geomspace(profile.theta_min_per_min, profile.theta_max_per_min, profile.n_basis)
