"""Resolution of an image from the spheres of a phantom."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from schemas.errors import InvalidInputError
from schemas.geometry import FloatArray
from schemas.phantoms import LUNG_INSERT_DIAMETER_MM
from schemas.volume import ImageVolume
from tasks.phantom.model import IqPhantom, Mask
from tasks.phantom.sphere_model import SphereImage, blurred_sphere

#: How far around a sphere its image is fitted, mm; at most so far from its centre.
_MARGIN_MM: Final = 13.0
_REACH_MM: Final = 28.0
_START_FWHM_MM: Final = 6.0
_LEAST_FWHM_MM, _MOST_FWHM_MM = 1.0, 25.0
#: Steps of the fit; it ends when no width changes by more than this, mm.
_MOST_STEPS: Final = 40
_CONVERGED_MM: Final = 1e-3


@dataclass(frozen=True)
class PsfFit:
    """Width of the point spread function, with what was fitted beside it.

    Parameters
    ----------
    fwhm_mm, error_mm : tuple of float
        Along z, y, x: width, and its standard error (noise is taken as correlated between voxels).
    contrast : float
        Concentration in the spheres over that of the background, as the image shows it.
    background : float
        Mean of the background around the spheres, in the unit of the image.
    residual : float
        Root mean square of the residuals over background.
    n_spheres : int
        Spheres fitted.
    """

    fwhm_mm: tuple[float, float, float]
    error_mm: tuple[float, float, float]
    contrast: float
    background: float
    residual: float
    n_spheres: int


@dataclass(frozen=True, eq=False)
class _Region:
    """Voxels around one sphere."""

    radius_mm: float
    window: tuple[slice, ...]
    axes_mm: tuple[FloatArray, FloatArray, FloatArray]
    inside: Mask
    values: FloatArray


def fit_psf(image: ImageVolume, phantom: IqPhantom) -> PsfFit:
    """Fit spheres convolved with one anisotropic Gaussian to all hot spheres at once.

    Fitted together: three widths, the concentration in the spheres (common to all), the centre of
    each and the background around each. The model is integrated over each voxel exactly; the
    plastic wall of the spheres is left out.

    Parameters
    ----------
    image : ImageVolume
        In any unit that is proportional to the concentration.
    phantom : IqPhantom
        Where the spheres are in it; see `find_spheres`.

    Returns
    -------
    PsfFit

    Raises
    ------
    InvalidInputError
        The fit does not converge to a width between 1 and 25 mm.

    References
    ----------
    Hofheinz F et al. Z Med Phys 2010;20:207 (spheres convolved with a Gaussian).
    """
    spacing = image.geometry.spacing
    values = np.asarray(np.nan_to_num(image.values), dtype=np.float64) / phantom.background
    regions = [_region(values, phantom, i, spacing) for i in phantom.hot]
    if not regions:
        raise InvalidInputError("there is no hot sphere to measure the resolution on")
    fit = _Fit(regions, spacing)
    centres = [phantom.centres_mm[i] for i in phantom.hot]
    start = np.concatenate(
        [np.full(3, _START_FWHM_MM), [fit.first_contrast()], np.ones(len(regions)), *centres]
    )
    found = fit.solve(start)
    fit.weigh(found)
    found = fit.solve(found)
    widths = found[:3]
    errors = fit.standard_errors(found)[:3]
    backgrounds = found[4 : 4 + len(regions)]
    return PsfFit(
        (float(widths[0]), float(widths[1]), float(widths[2])),
        (float(errors[0]), float(errors[1]), float(errors[2])),
        contrast=float(1.0 + found[3] / backgrounds.mean()),
        background=float(backgrounds.mean() * phantom.background),
        residual=fit.spread(found),
        n_spheres=len(regions),
    )


def _region(
    values: FloatArray, phantom: IqPhantom, number: int, spacing: tuple[float, float, float]
) -> _Region:
    centre, radius = phantom.centres_mm[number], phantom.diameters_mm[number] / 2.0
    reach = min(radius + _MARGIN_MM, _REACH_MM)
    window, axes = [], []
    for c, s, n in zip(centre, spacing, values.shape, strict=True):
        part = slice(max(math.ceil((c - reach) / s), 0), min(math.floor((c + reach) / s) + 1, n))
        window.append(part)
        axes.append(np.arange(part.start, part.stop) * s)
    z, y, x = np.meshgrid(*axes, indexing="ij", sparse=True)
    near = (z - centre[0]) ** 2 + (y - centre[1]) ** 2 + (x - centre[2]) ** 2 <= reach**2
    dz, dy, dx = (a - c for a, c in zip((z, y, x), phantom.circle_centre_mm, strict=True))
    along = dz * phantom.normal[0] + dy * phantom.normal[1] + dx * phantom.normal[2]
    from_insert = np.sqrt(np.maximum(dz**2 + dy**2 + dx**2 - along**2, 0.0))
    inside = near & (from_insert > LUNG_INSERT_DIAMETER_MM / 2.0 + 8.0)
    whole = (axes[0], axes[1], axes[2])
    return _Region(radius, tuple(window), whole, inside, values[tuple(window)][inside])


class _Fit:
    """Residuals and their derivatives; parameters: widths, contrast, backgrounds, centres."""

    def __init__(self, regions: list[_Region], spacing: tuple[float, float, float]) -> None:
        self._regions = regions
        self._spacing = spacing
        self._weights = [np.ones(r.values.size) for r in regions]
        self._known: tuple[bytes, list[SphereImage]] = (b"", [])

    def first_contrast(self) -> float:
        """Excess of the brightest tenth of the largest sphere's surroundings."""
        largest = max(self._regions, key=lambda r: r.radius_mm)
        return max(float(np.percentile(largest.values, 95)) - 1.0, 0.5)

    def weigh(self, parameters: FloatArray) -> None:
        """Weigh each voxel by its expected noise: the variance goes with the activity."""
        self._weights = [1.0 / np.sqrt(np.maximum(m, 0.2)) for m in self._models(parameters)]

    def solve(self, start: FloatArray) -> FloatArray:
        """Minimise the squares of the residuals (Levenberg and Marquardt).

        Raises
        ------
        InvalidInputError
            No convergence, or a width at the limit of what is allowed.
        """
        now, damping = start, 1e-3
        residuals = self.residuals(now)
        for _ in range(_MOST_STEPS):
            jacobian = self.jacobian(now)
            normal, slope = jacobian.T @ jacobian, jacobian.T @ residuals
            damped = normal + damping * np.diag(np.diag(normal) + 1e-12)
            step = -np.linalg.solve(damped, slope)
            tried = now + step
            tried[:3] = np.clip(tried[:3], _LEAST_FWHM_MM, _MOST_FWHM_MM)
            new = self.residuals(tried)
            if float(new @ new) > float(residuals @ residuals) * (1.0 + 1e-12):
                damping *= 8.0
                if damping > 1e8:
                    break
                continue
            moved = float(np.abs(tried[:3] - now[:3]).max())
            now, residuals, damping = tried, new, damping / 8.0
            if moved < _CONVERGED_MM:
                return self._believed(now)
        raise InvalidInputError("the fit of blurred spheres does not converge")

    @staticmethod
    def _believed(parameters: FloatArray) -> FloatArray:
        widths = parameters[:3]
        if (widths < 1.02 * _LEAST_FWHM_MM).any() or (widths > 0.98 * _MOST_FWHM_MM).any():
            raise InvalidInputError("the spheres are like no sphere blurred by a Gaussian")
        return parameters

    def residuals(self, parameters: FloatArray) -> FloatArray:
        parts = [
            (model - region.values) * weight
            for model, region, weight in zip(
                self._models(parameters), self._regions, self._weights, strict=True
            )
        ]
        return np.concatenate(parts)

    def jacobian(self, parameters: FloatArray) -> FloatArray:
        n = len(self._regions)
        rows = []
        for i, (region, sphere) in enumerate(
            zip(self._regions, self._spheres(parameters), strict=True)
        ):
            block = np.zeros((region.values.size, parameters.size))
            block[:, 3] = sphere.values[region.inside]
            block[:, 4 + i] = 1.0
            for axis in range(3):
                block[:, axis] = parameters[3] * sphere.by_fwhm[axis][region.inside]
                column = 4 + n + 3 * i + axis
                block[:, column] = parameters[3] * sphere.by_centre[axis][region.inside]
            rows.append(block * self._weights[i][:, None])
        return np.concatenate(rows)

    def spread(self, parameters: FloatArray) -> float:
        """Root mean square of the weighted residuals."""
        return float(np.sqrt(np.mean(self.residuals(parameters) ** 2)))

    def standard_errors(self, parameters: FloatArray) -> FloatArray:
        """Errors of the parameters; residuals of neighbouring voxels are not independent."""
        jacobian = self.jacobian(parameters)
        freedom = max(jacobian.shape[0] - jacobian.shape[1], 1)
        variance = float((self.residuals(parameters) ** 2).sum()) / freedom
        covariance = np.linalg.pinv(jacobian.T @ jacobian) * variance
        errors: FloatArray = np.sqrt(np.diag(covariance) * self._voxels_per_sample(parameters))
        return errors

    def _voxels_per_sample(self, parameters: FloatArray) -> float:
        """How many voxels one independent sample takes, by the autocorrelation of the residuals."""
        factor = 1.0
        fields = []
        for region, model, weight in zip(
            self._regions, self._models(parameters), self._weights, strict=True
        ):
            field = np.zeros(region.inside.shape)
            field[region.inside] = (model - region.values) * weight
            fields.append((field, region.inside))
        for axis in range(3):
            factor *= 1.0 + 2.0 * sum(_correlation(fields, axis, lag) for lag in (1, 2, 3, 4))
        return factor

    def _models(self, parameters: FloatArray) -> list[FloatArray]:
        return [
            parameters[4 + i] + parameters[3] * sphere.values[region.inside]
            for i, (region, sphere) in enumerate(
                zip(self._regions, self._spheres(parameters), strict=True)
            )
        ]

    def _spheres(self, parameters: FloatArray) -> list[SphereImage]:
        key = parameters.tobytes()
        if self._known[0] != key:
            first = 4 + len(self._regions)
            spheres = [
                blurred_sphere(
                    region.radius_mm,
                    parameters[first + 3 * i : first + 3 * i + 3],
                    parameters[:3],
                    region.axes_mm,
                    self._spacing,
                )
                for i, region in enumerate(self._regions)
            ]
            self._known = (key, spheres)
        return self._known[1]


def _correlation(fields: list[tuple[FloatArray, Mask]], axis: int, lag: int) -> float:
    """Correlation of values `lag` voxels apart, not below 0."""
    product = power = 0.0
    pairs = voxels = 0
    for values, inside in fields:
        n = values.shape[axis]
        if n <= lag:
            continue
        ahead = np.take(values, range(lag, n), axis=axis)
        behind = np.take(values, range(n - lag), axis=axis)
        both = np.take(inside, range(lag, n), axis=axis) & np.take(
            inside, range(n - lag), axis=axis
        )
        product += float((ahead * behind)[both].sum())
        pairs += int(both.sum())
        power += float((values**2).sum())
        voxels += int(inside.sum())
    if not pairs or power <= 0.0:
        return 0.0
    return max((product / pairs) / (power / voxels), 0.0)
