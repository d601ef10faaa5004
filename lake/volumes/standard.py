"""Writing volumes of the standard zone, as they are made: no more than a few rows in memory."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lake.volumes import layout, pyramid, stores
from lake.volumes.group import GroupWriter
from lake.volumes.identity import ArrayDigest
from lake.volumes.read import is_intact
from lake.volumes.write import Plan, finite_range, volume_row
from schemas.records import Row
from schemas.volume import WHOLE, ImageBlocks, ImageVolume, Part

Rows = NDArray[np.float32]


def write_standard(
    root: str,
    series_uid: str,
    volume: ImageVolume | ImageBlocks,
    *,
    profile_id: str,
    profile_digest: str,
    parent_volume_id: str,
    part: Part = WHOLE,
    levels: int = 3,
) -> Row:
    """Store a quantified volume on the standard grid, as OME-Zarr 0.5 with `levels` resolutions.

    Parameters
    ----------
    root, series_uid : str
        As in `write_raw`.
    volume : ImageVolume or ImageBlocks
        (z, y, x) float32. Blocks are written as they come; the bytes on disk do not depend on how
        the volume was cut.
    profile_id, profile_digest : str
        Profile that made the volume.
    parent_volume_id : str
        Volume it was made from.
    part : Part
        Which of the volumes of its series that is.
    levels : int
        Resolutions, each half of the one before (block means).

    Returns
    -------
    Row
        As `write_raw`.

    Raises
    ------
    ValueError
        If the blocks have more or fewer rows than the grid.

    References
    ----------
    OME-Zarr 0.5, https://ngff.openmicroscopy.org/0.5/
    """
    made_by = (profile_id, profile_digest, parent_volume_id)
    return _store_image(root, "standard", series_uid, volume, made_by, levels, part=part)


def write_parametric(
    root: str,
    series_uid: str,
    volume: ImageVolume,
    *,
    parameter_name: str,
    profile_id: str,
    profile_digest: str,
    parent_volume_id: str,
    part: Part = WHOLE,
    levels: int = 3,
) -> Row:
    """Store the values of one parameter of a kinetic model, as `write_standard` stores an image.

    Parameters
    ----------
    parameter_name : str
        Such as ``ki``; part of the volume's name.
    volume : ImageVolume
        (z, y, x) float32; NaN where the model has no solution.
    """
    made_by = (profile_id, profile_digest, parent_volume_id)
    return _store_image(
        root, "parametric", series_uid, volume, made_by, levels,
        part=part, parameter_name=parameter_name,
    )  # fmt: skip


def _store_image(
    root: str,
    zone: str,
    series_uid: str,
    volume: ImageVolume | ImageBlocks,
    made_by: tuple[str, str, str],
    levels: int,
    *,
    part: Part,
    parameter_name: str | None = None,
) -> Row:
    """Store a float32 volume with its resolutions; `made_by`: profile, its digest, parent."""
    image = _in_blocks(volume)
    profile_id, profile_digest, parent_volume_id = made_by
    # its name is a digest of content that does not exist yet
    with stores.unfinished(root, layout.relative_path(zone, series_uid, "unnamed")) as folder:
        group = GroupWriter(folder)
        digest, ends = _write_levels(group, image, levels)
        plan = Plan(
            zone=zone,
            series_uid=series_uid,
            geometry=image.geometry,
            value_unit=image.value_unit,
            dtype="float32",
            content_blake3=digest,
            value_range=ends,
            attributes={**image.attributes, "levels": levels},
            profile_id=profile_id,
            profile_digest=profile_digest,
            parent_volume_id=parent_volume_id,
            part=part,
            parameter_name=parameter_name,
        )
        name, path = plan.name_and_path()
        ome = pyramid.ome_attributes(image.geometry, levels)
        group.finish({"ome": ome} | plan.described(name))
        _move_in(folder, root, path, digest)
    return volume_row(plan, name, path, stores.stored_bytes(root, path))


def _in_blocks(volume: ImageVolume | ImageBlocks) -> ImageBlocks:
    if isinstance(volume, ImageBlocks):
        return volume
    values = np.asarray(volume.values, dtype=np.float32)
    return ImageBlocks(volume.geometry, volume.value_unit, iter([values]), volume.attributes)


def _move_in(folder: Path, root: str, path: str, digest: str) -> None:
    # What is there already was written by another worker, or by an earlier run that perhaps died.
    if is_intact(root, path, digest):
        stores.touch(root, path)
    else:
        stores.discard(root, path)
        stores.move_in(folder, root, path)


def _write_levels(
    group: GroupWriter, image: ImageBlocks, levels: int
) -> tuple[str, tuple[float, float]]:
    """Write the arrays of the group; return digest and range of the first level."""
    shape = image.geometry.shape
    digest = ArrayDigest(np.dtype(np.float32), shape)
    ends: list[tuple[float, float]] = []
    n_rows = 0
    layout.add_coordinates(group, image.geometry)
    with ExitStack() as opened:
        pyramid_rows = _Levels(_opened(group, image, levels, opened))
        for block in image.blocks:
            digest.add(block)
            ends.append(finite_range(block))
            pyramid_rows.add(block)
            n_rows += len(block)
        if n_rows != shape[0]:
            raise ValueError(f"expected {shape[0]} rows, got {n_rows}")
        pyramid_rows.finish()
    low, high = np.array(ends).T
    if np.isnan(low).all():
        return digest.hex(), (float("nan"), float("nan"))
    return digest.hex(), (float(np.nanmin(low)), float(np.nanmax(high)))


def _opened(
    group: GroupWriter, image: ImageBlocks, levels: int, opened: ExitStack
) -> list[Callable[[Rows], None]]:
    z, y, x = image.geometry.shape
    writers = []
    for number in range(levels):
        about = {"units": image.value_unit}
        array = layout.open_volume_array(group, str(number), (z, y, x), about)
        writers.append(opened.enter_context(array))
        z, y, x = -(-z // 2), -(-y // 2), -(-x // 2)
    return writers


class _Levels:
    """Passes rows to the writer of the first level and, halved, to those of the further ones."""

    def __init__(self, writers: list[Callable[[Rows], None]]) -> None:
        self._writers = writers
        self._halvers = [pyramid.Halver() for _ in writers[1:]]

    def add(self, rows: Rows, level: int = 0) -> None:
        """Take the next rows of a level."""
        self._writers[level](rows)
        if level < len(self._halvers):
            self.add(self._halvers[level].add(rows), level + 1)

    def finish(self) -> None:
        """Write what still waited for a partner."""
        for level, halver in enumerate(self._halvers, start=1):
            rest = halver.rest()
            if rest is not None:
                self.add(rest, level)
