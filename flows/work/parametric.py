"""Worker side of parametric images: one block of a dynamic volume, over all its frames."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lake.volumes.blocks import DynamicVolume, Window
from tasks.kinetics.voxelwise import VoxelModel


@dataclass(frozen=True, eq=False)
class BlockJob:
    """A part of a dynamic volume and the model for its voxels.

    Parameters
    ----------
    volume_path, quantity : str
        As `DynamicVolume`.
    window : Window
        Part ``(z, y, x)``.
    model : VoxelModel
        Made for the series.
    """

    volume_path: str
    quantity: str
    window: Window
    model: VoxelModel


def map_block(volumes_root: str, job: BlockJob) -> NDArray[np.float32]:
    """Apply the model to a block.

    Returns
    -------
    ndarray, (p, z, y, x), float32
        Parameters of the block's voxels.
    """
    volume = DynamicVolume(volumes_root, job.volume_path, job.quantity)
    curves = volume.read(job.window, job.model.frames)
    found = job.model(curves.reshape(curves.shape[0], -1))
    return found.reshape(-1, *curves.shape[1:])
