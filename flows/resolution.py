"""What is known of the resolution of scanners and reconstructions: measured, given, estimated."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from functools import partial
from statistics import fmean, median, stdev
from typing import TYPE_CHECKING, Final

import lake
from flows.cluster import ClusterOnDemand
from flows.derive import done_in_batches, input_digest
from flows.runs import RunLog, author
from flows.work.resolution import BandJob, EstimateJob, band_of, estimate_of
from schemas.profiles import StandardProfile
from schemas.records import Row
from tasks.standardise.given import read_given
from tasks.standardise.matching import Resolution, Widths

if TYPE_CHECKING:
    from flows.standard_jobs import RawImage

#: File in a lake's folder in which a site gives resolutions.
GIVEN_FILE: Final = "resolution.csv"
#: The last image quality phantom of each scanner and reconstruction. Days of phantoms are real,
#: those of patients are shifted: which phantom was the last before an image cannot be told here.
_PHANTOMS: Final = """
SELECT scanner_key, reconstruction_key, psf_fwhm_z_mm, psf_fwhm_y_mm, psf_fwhm_x_mm,
       greatest(psf_error_z_mm, psf_error_y_mm, psf_error_x_mm), series_instance_uid,
       phantom_scan_id
FROM phantom_scans
WHERE psf_fwhm_z_mm IS NOT NULL AND psf_fwhm_y_mm IS NOT NULL AND psf_fwhm_x_mm IS NOT NULL
QUALIFY row_number() OVER (
  PARTITION BY scanner_key, reconstruction_key
  ORDER BY is_superseded NULLS LAST, measured_on DESC NULLS LAST, phantom_scan_id) = 1
