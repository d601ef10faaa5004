"""Worker side of `tracerlake show` and of the report: the pictures of one stored volume."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

import numpy as np

from flows.work.regions import Region, union_values
from flows.work.scene import Look, Scene, ShowJob, open_scene
from flows.work.shown import ShownVolume
from lake.volumes import open_lazy
from schemas.errors import InvalidInputError
from schemas.geometry import FloatArray, Geometry
from tasks.pictures.histogram import Reference, histogram, histogram_edges, histogram_png
from tasks.pictures.mip import projections_png
from tasks.pictures.orientation import patient_axes
from tasks.pictures.palettes import coloured, fused
from tasks.pictures.planar import planar_png
from tasks.pictures.planes import Cut, View, cut_through, needed_box, sample, sample_mask, views_of
from tasks.pictures.projections import projected_masks
from tasks.pictures.triptych import Legend, Panel, pixel_mm_for, triptych_png
from tasks.pictures.window import CT_WINDOW, EMISSION, usual_window
from tasks.segment.references import BLOOD_POOL, LIVER, reference_tissue

VIEWS: Final = ("mip", "planes", "fused", "histogram", "planar")

#: What counts as body in a histogram of SUV; in other units a fraction of the window.
_BODY_FROM_SUV: Final = 0.1
_BODY_SHARE: Final = 0.015
#: Along an axis with fewer voxels than this there is nothing to see across.
_FEWEST_VOXELS: Final = 4
_MOST_PLANAR_FRAMES: Final = 6


@dataclass
class Drawn:
    """PNG files by view, and why the others were not drawn."""

    pictures: dict[str, bytes] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)


def draw_views(volumes_root: str, job: ShowJob, look: Look) -> Drawn:
    """Draw the pictures of one volume.

    Memory is bounded by slabs of 16 million voxels and the planes, however large the volume is;
    only a dynamic series that is pooled is held as one frame.

    Raises
    ------
    InvalidInputError
        `Look.at` names no ROI or lies outside; there is no such frame.
    NotFoundInLakeError, StorageError
        The volume is not there, or damaged.
    """
    is_planar = bool(open_lazy(volumes_root, job.volume_path).attrs.get("is_planar"))
    views = look.views if look.views is not None else _usual_views(job, is_planar=is_planar)
    scene = None if is_planar else open_scene(volumes_root, job, look)
    drawn = Drawn()
    for view in views:
        reason = _why_not(view, scene)
        if reason:
            drawn.left_out[view] = reason
        elif scene is None:
            drawn.pictures[view] = _planar(volumes_root, job, look)
        else:
            drawn.pictures[view] = _DRAW[view](scene)
    return drawn


def _usual_views(job: ShowJob, *, is_planar: bool) -> tuple[str, ...]:
    if is_planar:
        return ("planar",)
    return ("mip", "planes", "fused", "histogram") if job.modality in EMISSION else ("planes",)


def _why_not(view: str, scene: Scene | None) -> str | None:
    """Reason why a view cannot be drawn; None if it can. A planar image has no scene."""
    if scene is None:
        is_planar = view == "planar"
        return None if is_planar else "these are planar images and no volume; see view planar"
    modality = scene.job.modality
    if view == "planar":
        return "this is a volume and no planar image; see mip and planes"
    if view != "planes" and not scene.is_emission:
        return f"it is drawn of PET and SPECT, and this is {modality}; see planes"
    if view == "fused" and scene.below is None:
        return "the lake has no CT of the same study and frame of reference"
    if view == "mip" and min(scene.volume.geometry.shape) < _FEWEST_VOXELS:
        return "too few slices for a projection; see planes"
    return None


def _mip(scene: Scene) -> bytes:
    grid = scene.volume.geometry
    masks = [region.mask for region in scene.regions]
    shadows = projected_masks(masks, grid) if masks else None
    return projections_png(
        scene.seen.flat, grid, scene.volume.value_unit, scene.window, shadows=shadows,
        title=scene.job.title, subtitle=scene.told(),
    )  # fmt: skip


def _planes(scene: Scene) -> bytes:
    labels = scene.job.modality == "SEG"
    palette = "inverse_grey" if scene.is_emission else ("pet_20_step" if labels else "grey")
    legend = Legend(palette, scene.window, scene.volume.value_unit, not scene.is_emission)
    panels = []
    for cut in _cuts(scene):
        points = cut.points()
        values = _values(scene.volume, points, outside=-np.inf, order=0 if labels else 1)
        panels.append(_panel(scene, cut, points, coloured(values, *scene.window, palette)))
    return triptych_png(
        panels, legend, scene.centre, title=scene.job.title, subtitle=scene.told(_place(scene))
    )


def _fused(scene: Scene) -> bytes:
    assert scene.below is not None
    legend = Legend("hot_iron", scene.window, scene.volume.value_unit, is_dark=True)
    panels = []
    for cut in _cuts(scene, with_below=True):
        points = cut.points()
        emission = _values(scene.volume, points, outside=0.0)
        below = _values(scene.below, points, outside=-1024.0)
        pixels = fused(emission, scene.window, below, CT_WINDOW)
        panels.append(_panel(scene, cut, points, pixels))
    ct = f"CT from {CT_WINDOW[0]:g} to {CT_WINDOW[1]:g} HU"
    return triptych_png(
        panels, legend, scene.centre, title=scene.job.title, subtitle=scene.told(ct, _place(scene))
    )


def _cuts(scene: Scene, *, with_below: bool = False) -> list[Cut]:
    grid, look = scene.volume.geometry, scene.look
    ends = scene.corners(with_below=with_below and look.field_mm is None)
    views = [view for view in views_of(grid) if _is_worth(view, grid)]

    def at(view: View, pixel_mm: float) -> Cut:
        return cut_through(view, scene.centre, ends, pixel_mm, look.field_mm)

    sizes = [(c.columns / 10.0, c.rows / 10.0) for c in (at(view, 0.1) for view in views)]
    pixel_mm = pixel_mm_for(sizes, look.width_px, look.height_px)
    return [at(view, pixel_mm) for view in views]


def _is_worth(view: View, grid: Geometry) -> bool:
    """Whether there are enough voxels along both edges of a view; one is shown in any case."""
    order = patient_axes(grid)  # axes of the array that run to head, back, left
    edges = {"axial": (1, 2), "coronal": (0, 2), "sagittal": (0, 1)}[view.name]
    fewest = min(grid.shape[order[edge]] for edge in edges)
    thin = int(np.argmin([grid.shape[axis] for axis in order]))
    across = {0: "axial", 1: "coronal", 2: "sagittal"}[thin]
    return fewest >= _FEWEST_VOXELS or view.name == across


def _values(
    volume: ShownVolume, points: FloatArray, outside: float, order: Literal[0, 1] = 1
) -> FloatArray:
    box = needed_box(volume.geometry, points)
    if any(s.stop <= s.start for s in box):
        return np.full(points.shape[:-1], outside)
    return sample(volume.part(box), points, outside, order=order)


def _panel(scene: Scene, cut: Cut, points: FloatArray, pixels: object) -> Panel:
    inside = (sample_mask(region.mask, points) for region in scene.regions)
    outlined = tuple(mask for mask in inside if mask.any())
    caption = f"{cut.view.name}, oblique" if cut.view.is_oblique else cut.view.name
    return Panel(cut, np.asarray(pixels, dtype=np.uint8), outlined, caption)


def _place(scene: Scene) -> str:
    x, y, z = (float(v) for v in scene.centre)
    near = [r.label for r in scene.regions if np.allclose(r.centre_lps, scene.centre)]
    place = f"{x:.0f}, {y:.0f}, {z:.0f} mm"
    return f"planes through {near[0]} ({place})" if near else f"planes through {place}"


def _histogram(scene: Scene) -> bytes:
    volume, unit = scene.volume, scene.volume.value_unit
    body_from = _BODY_FROM_SUV if unit.startswith("SUV") else _BODY_SHARE * scene.window[1]
    references, rest = _references(scene)
    values = union_values(volume, rest)
    edges = histogram_edges(scene.window, float(values.max()) if values.size else 0.0)
    voxel_ml = volume.geometry.voxel_volume_ml
    body = histogram(volume.slabs(), edges, voxel_ml, body_from)
    lesions = None
    if rest:
        name = rest[0].label if len(rest) == 1 else f"{len(rest)} regions"
        lesions = name, histogram([values], edges, voxel_ml, -np.inf)
    missing = [t for t in (LIVER, BLOOD_POOL) if t not in {r.name for r in references}]
    told = f"body: voxels from {body_from:.3g}"
    if missing:
        told += f"; no region of {' or '.join(missing)} is labelled as such, so no reference"
    return histogram_png(
        body, lesions, references, unit, title=scene.job.title,
        subtitle="; ".join(p for p in (f"{scene.job.zone} zone", volume.frame_note, told) if p),
    )  # fmt: skip


def _references(scene: Scene) -> tuple[list[Reference], list[Region]]:
    """Liver and blood pool where regions are labelled so, and all other regions."""
    tissues: dict[str, list[Region]] = {}
    rest = []
    for region in scene.regions:
        tissue = reference_tissue(region.label, region.property_code)
        if tissue is None:
            rest.append(region)
        else:
            tissues.setdefault(tissue, []).append(region)
    return [_reference(name, tissues[name], scene.volume) for name in sorted(tissues)], rest


def _reference(name: str, regions: Sequence[Region], volume: ShownVolume) -> Reference:
    values = union_values(volume, regions).astype(np.float64)
    volume_ml = values.size * volume.geometry.voxel_volume_ml
    return Reference(name, float(values.mean()), float(values.std()), volume_ml)


def _planar(root: str, job: ShowJob, look: Look) -> bytes:
    whole = open_lazy(root, job.volume_path, quantity=job.quantity)
    n = whole.sizes["t"]
    if job.frame is not None and job.frame != "sum":
        if not job.frame.isdecimal() or not 1 <= int(job.frame) <= n:
            raise InvalidInputError(f"frame {job.frame!r}: expected 1 to {n}")
        picked = [int(job.frame) - 1]
    else:
        evenly = np.linspace(0, n - 1, min(n, _MOST_PLANAR_FRAMES))
        picked = [int(t) for t in np.unique(evenly.round())]
    frames = np.stack([whole[t, 0].to_numpy() for t in picked])
    unit = str(whole.attrs["units"])
    window = look.window or usual_window(frames, unit, "NM")
    affine = np.asarray(whole.attrs["affine_lps"], dtype=np.float64).reshape(4, 4)
    y_mm, x_mm = (float(np.linalg.norm(affine[:3, axis])) for axis in (1, 0))
    labels = whole.frame_label.to_numpy() if "frame_label" in whole.coords else None
    captions = [str(labels[t]) if labels is not None else f"frame {t + 1}" for t in picked]
    told = f"{job.zone} zone; planar, as stored" + (
        f"; {len(picked)} of {n} frames" if n > len(picked) else ""
    )
    known = (y_mm, x_mm) if whole.attrs.get("has_pixel_spacing") else None
    return planar_png(frames, captions, known, window, unit, title=job.title, subtitle=told)


_DRAW: Final = {"mip": _mip, "planes": _planes, "fused": _fused, "histogram": _histogram}
