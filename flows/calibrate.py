"""The flow that applies a site's table of SPECT calibration factors, and reading that table."""

from __future__ import annotations

from pathlib import Path

from prefect import flow, get_run_logger
from prefect.runtime import flow_run

import lake
from flows.cluster import ClusterOnDemand
from flows.runs import run_record
from flows.spect_calibration import calibrate_spect
from lake import LakeSettings
from lake.key_files import refuse_inside_lake
from schemas.errors import InvalidInputError
from schemas.spect_calibrations import SpectCalibration, parse_spect_calibrations


@flow(name="calibrate", persist_result=False, validate_parameters=False)
def calibrate(
    location: str, *, dask_address: str | None = None, workers: int | None = None
) -> dict[str, int]:
    """Apply the site's table of SPECT calibration factors to what the lake holds.

    Parameters
    ----------
    location : str
        The lake.

    Returns
    -------
    dict
        ``n_written``: series quantified anew; ``n_findings``: findings that stand.
    """
    with (
        lake.open(location) as lk,
        ClusterOnDemand(dask_address, workers=workers) as cluster,
        run_record(lk, "calibrate", {}, prefect_id=str(flow_run.id)) as log,
    ):
        table = spect_table(lk.settings)
        written, findings = calibrate_spect(lk, log, cluster, table)
        log.count("n_written", written)
        get_run_logger().info("%d SPECT series quantified anew", written)
        return {"n_written": written, "n_findings": findings}


def spect_table(settings: LakeSettings) -> tuple[SpectCalibration, ...]:
    """Read the site's table; empty if the settings name none.

    Raises
    ------
    InvalidInputError
        If the file cannot be read, lies inside a lake, or is wrong.
    """
    chosen = settings.spect_calibrations
    if chosen is None:
        return ()
    path = chosen.expanduser()
    _refuse_inside_lake(path)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        what = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise InvalidInputError(f"table of SPECT calibrations {path}: {what}") from error
    return parse_spect_calibrations(text, f"table of SPECT calibrations {path}")


def _refuse_inside_lake(path: Path) -> None:
    try:
        refuse_inside_lake(path.parent.resolve())
    except InvalidInputError as error:
        raise InvalidInputError(
            f"table of SPECT calibrations {path} lies inside a lake; its dates are real ones"
        ) from error
