"""Which of a site's calibration factors holds for a SPECT acquisition, and its Bq/ml per count."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from schemas.records import Row
from schemas.spect_calibrations import SpectCalibration

#: Largest difference between a mapping and a calibration that needs no finding.
AGREEMENT_PERCENT: Final = 10.0
_WINDOW_KEV: Final = 0.5


@dataclass(frozen=True, slots=True)
class Choice:
    """The calibration of an acquisition, or why there is none.

    Parameters
    ----------
    calibration : SpectCalibration or None
        The one that holds.
    bqml_per_count : float or None
        Bq/ml of one count by it.
    steps : tuple of str
        The arithmetic.
    problem : tuple of (rule_id, message) or None
        Why none is used although some concern this scanner and protocol.
    """

    calibration: SpectCalibration | None = None
    bqml_per_count: float | None = None
    steps: tuple[str, ...] = ()
    problem: tuple[str, str] | None = None


def choose_calibration(
    table: Sequence[SpectCalibration], series: Row, acquisition: Row, day: date | None
) -> Choice:
    """Find the calibration of an acquisition.

    Parameters
    ----------
    table : sequence of SpectCalibration
        The site's table.
    series, acquisition : dict
        Rows of `series` and `spect_acquisitions`.
    day : date or None
        Real day of the acquisition (dates in the lake are shifted); None if it is not known.
    """
    fitting = [c for c in table if _fits(c, series, acquisition)]
    if not fitting:
        return Choice()
    if day is None and any(c.valid_from or c.valid_until for c in fitting):
        return _none("spect.calibration_not_valid", "the day of the acquisition is not known")
    valid = [c for c in fitting if day is None or c.is_valid_on(day)]
    ids = ", ".join(c.id for c in fitting)
    if not valid:
        text = (
            f"calibration rows fit this scanner and protocol ({ids}), none on the day of the scan"
        )
        return _none("spect.calibration_not_valid", text)
    if len(valid) > 1:
        ids = ", ".join(c.id for c in valid)
        return _none("spect.calibration_ambiguous", f"several calibration rows fit: {ids}")
    return _applied(valid[0], acquisition)


def becquerel_per_count(calibration: SpectCalibration, acquisition: Row) -> float | None:
    """Bq/ml of one count: ``1e6 / (T V CF)``, or as the row gives it; None without T.

    T is the time of a view times the number of views, over the heads that see one each; V the
    voxel volume in ml; CF the calibration factor in counts per second and MBq.

    References
    ----------
    Dewaraja et al., MIRD Pamphlet No. 23, J Nucl Med 2012;53:1310-1325.

    Examples
    --------
    >>> row = SpectCalibration(
    ...     id="a", model="m", nuclide="Lu-177", collimator="MELP", cps_per_mbq=9.2, source="s")
    >>> scan = {"view_duration_s": 15.0, "n_views": 120, "voxel_volume_ml": 0.110592}
    >>> round(becquerel_per_count(row, scan), 3)  # 1e6 / (1800 * 0.110592 * 9.2)
    546.029
    """
    if calibration.bqml_per_count is not None:
        return calibration.bqml_per_count
    seconds = duration_s(calibration, acquisition)
    if seconds is None or calibration.cps_per_mbq is None:
        return None
    volume = float(str(acquisition["voxel_volume_ml"]))
    return 1e6 / (seconds * volume * calibration.cps_per_mbq)


def duration_s(calibration: SpectCalibration | None, acquisition: Row) -> float | None:
    """Time (s) over which the counts of a tomogram were collected; None if not stated."""
    view, n = acquisition.get("view_duration_s"), acquisition.get("n_views")
    if view is None or n is None:
        return None
    return float(str(view)) * int(str(n)) / (calibration.heads if calibration else 1)


def _applied(calibration: SpectCalibration, acquisition: Row) -> Choice:
    per_count = becquerel_per_count(calibration, acquisition)
    if per_count is None:
        return _none(
            "spect.acquisition_time_missing",
            f"calibration {calibration.id} is per second, and the time or number of views "
            "(0018,1242), (0054,0053) is absent or not the same in all rotations",
        )
    if calibration.bqml_per_count is not None:
        step = f"calibration {calibration.id}: A = counts x {per_count:.9g} Bq/ml"
        return Choice(calibration, per_count, (step,))
    view, n = acquisition["view_duration_s"], acquisition["n_views"]
    heads = f" / {calibration.heads} heads" if calibration.heads > 1 else ""
    seconds = duration_s(calibration, acquisition)
    time = f"T = time of a view (0018,1242) x views (0054,0053) = {view:g} s x {n}{heads}"
    steps = (
        f"calibration {calibration.id}: CF = {calibration.cps_per_mbq:g} counts per s and MBq",
        f"{time} = {seconds:g} s; V = {acquisition['voxel_volume_ml']:.6g} ml",
        f"A = counts / (T V CF) = counts x {per_count:.9g} Bq/ml",
    )
    return Choice(calibration, per_count, steps)


def _none(rule_id: str, message: str) -> Choice:
    return Choice(problem=(rule_id, message))


def _fits(calibration: SpectCalibration, series: Row, acquisition: Row) -> bool:
    wanted = (
        (calibration.centre, series.get("centre")),
        (calibration.scanner_key, series.get("scanner_key")),
        (calibration.model, series.get("manufacturer_model_name")),
        (calibration.nuclide, series.get("radionuclide")),
        (calibration.collimator, acquisition.get("collimator")),
        (calibration.reconstruction_key, series.get("reconstruction_key")),
    )
    if any(w is not None and not _is_same(w, found) for w, found in wanted):
        return False
    if calibration.energy_window_kev is None:
        return True
    limits = (acquisition.get(f"energy_window_{end}_kev") for end in ("lower", "upper"))
    return all(
        found is not None and abs(float(str(found)) - wanted) <= _WINDOW_KEV
        for wanted, found in zip(calibration.energy_window_kev, limits, strict=True)
    )


def _is_same(wanted: str, found: object) -> bool:
    return found is not None and wanted.strip().casefold() == str(found).strip().casefold()
