"""White stripe: a scale of intensity for MR of the brain, from its normal-appearing white matter.

References
----------
Shinohara et al., NeuroImage: Clinical 2014;6:9-19, doi:10.1016/j.nicl.2014.08.008.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d
from scipy.signal import find_peaks

from tasks.standardise.normalise import NoReferenceError, Reference

#: Half width of the stripe in shares of the foreground (tau of the paper).
STRIPE_HALF_WIDTH: Final = 0.05
#: Fewest foreground voxels whose histogram has a shape.
_LEAST_FOREGROUND: Final = 1000
#: Brighter than this share of the foreground is a tail (vessels, fat) and has no tissue's peak.
_TAIL: Final = 0.96
#: Bins of the histogram before it is smoothed.
_BINS: Final = 2048
#: A peak stands out of its surroundings by this share of the highest; less is noise.
_LEAST_PROMINENCE: Final = 0.05


class NoWhiteStripeError(NoReferenceError):
    """The histogram of the image shows no white matter."""

    kind = "no_white_stripe"


def foreground(values: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Voxels above the mean of all finite ones: the head without the air.

    Parameters
    ----------
    values : ndarray
        Image of any shape.

    Returns
    -------
    ndarray, (n,)

    Examples
    --------
    >>> foreground(np.array([0.0, 0.0, 1.0, 5.0, np.nan]))
    array([5.])
    """
    finite: NDArray[np.float64] = np.asarray(values, dtype=np.float64)[np.isfinite(values)]
    if finite.size == 0:
        return finite
    above: NDArray[np.float64] = finite[finite > finite.mean()]
    return above


def white_stripe(tissue: NDArray[np.floating[Any]], contrast: str) -> Reference:
    """Describe the stripe of intensities around the mode of normal-appearing white matter.

    The mode is a peak of the smoothed histogram, which is a Gaussian kernel density with the
    bandwidth of Scott: the last (brightest) peak of T1, the largest of T2 and FLAIR. The stripe
    holds the voxels from 0.05 below to 0.05 above the quantile of the mode.

    Parameters
    ----------
    tissue : ndarray
        Intensities of the brain, or of the `foreground` of the image. Any shape.
    contrast : {"T1", "T2", "FLAIR"}
        Weighting of the image.

    Returns
    -------
    Reference
        Mean, standard deviation (n - 1) and number of voxels of the stripe.

    Raises
    ------
    NoWhiteStripeError
        There are fewer than 1000 finite voxels, they are all alike, there is no peak, or the
        stripe has no spread.

    Notes
    -----
    The stripe is narrower than white matter: of tissues that do not overlap and with a share `w`
    of white matter, its standard deviation is that of a normal distribution cut at quantiles
    ``0.5 - 0.05 / w`` and ``0.5 + 0.05 / w``.

    References
    ----------
    Shinohara et al. 2014 (see the module). The paper smooths the histogram by splines; the
    prominence that a peak needs and the tail that is left out are choices made here.

    Examples
    --------
    >>> random = np.random.default_rng(1)
    >>> grey, white = random.normal(60, 5, 40_000), random.normal(100, 5, 40_000)
    >>> found = white_stripe(np.concatenate([grey, white]), "T1")
    >>> round(found.mean), found.n_voxels
    (100, 8000)
    """
    inside = np.asarray(tissue, dtype=np.float64)[np.isfinite(tissue)]
    if inside.size < _LEAST_FOREGROUND:
        raise NoWhiteStripeError(
            f"the image has {inside.size} foreground voxels; a white stripe needs at least "
            f"{_LEAST_FOREGROUND}"
        )
    quantile = float(np.mean([np.mean(inside < edge) for edge in _mode(inside, contrast)]))
    low, high = np.quantile(
        inside, (max(quantile - STRIPE_HALF_WIDTH, 0.0), min(quantile + STRIPE_HALF_WIDTH, 1.0))
    )
    stripe = inside[(inside >= low) & (inside <= high)]
    spread = float(stripe.std(ddof=1)) if stripe.size > 1 else 0.0
    if not spread > 0:
        raise NoWhiteStripeError("the intensities of the white stripe have no spread")
    return Reference(float(stripe.mean()), spread, stripe.size)


def _mode(inside: NDArray[np.float64], contrast: str) -> tuple[float, float]:
    """Edges of the bin in which white matter has its peak."""
    tail = float(np.quantile(inside, _TAIL))
    body = inside[inside <= tail]  # a few bright voxels would widen bins and bandwidth
    low, spread = float(body.min()), float(body.std(ddof=1))
    if not spread > 0:
        raise NoWhiteStripeError("the foreground of the image is constant")
    bandwidth = spread * body.size**-0.2  # Scott's rule in one dimension
    # What lies further above adds nothing to the density below the tail.
    counts, edges = np.histogram(inside, _BINS, (low, tail + 4 * bandwidth))
    # Reflected at the lower end, where a foreground may be cut off: a slope there is no peak.
    density = gaussian_filter1d(counts.astype(np.float64), bandwidth / (edges[1] - edges[0]))
    peaks, _ = find_peaks(density, prominence=_LEAST_PROMINENCE * density.max())
    peaks = peaks[edges[peaks] <= tail]
    if peaks.size == 0:
        raise NoWhiteStripeError("the histogram of the image has no peak of white matter")
    peak = peaks[-1] if contrast == "T1" else peaks[np.argmax(density[peaks])]
    return float(edges[peak]), float(edges[peak + 1])
