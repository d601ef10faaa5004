"""Writing the report: ask, draw, lay out."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa

import lake
from flows.cluster import open_cluster
from flows.named_series import title_of
from flows.report.contents import PATIENTS, distributions, sections
from flows.report.drawing import draw_in_order
from flows.report.page import data_url, render, write_page
from flows.report.phantoms import phantom_figures
from flows.report.protocol import protocol_part
from flows.runs import code_version
from flows.work.features import RoiSource
from flows.work.pictures import Pictures, draw
from flows.work.scene import ShowJob
from schemas.errors import InvalidInputError
from schemas.features import FEATURES
from schemas.geometry import FloatArray
from tasks.pictures.distributions import distributions_png

#: Patients in one report; a bigger lake shows the first ones and says so.
_MAX_PICTURES: Final = 60
#: Bytes of planes and histograms; patients beyond have their projections only.
_MAX_DETAIL_BYTES: Final = 6_000_000


def build_report(
    location: str, output: Path | None = None, *, dask_address: str | None = None
) -> Path:
    """Write the report of a lake as one HTML file; its pictures are drawn over Dask.

    Parameters
    ----------
    location : str
        The lake.
    output : Path or None
        File to write; None: ``reports/latest.html`` in the lake's folder.
    dask_address : str or None
        Existing Dask scheduler; None for a local cluster.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    StorageError
        The file cannot be written.
    InvalidInputError
        `output` is a folder.
    """
    if output is not None and output.is_dir():
        raise InvalidInputError(f"{output} is a folder; give the name of an HTML file")
    with lake.open(location, read_only=True) as lk:
        html = _html(lk, dask_address)
        path = output if output is not None else lk.folder.reports / "latest.html"
    return write_page(path, html)


def _html(lk: lake.Lake, dask_address: str | None) -> str:
    jobs = _picture_jobs(lk)
    drawn = _draw_all(lk.volumes_root, jobs, dask_address)
    return render(
        "template.html",
        generated=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        version=code_version(),
        n_patients=_one(lk, "SELECT count(DISTINCT patient_key) FROM series"),
        n_series=_one(lk, "SELECT count(*) FROM series"),
        n_centres=_one(lk, "SELECT count(DISTINCT centre) FROM series"),
        sections=sections(lk),
        phantoms=phantom_figures(lk),
        patients=_patients(jobs, drawn),
        protocol=protocol_part(lk),
        data_url=data_url,
        limited=len(jobs) == _MAX_PICTURES,
        distributions=[data_url(png) for png in _distribution_pictures(lk)],
    )  # fmt: skip


def _one(lk: lake.Lake, query: str) -> int:
    row = lk.sql(query).fetchone()
    return int(row[0]) if row else 0


def _patients(
    jobs: list[ShowJob], drawn: list[Pictures | None]
) -> list[tuple[str, str, list[str]]]:
    """Title, projections and details of each patient, as long as the report stays small."""
    shown: list[tuple[str, str, list[str]]] = []
    left = _MAX_DETAIL_BYTES
    for job, pictures in zip(jobs, drawn, strict=True):
        if pictures is None:
            continue
        left -= sum(map(len, pictures.details))
        details = [data_url(png) for png in pictures.details] if left >= 0 else []
        shown.append((job.title, data_url(pictures.mip), details))
    return shown


def _picture_jobs(lk: lake.Lake) -> list[ShowJob]:
    rows = lk.sql(PATIENTS, {"limit": _MAX_PICTURES}).to_arrow_table().to_pylist()
    return [
        ShowJob(
            title=title_of(row),
            volume_path=row["volume_path"],
            modality="NM" if row["is_spect"] else row["modality"],
            tracer=row["radiopharmaceutical"],
            zone="standard",
            rois=tuple(
                (RoiSource("", 1, mask["label"], (), mask["path"]), mask["code"])
                for mask in row["masks"] or ()
            ),
            below_path=row["ct_path"],
        )
        for row in rows
    ]


def _draw_all(
    volumes_root: str, jobs: list[ShowJob], dask_address: str | None
) -> list[Pictures | None]:
    if not jobs:
        return []
    with open_cluster(dask_address) as client:
        return draw_in_order(client, partial(draw, volumes_root), jobs)


def _distribution_pictures(lk: lake.Lake) -> list[bytes]:
    return [
        distributions_png(
            _by_centre(table, "value"),
            _by_centre(table, "value_harmonised"),
            feature,
            FEATURES[feature].unit or "",
        )
        for feature, table in distributions(lk).items()
    ]


def _by_centre(table: pa.Table, column: str) -> dict[str, FloatArray]:
    centres = np.asarray(table["centre"].to_pylist())
    values = table[column].to_numpy()
    return {str(c): values[centres == c] for c in np.unique(centres)}