ORDER BY phantom_scan_id
"""

#: Images of phantoms whose filling is known.
_FILLED: Final = """
SELECT p.series_instance_uid, v.volume_path, p.true_ratio
FROM phantom_scans p JOIN volumes v USING (series_instance_uid)
WHERE v.zone = 'raw' AND coalesce(v.part_index, 1) = 1 AND p.true_ratio IS NOT NULL
"""

#: Images that an estimate is made from, at most.
_MOST_IMAGES: Final = 5
#: Standard error that an estimate has at least, as a share: what the edges of a real phantom missed
#: its spheres by. Those of simulated patients are within 0.15.
_ESTIMATE_ERROR: Final = 0.4
_ALGORITHM: Final = "resolution/1"

Device = tuple[str | None, str | None]


def update_resolution(
    lk: lake.Lake,
    log: RunLog,
    images: Iterable[RawImage],
    profiles: Iterable[StandardProfile],
    cluster: ClusterOnDemand,
) -> None:
    """Bring the tables `resolution` and `resolution_bands` up to date for these profiles.

    Nothing is done where no profile has a target.
    """
    targeted = [p for p in profiles if p.target is not None]
    if not targeted:
        return
    emission = [i for i in images if i.modality == "PT"]
    rows = _measured(lk) + _given(lk)
    if any("estimated" in p.resolution_sources for p in targeted):
        rows += _estimated(lk, emission, rows, cluster)
    present = {(i.scanner_key, i.reconstruction_key) for i in emission}
    rows = [r for r in rows if (r["scanner_key"], r["reconstruction_key"]) in present]
    names = {p.target for p in targeted if p.target in {"EARL1", "EARL2"}}
    _publish(lk, log, rows, _bands(lk, rows, sorted(map(str, names)), emission, cluster))


def _row(device: Device, found: Resolution, inputs: object, n_images: int | None = None) -> Row:
    digest = input_digest(_ALGORITHM, device, found.source, found.fwhm_mm, inputs)
    z, y, x = found.fwhm_mm
    return {
        "resolution_id": f"PSF-{digest}",
        "scanner_key": device[0],
        "reconstruction_key": device[1],
        "resolution_source": found.source,
        "fwhm_z_mm": z,
        "fwhm_y_mm": y,
        "fwhm_x_mm": x,
        "fwhm_error_mm": found.error_mm,
        "n_images": n_images,
        "phantom_series_uid": found.phantom_series_uid,
    }


def _measured(lk: lake.Lake) -> list[Row]:
    return [
        _row((scanner, recon), Resolution("measured", (z, y, x), error, series), scan)
        for scanner, recon, z, y, x, error, series, scan in lk.sql(_PHANTOMS).fetchall()
    ]


def _given(lk: lake.Lake) -> list[Row]:
    file = lk.folder.path / GIVEN_FILE
    if not file.is_file():
        return []
    found = read_given(file.read_text(encoding="utf-8"))
    return [_row(device, resolution, "file") for device, resolution in found.items()]


def _estimated(
    lk: lake.Lake, images: list[RawImage], known: list[Row], cluster: ClusterOnDemand
) -> list[Row]:
    """Rows for scanners and reconstructions of which nothing better is known."""
    better = {(r["scanner_key"], r["reconstruction_key"]) for r in known}
    by_device: dict[Device, list[RawImage]] = defaultdict(list)
    for image in images:
        device = image.scanner_key, image.reconstruction_key
        if device not in better and None not in device:
            by_device[device].append(image)
    kept = {
        (r[0], r[1]): dict(zip(_COLUMNS, r, strict=True))
        for r in lk.sql(
            f"SELECT {', '.join(_COLUMNS)} FROM resolution WHERE resolution_source = 'estimated'"  # noqa: S608
        ).fetchall()
    }
    rows, jobs = [], []
    for device, members in by_device.items():
        chosen = sorted(members, key=lambda i: i.volume_id)[:_MOST_IMAGES]
        before = kept.get(device)
        if before is not None and int(str(before["n_images"])) >= min(len(members), _MOST_IMAGES):
            rows.append(before)
        else:
            jobs += [EstimateJob(device, i.volume_id, i.volume_path) for i in chosen]
    return rows + _new_estimates(lk, jobs, cluster)


_COLUMNS: Final = (
    "scanner_key", "reconstruction_key", "resolution_id", "resolution_source", "fwhm_z_mm",
    "fwhm_y_mm", "fwhm_x_mm", "fwhm_error_mm", "n_images", "phantom_series_uid",
)  # fmt: skip


def _new_estimates(lk: lake.Lake, jobs: list[EstimateJob], cluster: ClusterOnDemand) -> list[Row]:
    found: dict[Device, list[tuple[str, Widths]]] = defaultdict(list)
    if jobs:
        work = partial(estimate_of, lk.volumes_root)
        for batch in done_in_batches(cluster.client, "estimate resolution", work, jobs):
            for done in batch:
                if done.result is not None:
                    found[done.job.device].append((done.job.volume_id, done.result))
    return [_combined(device, estimates) for device, estimates in found.items()]


def _combined(device: Device, estimates: list[tuple[str, Widths]]) -> Row:
    """Median of several images; its error is at least that of the method."""
    axes = list(zip(*(widths for _, widths in sorted(estimates)), strict=True))
    z, y, x = (median(axis) for axis in axes)
    spread = max(stdev(axis) for axis in axes) if len(estimates) > 1 else 0.0
    error = max(spread, _ESTIMATE_ERROR * fmean((z, y, x)))
    inputs = [volume_id for volume_id, _ in sorted(estimates)]
    return _row(device, Resolution("estimated", (z, y, x), error), inputs, len(estimates))


def _bands(
    lk: lake.Lake,
    rows: list[Row],
    standards: list[str],
    images: list[RawImage],
    cluster: ClusterOnDemand,
) -> list[Row]:
    """Gaussians into the bands of standards, for resolutions of which they are not known yet."""
    if not standards:
        return []
    done = set(lk.sql("SELECT resolution_id, match_target FROM resolution_bands").fetchall())
    spacing = {(i.scanner_key, i.reconstruction_key): i.geometry.spacing for i in images}
    filled = {uid: (path, ratio) for uid, path, ratio in lk.sql(_FILLED).fetchall()}
    jobs = [
        BandJob(
            str(row["resolution_id"]), standard, _widths(row),
            spacing[row["scanner_key"], row["reconstruction_key"]],  # type: ignore[index]
            *filled.get(row["phantom_series_uid"], (None, None)),
        )
        for row in rows
        for standard in standards
        if (row["resolution_id"], standard) not in done
    ]  # fmt: skip
    found: list[Row] = []
    if jobs:
        work = partial(band_of, lk.volumes_root)
        for batch in done_in_batches(cluster.client, "match to recovery bands", work, jobs):
            found += [done.result for done in batch if done.result is not None]
    return found


def _widths(row: Row) -> Widths:
    z, y, x = (float(str(row[f"fwhm_{axis}_mm"])) for axis in "zyx")
    return z, y, x


def _publish(lk: lake.Lake, log: RunLog, rows: list[Row], bands: list[Row]) -> None:
    ids = {str(row["resolution_id"]) for row in rows}
    old = {key for (key,) in lk.sql("SELECT resolution_id FROM resolution").fetchall()}
    if ids == old and not bands:
        return

    def write(tx: lake.Transaction) -> None:
        for table in ("resolution", "resolution_bands"):
            tx.delete(table, {"resolution_id": sorted(old - ids)})
        if rows:
            tx.replace("resolution", log.stamp(rows), scope=("resolution_id",))
        if bands:
            tx.replace(
                "resolution_bands", log.stamp(bands), scope=("resolution_id", "match_target")
            )

    lk.commit(write, message=log.message(f"resolution of {len(rows)} devices"), author=author())
