"""Parametric images of analysed series: blocks computed on workers, put together and stored."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from distributed import Client
from numpy.typing import NDArray

from flows.cluster import Done, stream
from flows.work.kinetic_job import Analysed, KineticsJob
from flows.work.kinetic_rows import finding
from flows.work.parametric import BlockJob, map_block
from lake.volumes import write_parametric
from lake.volumes.blocks import DynamicVolume, block_windows
from schemas.geometry import Geometry
from schemas.records import Row
from schemas.volume import ImageVolume


@dataclass
class Finished:
    """An analysis with its parametric volumes.

    Parameters
    ----------
    done : Done
        Job and result.
    volumes : list of Row
        Rows of `volumes`.
    """

    done: Done[KineticsJob, Analysed]
    volumes: list[Row] = field(default_factory=list)


def finished(
    client: Client,
    volumes_root: str,
    analyse: Callable[[KineticsJob], Analysed],
    jobs: Iterable[KineticsJob],
) -> Iterator[Finished]:
    """Analyse series, then compute and store their maps; yield each series when it is complete.

    Parameters
    ----------
    client : Client
        Of the cluster.
    volumes_root : str
        Root of the lake's volumes.
    analyse : callable
        Worker side of an analysis.
    jobs : iterable of KineticsJob
        Series.
    """
    for done in stream(client, analyse, jobs):
        result = Finished(done)
        if done.result is not None and done.result.model is not None:
            result.volumes = _maps(client, volumes_root, done.job, done.result)
        yield result


def _maps(client: Client, root: str, job: KineticsJob, result: Analysed) -> list[Row]:
    """Compute the maps of one series block by block and store them."""
    if result.model is None:
        return []
    volume = DynamicVolume(root, job.volume_path, job.quantity)
    shape, windows = volume.shape, block_windows(volume.shape)
    blocks = [BlockJob(job.volume_path, job.quantity, w, result.model) for w in windows]
    values = np.empty((len(job.profile.parameters), *shape[1:]), dtype=np.float32)
    for done in stream(client, partial(map_block, root), blocks):
        if done.result is None:
            said = f"a block of the images: {type(done.error).__name__}"
            result.rows["findings"].append(finding(job, "kinetics.failed", said, "fail"))
            for row in result.rows["kinetic_analyses"]:
                row["input_digest"] = None  # not done: the next run tries again
            return []
        values[(slice(None), *done.job.window)] = done.result
    return _stored(root, job, result, volume.geometry, values)


def _stored(
    root: str, job: KineticsJob, result: Analysed, grid: Geometry, values: NDArray[np.float32]
) -> list[Row]:
    profile = job.profile
    rows = []
    for parameter, of_voxels in zip(profile.parameters, values, strict=True):
        about = {**result.attributes, "parameter_description": parameter.description}
        row = write_parametric(
            root,
            job.series_instance_uid,
            ImageVolume(of_voxels, grid, parameter.unit, about),
            parameter_name=parameter.name,
            profile_id=profile.profile_id,
            profile_digest=profile.digest(),
            parent_volume_id=job.volume_id,
        )
        rows.append({**row, "input_digest": job.input_digest})
    return rows
