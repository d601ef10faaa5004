"""A stored volume as a labelled array that reads only what is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import xarray as xr
import zarr
from numpy.typing import NDArray
from xarray.backends import BackendArray
from xarray.core import indexing

from lake.volumes import layout, stores
from lake.volumes.frames import frame_times, frames_of
from lake.volumes.read import description, geometry_of, open_array
from schemas.errors import InvalidInputError
from schemas.volume import FrameAxis

QUANTITIES = ("suv", "native", "stored")


class _QuantifiedArray(BackendArray):
    """Values of a volume; slices of a raw volume are rescaled as they are read."""

    def __init__(self, array: zarr.Array, factors: tuple[NDArray[np.float64], ...]) -> None:
        self._array = array
        self._factors = factors  # () for values as stored, else slope, intercept[, SUV factor]
        self.shape = array.shape
        self.dtype = np.dtype(np.float32) if factors else array.dtype

    def __getitem__(self, key: indexing.ExplicitIndexer) -> NDArray[Any]:
        """Read a selection; xarray turns every kind of index into integers and slices."""
        found: NDArray[Any] = indexing.explicit_indexing_adapter(
            key, self.shape, indexing.IndexingSupport.BASIC, self._read
        )
        return found

    def _read(self, key: tuple[int | slice, ...]) -> NDArray[Any]:
        values = np.asarray(self._array[key])
        if not self._factors:
            return values
        return _rescale(values, [line[key[: line.ndim]] for line in self._factors])


@dataclass(frozen=True, slots=True)
class Scale:
    """A kind of SUV as a multiple of SUVbw, from table ``suv_factors``."""

    name: str
    per_suvbw: float
    unit: str


def open_lazy(
    root: str, path: str, *, quantity: str = "suv", scale: Scale | None = None
) -> xr.DataArray:
    """Open a stored volume without reading its voxels.

    Parameters
    ----------
    root, path : str
        Root of the lake's volumes and ``volume_path`` in it.
    quantity : str
        ``suv`` (SUVbw where a factor exists, else as ``native``), ``native`` (Bq/ml, CNTS, HU)
        or ``stored`` (the integers of the DICOM).
    scale : Scale or None
        Instead: a kind of SUV; refused where there is no SUVbw.

    Returns
    -------
    xarray.DataArray
        dims (z, y, x) or (t, z, y, x); coordinates in mm, and ``frame_start_s``,
        ``frame_duration_s`` and ``frame_label`` along t where known; attributes ``units``,
        ``affine_lps`` (4 x 4 list), ``volume_id``, ``series_instance_uid`` and those stored with
        the volume.

    Raises
    ------
    NotFoundInLakeError, StorageError
        If there is no such volume, or it is damaged.
    InvalidInputError
        For an unknown quantity, or a kind of SUV of a volume without SUVbw.
    """
    if quantity not in QUANTITIES:
        raise InvalidInputError(f"quantity {quantity!r} is not one of {', '.join(QUANTITIES)}")
    group = stores.open_group(root, path)
    about = description(group, path, None)
    zone = str(about["zone"])
    factors, unit = _factors(group, about, quantity) if zone == "raw" else ((), _unit(about))
    if scale is not None:
        factors, unit = _scaled(factors, unit, scale, path), scale.unit
    array = _QuantifiedArray(open_array(group, layout.ARRAY_NAME[zone], path), factors)
    coordinates = geometry_of(group, about, zone).axis_coordinates()
    dims = layout.DIMS if len(array.shape) == 3 else layout.DIMS_4D
    return xr.DataArray(
        xr.Variable(dims, indexing.LazilyIndexedArray(array)),
        coords={
            name: (name, values, {"units": "mm"})
            for name, values in zip(layout.DIMS, coordinates, strict=True)
        }
        | _frame_coordinates(frames_of(about)),
        name="labels" if zone == "mask" else "image",
        attrs={
            **cast("dict[str, object]", about["attributes"]),
            "units": unit,
            **({} if scale is None else {"quantity": scale.name}),
            "affine_lps": about["affine_lps"],
            "volume_id": about["volume_id"],
            "series_instance_uid": about["series_instance_uid"],
            "zone": zone,
        },
    )


def _frame_coordinates(frames: FrameAxis | None) -> dict[str, tuple[object, ...]]:
    found: dict[str, tuple[object, ...]] = {
        name: (("t", "z")[: values.ndim], values, {"units": "s"})
        for name, values in frame_times(frames)
    }
    if frames is not None and frames.labels:
        found["frame_label"] = ("t", list(frames.labels))
    return found


def _unit(about: dict[str, object]) -> str:
    return str(about["value_unit"])


def _factors(
    group: zarr.Group, about: dict[str, object], quantity: str
) -> tuple[tuple[NDArray[np.float64], ...], str]:
    if quantity == "stored":
        return (), "1"
    names = ["rescale_slope", "rescale_intercept"]
    unit = _unit(about)
    if quantity == "suv" and "suv_factor" in group:
        names.append("suv_factor")
        unit = "SUVbw"
    lines = [np.asarray(cast("zarr.Array", group[name])[...], dtype=np.float64) for name in names]
    return tuple(lines), unit


def _scaled(
    factors: tuple[NDArray[np.float64], ...], unit: str, scale: Scale, path: str
) -> tuple[NDArray[np.float64], ...]:
    """Factors to a kind of SUV; with one per slice, each slice keeps its own."""
    if unit != "SUVbw":
        raise InvalidInputError(f"volume {path} is in {unit}: there is no SUV of it")
    if not factors:  # a standard volume, in SUVbw already
        return np.array(scale.per_suvbw), np.array(0.0)
    if len(factors) == 2:  # stored as SUVbw by the scanner
        return tuple(line * scale.per_suvbw for line in factors)
    slope, intercept, suv = factors
    return slope, intercept, suv * scale.per_suvbw


def _rescale(stored: NDArray[Any], lines: list[Any]) -> NDArray[np.float32]:
    # the arithmetic of RawVolume.values and .quantified, for the slices that were read; an integer
    # index on t or z takes a dimension from the factors, one on y or x from what they spread over
    slope, intercept, *suv = (
        np.reshape(v, np.shape(v) + (1,) * (stored.ndim - np.ndim(v))) for v in lines
    )
    values = np.asarray(stored * slope + intercept, dtype=np.float32)
    for factor in suv:
        values = np.asarray(values * factor, dtype=np.float32)
    return values
