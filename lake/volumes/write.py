"""Writing volumes; the same input gives the same name and the same bytes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lake.volumes import layout, shard, stores
from lake.volumes.frames import frame_times, frames_attributes
from lake.volumes.group import GroupWriter
from lake.volumes.identity import array_digest, plain, volume_id
from lake.volumes.read import is_intact
from schemas.geometry import Geometry
from schemas.records import Row
from schemas.volume import WHOLE, FrameAxis, MaskVolume, Part, RawVolume


@dataclass(frozen=True)
class Plan:
    """All that must be known of a volume before it can be named, written and described."""

    zone: str
    series_uid: str
    geometry: Geometry
    value_unit: str
    dtype: str
    content_blake3: str
    value_range: tuple[float, float]
    attributes: Mapping[str, object]
    profile_id: str | None = None
    profile_digest: str | None = None
    parent_volume_id: str | None = None
    part: Part = WHOLE
    frames: FrameAxis | None = None
    parameter_name: str | None = None

    @property
    def metadata(self) -> dict[str, object]:
        """What gives the content its meaning, and so is part of the name."""
        return {
            "layout": layout.LAYOUT,
            "zone": self.zone,
            "series_instance_uid": self.series_uid,
            "value_unit": self.value_unit,
            "profile_id": self.profile_id,
            "profile_digest": self.profile_digest,
            "parent_volume_id": self.parent_volume_id,
            **layout.geometry_attributes(self.geometry),
            **self._of_several(),
            "attributes": plain(self.attributes),
        }

    def name_and_path(self) -> tuple[str, str]:
        """Name of the volume, and its path in the root of the volumes."""
        name = volume_id(self.content_blake3, self.metadata)
        return name, layout.relative_path(self.zone, self.series_uid, name)

    def described(self, name: str) -> dict[str, object]:
        """Attributes of the group."""
        about = {
            **self.metadata,
            "volume_id": name,
            "content_blake3": self.content_blake3,
            "code_version": _code_version(),
        }
        return {"tracerlake": about}

    def _of_several(self) -> dict[str, object]:
        # only where there is something to say: names of all other volumes stay what they were
        found: dict[str, object] = {}
        if self.part != WHOLE:
            found["part"] = {"index": self.part.index, "label": self.part.label}
        if self.frames is not None:
            found["frames"] = plain(frames_attributes(self.frames))
        if self.parameter_name is not None:
            found["parameter_name"] = self.parameter_name
        return found


def write_raw(volumes_root: str, series_uid: str, volume: RawVolume) -> Row:
    """Store a volume as acquired: its integers and, slice by slice, what turns them to quantities.

    Parameters
    ----------
    volumes_root : str
        Root of the lake's volumes.
    series_uid : str
        Pseudonymised series instance UID.
    volume : RawVolume
        ``stored`` (z, y, x) or (t, z, y, x).

    Returns
    -------
    Row
        A row of table ``volumes`` without ``input_digest`` and ``run_id``.

    Raises
    ------
    StorageError
        If it cannot be written.
    """
    lines = (volume.rescale_slope, volume.rescale_intercept, volume.suv_factor)
    ends = _plane_ends(volume.stored)
    compressor = shard.fast_compressor(volume.stored.dtype, float(ends[1].max() - ends[0].min()))
    plan = Plan(
        zone="raw",
        series_uid=series_uid,
        geometry=volume.geometry,
        value_unit=volume.value_unit,
        dtype=volume.stored.dtype.name,
        content_blake3=array_digest(volume.stored, *lines),
        value_range=_rescaled_range(volume, ends),
        attributes=volume.attributes,
        part=volume.part,
        frames=volume.frames,
    )
    along = layout.dimensions(volume.stored)[:-2]

    def fill(group: GroupWriter) -> dict[str, object]:
        layout.add_coordinates(group, volume.geometry)
        names = ("rescale_slope", "rescale_intercept", "suv_factor")
        for name, line in zip(names, lines, strict=True):
            if line is not None:
                layout.add_line(group, name, line.astype(np.float64), along)
        _add_frame_times(group, volume.frames)
        about = {"long_name": "stored pixel values", "units": "1"}
        layout.add_volume_array(group, "stored", volume.stored, about, compressor=compressor)
        return {}

    return _store(volumes_root, plan, fill)


def write_mask(
    root: str,
    series_uid: str,
    volume: MaskVolume,
    *,
    profile_id: str | None = None,
    profile_digest: str | None = None,
    parent_volume_id: str | None = None,
) -> Row:
    """Store a mask or label map (z, y, x) uint8 or uint16; 0 is background.

    Parameters are those of `write_standard`; all but the first three may be None.
    """
    plan = Plan(
        zone="mask",
        series_uid=series_uid,
        geometry=volume.geometry,
        value_unit="1",
        dtype=volume.labels.dtype.name,
        content_blake3=array_digest(volume.labels),
        value_range=(float(volume.labels.min()), float(volume.labels.max())),
        attributes=volume.attributes,
        profile_id=profile_id,
        profile_digest=profile_digest,
        parent_volume_id=parent_volume_id,
    )

    def fill(group: GroupWriter) -> dict[str, object]:
        layout.add_coordinates(group, volume.geometry)
        layout.add_volume_array(group, "labels", volume.labels, {"units": "1"})
        return {}

    return _store(root, plan, fill)


def _store(root: str, plan: Plan, fill: Callable[[GroupWriter], dict[str, object]]) -> Row:
    """Write a volume unless it is there; `fill` adds its arrays and returns further attributes."""
    name, path = plan.name_and_path()

    def fill_described(group: GroupWriter) -> None:
        group.finish(fill(group) | plan.described(name))

    # What is there already was written by another worker, or by an earlier run that perhaps died.
    if is_intact(root, path, plan.content_blake3):
        stores.touch(root, path)
    else:
        stores.discard(root, path)
        stores.publish(root, path, fill_described)
    return volume_row(plan, name, path, stores.stored_bytes(root, path))


def volume_row(plan: Plan, name: str, path: str, size: int) -> Row:
    """Row of table `volumes`, without ``input_digest`` and ``run_id``."""
    shape, spacing = plan.geometry.shape, plan.geometry.spacing
    return {
        "volume_id": name,
        "series_instance_uid": plan.series_uid,
        "zone": plan.zone,
        "volume_path": path,
        "profile_id": plan.profile_id,
        "profile_digest": plan.profile_digest,
        "parameter_name": plan.parameter_name,
        "part_index": plan.part.index,
        "part_label": plan.part.label,
        "value_unit": plan.value_unit,
        "dtype": plan.dtype,
        **_frame_columns(plan.frames),
        **{f"shape_{a}": int(n) for a, n in zip("zyx", shape, strict=True)},
        **{f"spacing_{a}_mm": v for a, v in zip("zyx", spacing, strict=True)},
        "affine_lps": [float(v) for v in plan.geometry.affine.ravel()],
        "value_min": plan.value_range[0],
        "value_max": plan.value_range[1],
        "stored_bytes": size,
        "content_blake3": plan.content_blake3,
        "parent_volume_id": plan.parent_volume_id,
    }


def _plane_ends(stored: NDArray[Any]) -> NDArray[np.float64]:
    """Smallest and largest stored value of each plane, (2, planes)."""
    # slice by slice, so that the second look finds the values in the cache
    planes = stored.reshape(-1, *stored.shape[-2:])
    return np.array([(plane.min(), plane.max()) for plane in planes], dtype=np.float64).T


def _rescaled_range(volume: RawVolume, ends: NDArray[np.float64]) -> tuple[float, float]:
    ends = ends * volume.rescale_slope.ravel() + volume.rescale_intercept.ravel()
    if np.isfinite(ends).all():  # slopes may be negative
        return float(ends.min()), float(ends.max())
    return finite_range(volume.values())


def _add_frame_times(group: GroupWriter, frames: FrameAxis | None) -> None:
    for name, values in frame_times(frames):
        along = ("t", "z")[: values.ndim]
        layout.add_line(group, name, values.astype(np.float64), along, units="s")


def _frame_columns(frames: FrameAxis | None) -> Row:
    if frames is None:
        return dict.fromkeys(
            ("shape_t", "frame_kind", "frame_starts_s", "frame_durations_s", "frame_labels")
        )
    about = frames_attributes(frames)
    return {
        "shape_t": frames.n,
        "frame_kind": frames.kind,
        "frame_starts_s": about["start_s"],
        "frame_durations_s": about["duration_s"],
        "frame_labels": list(frames.labels) or None,
    }


def finite_range(values: NDArray[Any]) -> tuple[float, float]:
    """Smallest and largest finite value; NaN where there is none."""
    finite = values if np.isfinite(values.sum(dtype=np.float64)) else values[np.isfinite(values)]
    if finite.size == 0:
        return float("nan"), float("nan")
    return float(finite.min()), float(finite.max())


def _code_version() -> str:
    try:
        return version("tracerlake")
    except PackageNotFoundError:
        return "unknown"
