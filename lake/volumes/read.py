"""Reading stored volumes back into the types that tasks take."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import zarr
from numpy.typing import NDArray

from lake.volumes import layout, stores
from lake.volumes.frames import frames_of, part_of
from lake.volumes.identity import array_digest
from lake.volumes.wholeness import require_whole
from schemas.errors import NotFoundInLakeError, StorageError
from schemas.geometry import FloatArray, Geometry
from schemas.volume import Attributes, ImageVolume, MaskVolume, RawVolume


def read_raw(root: str, path: str) -> RawVolume:
    """Read a volume of the raw zone.

    Parameters
    ----------
    root : str
        Root of the lake's volumes.
    path : str
        ``volume_path`` of table ``volumes``.

    Raises
    ------
    NotFoundInLakeError
        If there is no such volume.
    StorageError
        If it is damaged.
    """
    group = stores.open_group(root, path)
    about = description(group, path, "raw")
    return RawVolume(
        stored=_values(group, "stored", path),
        rescale_slope=_values(group, "rescale_slope", path),
        rescale_intercept=_values(group, "rescale_intercept", path),
        geometry=geometry_of(group, about, "raw"),
        value_unit=str(about["value_unit"]),
        suv_factor=_values(group, "suv_factor", path) if "suv_factor" in group else None,
        attributes=attributes_of(about),
        frames=frames_of(about),
        part=part_of(about),
    )


def read_lines(root: str, path: str) -> dict[str, FloatArray]:
    """Slopes, intercepts and SUV factors of a raw volume by name, (z,) or (t, z), without voxels.

    Errors are those of `read_raw`; ``suv_factor`` is absent where SUV was refused.
    """
    group = stores.open_group(root, path)
    description(group, path, "raw")
    names = ("rescale_slope", "rescale_intercept", "suv_factor")
    return {name: _values(group, name, path) for name in names if name in group}


def read_image(root: str, path: str, zone: str = "standard") -> ImageVolume:
    """Read a volume of the standard or parametric zone; errors as in `read_raw`."""
    group = stores.open_group(root, path)
    about = description(group, path, zone)
    attributes = attributes_of(about)
    attributes.pop("levels", None)
    return ImageVolume(
        values=_values(group, "0", path),
        geometry=geometry_of(group, about, zone),
        value_unit=str(about["value_unit"]),
        attributes=attributes,
    )


def read_mask(root: str, path: str) -> MaskVolume:
    """Read a mask or label map; errors as in `read_raw`."""
    group = stores.open_group(root, path)
    about = description(group, path, "mask")
    return MaskVolume(
        labels=_values(group, "labels", path),
        geometry=geometry_of(group, about, "mask"),
        attributes=attributes_of(about),
    )


def volume_digest(root: str, path: str) -> str:
    """BLAKE3 of a volume's content, computed from what is on disk.

    Raises
    ------
    NotFoundInLakeError, StorageError
        As `read_raw`.
    """
    group = stores.open_group(root, path)
    zone = str(description(group, path, None)["zone"])
    if zone != "raw":
        return array_digest(_values(group, layout.ARRAY_NAME[zone], path))
    names = ("stored", "rescale_slope", "rescale_intercept", "suv_factor")
    return array_digest(*(_values(group, n, path) if n in group else None for n in names))


def is_intact(root: str, path: str, content_blake3: str) -> bool:
    """Tell whether the volume is there and its content has this digest."""
    try:
        return volume_digest(root, path) == content_blake3
    except (NotFoundInLakeError, StorageError):
        return False


def description(group: zarr.Group, path: str, zone: str | None) -> dict[str, object]:
    """Our attributes of a volume, checked to be of this zone (None: of any)."""
    about = group.attrs.get("tracerlake")
    if not isinstance(about, dict) or (zone is not None and about.get("zone") != zone):
        raise StorageError(f"volume {path} is not a volume of zone {zone or 'raw, ...'}")
    return cast("dict[str, object]", about)


def geometry_of(group: zarr.Group, about: dict[str, object], zone: str) -> Geometry:
    """Grid of a stored volume."""
    shape = tuple(int(n) for n in _array(group, layout.ARRAY_NAME[zone]).shape)[-3:]
    return Geometry(cast("tuple[int, int, int]", shape), np.asarray(about["affine_lps"], float))


def attributes_of(about: dict[str, object]) -> Attributes:
    """Attributes of a volume that its maker gave it."""
    return dict(cast("Attributes", about["attributes"]))


def _array(group: zarr.Group, name: str) -> zarr.Array:
    return cast("zarr.Array", group[name])


def open_array(group: zarr.Group, name: str, path: str) -> zarr.Array:
    """Open an array of a volume whose chunks are all there.

    Raises
    ------
    StorageError
        If it is not there, cut off or damaged.
    """
    try:
        array = _array(group, name)
        require_whole(stores.folder_of(group) / name, array)
    except (OSError, ValueError, KeyError) as error:
        raise _unreadable(name, path, error) from error
    return array


def read_line(group: zarr.Group, name: str, path: str) -> FloatArray:
    """Values of a small float64 array of a volume; errors as in `read_raw`."""
    return np.asarray(_values(group, name, path), dtype=np.float64)


def _values(group: zarr.Group, name: str, path: str) -> NDArray[Any]:
    array = open_array(group, name, path)
    try:
        return cast("NDArray[Any] | FloatArray", array[...])
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise _unreadable(name, path, error) from error


def _unreadable(name: str, path: str, error: Exception) -> StorageError:
    return StorageError(
        f"array {name!r} of volume {path} cannot be read ({type(error).__name__}); run "
        "verify on the lake and ingest the series again"
    )
