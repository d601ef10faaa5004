"""A phantom of tissues with known rate constants: blood, liver, tumours and brain-like regions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from schemas.geometry import FloatArray
from tasks.kinetics.compartments import ExponentialSum, TwoTissue, feng_input, frames_of
from tasks.kinetics.frames import FrameTimes, decay_factors
from tasks.simulate.anatomy import Solid
from tasks.simulate.dicom_rtstruct import Region
from tasks.simulate.identifiers import stream
from tasks.simulate.imaging import axial_grid, coverage
from tasks.simulate.kinetics import LEAD_S, FramedImage

#: Frames: number and seconds of each; the first begins `LEAD_S` before the injection.
KINETIC_FRAMES: Final = ((7, 10.0), (4, 15.0), (4, 30.0), (6, 60.0), (10, 300.0))
HALF_LIFE_S: Final = 6586.2
#: Of Feng's input: a peak of about 20 SUV.
_INPUT_SCALE: Final = 0.2

_SHAPE: Final = (12, 32, 32)
_SPACING_MM: Final = (6.0, 6.0, 6.0)
_SAMPLES: Final = 4
_MIDDLE_MM: Final = 33.0


@dataclass(frozen=True)
class Tissue:
    """A part of the phantom.

    Parameters
    ----------
    name : str
        Of the ROI.
    model : TwoTissue or None
        Rate constants; None: blood.
    centre_mm, semi_axes_mm : tuple of float
        Ellipsoid (x, y, z); a half length of infinity makes a cylinder through all slices.
    roi_radius_mm : float
        Of the sphere or cylinder that is drawn: inside, away from partial volume.
    """

    name: str
    model: TwoTissue | None
    centre_mm: tuple[float, float, float]
    semi_axes_mm: tuple[float, float, float]
    roi_radius_mm: float

    def curve(self, blood: ExponentialSum) -> ExponentialSum:
        """Exact uptake over time."""
        return blood if self.model is None else self.model.curve(blood)


_BODY: Final = Tissue(
    "body", TwoTissue(0.03, 0.1), (0.0, 0.0, _MIDDLE_MM), (92.0, 88.0, np.inf), 0.0
)
#: What is drawn as ROIs. The tumours keep the tracer, the striatum binds it reversibly, the
#: cerebellum has no binding: it is the reference of the striatum.
TISSUES: Final = (
    Tissue("Aorta", None, (0.0, 25.0, _MIDDLE_MM), (17.0, 17.0, np.inf), 9.0),
    Tissue("Liver", TwoTissue(0.5, 0.6), (-50.0, -8.0, _MIDDLE_MM), (30.0, 38.0, 30.0), 20.0),
    Tissue(
        "Tumour 1", TwoTissue(0.1, 0.15, 0.05, 0.0, 0.05), (50.0, -42.0, _MIDDLE_MM),
        (20.0, 20.0, 20.0), 10.0,
    ),
    Tissue(
        "Tumour 2", TwoTissue(0.25, 0.4, 0.12, 0.0, 0.05), (6.0, -52.0, 30.0),
        (19.0, 19.0, 19.0), 9.0,
    ),
    Tissue("Cerebellum", TwoTissue(0.1, 0.1), (54.0, 40.0, _MIDDLE_MM), (22.0, 22.0, 22.0), 12.0),
    Tissue(
        "Striatum", TwoTissue(0.12, 0.12, 0.4, 0.2), (-45.0, 56.0, 36.0), (19.0, 19.0, 19.0), 9.0
    ),
)  # fmt: skip


def kinetic_times() -> FrameTimes:
    """Frames of the study, after the injection."""
    return frames_of(KINETIC_FRAMES, -LEAD_S)


def blood_input() -> ExponentialSum:
    """Blood and plasma, SUV."""
    return feng_input(_INPUT_SCALE)


def kinetic_image(seed: int = 0, noise: float = 0.0) -> FramedImage:
    """Paint the phantom, decay corrected.

    Parameters
    ----------
    seed : int
        Of the noise.
    noise : float
        Coefficient of variation of a voxel of SUV 1 in one minute at the injection. The variance
        goes with activity and decay factor, and against the duration; without correlation between
        voxels. Images with noise have negative values cut to 0, as scanners store them.
    """
    times, blood = kinetic_times(), blood_input()
    grid = axial_grid(_SHAPE, _SPACING_MM, 0.0)
    parts = np.stack([_fraction(tissue) for tissue in (_BODY, *TISSUES)])
    parts[0] -= parts[1:].sum(axis=0)
    curves = np.stack([t.curve(blood).frame_means(times) for t in (_BODY, *TISSUES)])
    suv = np.tensordot(curves.T, parts, axes=1)
    if noise:
        counted = decay_factors(times, HALF_LIFE_S) / (times.duration_s / 60.0)
        rng = stream(seed, "kinetic-noise")
        spread = noise * np.sqrt(suv * counted[:, None, None, None])
        suv = np.maximum(suv + spread * rng.normal(size=suv.shape), 0.0)
    named = {t.name: curve for t, curve in zip(TISSUES, curves[1:], strict=True)}
    return FramedImage(
        grid, suv.astype(np.float32), times.start_s + LEAD_S, times.duration_s,
        named["Aorta"], named["Tumour 1"],
    )  # fmt: skip


def regions() -> tuple[Region, ...]:
    """ROIs to draw."""
    return tuple(
        Region(
            number, tissue.name, tissue.centre_mm, tissue.roi_radius_mm,
            # the ends of a cylinder are left out, as a reader would
            22.0 if np.isinf(tissue.semi_axes_mm[2]) else None,
        )
        for number, tissue in enumerate(TISSUES, start=1)
    )  # fmt: skip


def truth_rows() -> list[dict[str, object]]:
    """One row per tissue: its rate constants and what models should find."""
    rows: list[dict[str, object]] = []
    reference = next(t.model for t in TISSUES if t.name == "Cerebellum")
    for tissue in TISSUES:
        row: dict[str, object] = {"roi": tissue.name}
        if (m := tissue.model) is not None:
            row |= {
                "k1_ml_per_cm3_per_min": m.k1, "k2_per_min": m.k2, "k3_per_min": m.k3,
                "k4_per_min": m.k4, "blood_fraction": m.blood_fraction,
            }  # fmt: skip
            if m.k3 and not m.k4:
                row["ki_ml_per_cm3_per_min"] = (1 - m.blood_fraction) * m.ki
            else:
                row["vt_ml_per_cm3"] = m.vt
                row["dvr"] = m.vt / reference.vt if reference else None
        rows.append(row)
    return rows


TRUTH_COLUMNS: Final = (
    "roi", "k1_ml_per_cm3_per_min", "k2_per_min", "k3_per_min", "k4_per_min", "blood_fraction",
    "ki_ml_per_cm3_per_min", "vt_ml_per_cm3", "dvr",
)  # fmt: skip


def _fraction(tissue: Tissue) -> FloatArray:
    grid = axial_grid(_SHAPE, _SPACING_MM, 0.0)
    a, b, c = tissue.semi_axes_mm
    solid = Solid("", tissue.centre_mm, (a, b, c if np.isfinite(c) else 1e6), 0.0, 0.0, 0.0)
    fraction = np.zeros(grid.shape)
    window, inside = coverage(solid, grid, _SAMPLES)
    fraction[window] = inside
    return fraction
