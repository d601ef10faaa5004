"""``python -m benchmarks.phantom_psf``: the resolution that simulated phantoms give back.

Every row is an image quality phantom (10:1) of a known point spread function, simulated in several
poses (shifted, turned, tilted) with noise; the largest deviation of any axis in any pose is what
counts.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import numpy as np

from schemas.volume import ImageVolume
from tasks.phantom import find_spheres, fit_psf
from tasks.simulate.imaging import axial_grid
from tasks.simulate.phantoms import Blur, Pose, iq_phantom

Triple = tuple[float, float, float]
WIDTHS_MM: Sequence[Triple] = (
    (4.0, 4.0, 4.0), (5.0, 5.0, 5.0), (6.0, 6.0, 6.0), (7.5, 7.5, 7.5), (9.0, 9.0, 9.0),
    (6.0, 4.0, 4.0), (4.0, 6.0, 9.0),
)  # fmt: skip
VOXELS_MM: Sequence[Triple] = (
    (2.0, 2.0, 2.0), (3.0, 3.0, 3.0), (4.0, 4.0, 4.0), (5.0, 5.0, 5.0), (5.0, 4.07, 4.07),
)  # fmt: skip
NOISE_COV = 0.1


def deviations_percent(
    fwhm_mm: Triple, voxel_mm: Triple, noise_cov: float, poses: int
) -> list[float]:
    """Deviation of every axis in every pose, percent."""
    found: list[float] = []
    for seed in range(poses):
        rng = np.random.default_rng(seed)
        x, y, z = rng.uniform(-6.0, 6.0, 3)
        turn = rng.uniform(-6.0, 6.0, 3)
        pose = Pose((x, y - 24.0, z), (turn[0], turn[1], 5.0 * turn[2]))
        nz, ny, nx = (round(f / v) for f, v in zip((150.0, 320.0, 340.0), voxel_mm, strict=True))
        grid = axial_grid((nz, ny, nx), voxel_mm, -78.0)
        values = iq_phantom(grid, pose, Blur(fwhm_mm, noise_cov, 5.0), rng=rng)
        image = ImageVolume(values, grid, "Bq/ml")
        fit = fit_psf(image, find_spheres(image))
        found += [100.0 * (f / t - 1.0) for f, t in zip(fit.fwhm_mm, fwhm_mm, strict=True)]
    return found


def table(poses: int = 4) -> Iterator[str]:
    """Lines of the Markdown table."""
    yield "| FWHM z, y, x (mm) | voxel z, y, x (mm) | largest deviation | of these the mean |"
    yield "|---|---|---:|---:|"
    for fwhm, voxel in itertools.product(WIDTHS_MM, VOXELS_MM):
        off = deviations_percent(fwhm, voxel, NOISE_COV, poses)
        worst = max(off, key=abs)
        yield (
            f"| {', '.join(f'{w:g}' for w in fwhm)} | {', '.join(f'{v:g}' for v in voxel)} "
            f"| {worst:+.1f} % | {np.mean(off):+.1f} % |"
        )


if __name__ == "__main__":
    for line in table():
        print(line, flush=True)
