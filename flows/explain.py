"""Everything the lake knows about how the values of one series came to be."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Final

import numpy as np

from lake import Lake
from lake.volumes.read import read_lines
from schemas.errors import InvalidInputError, NotFoundInLakeError, StorageError
from schemas.records import Row
from schemas.remedies import SUV_REMEDIES

#: Series that are named if a prefix fits several.
_SHOWN: Final = 5
_SERIES: Final = (
    "SELECT series_instance_uid, modality, series_kind, is_spect, centre, manufacturer, "
    "manufacturer_model_name, radiopharmaceutical, radionuclide, half_life_s, "
    "injected_activity_bq, uptake_time_s, patient_weight_kg, patient_size_m, patient_sex, units, "
    "decay_correction, suv_status, suv_factor, suv_per_stored_min, suv_per_stored_max, suv_rule, "
    "suv_reason_code, suv_reason_text, suv_derivation, decay_reference_spread_percent, n_instances "
    "FROM series WHERE series_instance_uid = $uid"
)


@dataclass(frozen=True)
class Voxel:
    """One voxel with all numbers between its stored integer and its SUV, to check by hand.

    `index` counts from 0, (z, y, x) or (t, z, y, x).
    """

    index: tuple[int, ...]
    stored: float
    slope: float
    intercept: float
    value: float
    value_unit: str
    suv_factor: float | None
    suvbw: float | None


@dataclass(frozen=True)
class Explanation:
    """How the values of a series came to be.

    Parameters
    ----------
    series : dict
        Columns of its row.
    volumes, acquisitions, kinds, references, findings : list of dict
        Its raw volumes, and its rows of ``spect_acquisitions``, ``suv_factors``,
        ``decay_references`` and ``findings``.
    voxel : Voxel or None
        The brightest one of a slice in the middle of the largest volume.
    remedy : str or None
        What can be done about a refusal.
    """

    series: Row
    volumes: list[Row] = field(default_factory=list)
    acquisitions: list[Row] = field(default_factory=list)
    kinds: list[Row] = field(default_factory=list)
    references: list[Row] = field(default_factory=list)
    findings: list[Row] = field(default_factory=list)
    voxel: Voxel | None = None
    remedy: str | None = None

    def as_dict(self) -> dict[str, object]:
        """Everything as plain values, for JSON."""
        return asdict(self)


def explain_series(lk: Lake, name: str) -> Explanation:
    """Collect what the lake knows about a series.

    Parameters
    ----------
    lk : Lake
        The lake, of today or of a snapshot.
    name : str
        ``series_instance_uid`` or ``volume_id``, or the beginning of one.

    Raises
    ------
    NotFoundInLakeError
        If nothing begins so.
    InvalidInputError
        If several series do.
    """
    uid = find_series(lk, name)
    (series,) = _rows(lk, _SERIES, uid)
    volumes = _rows(
        lk,
        "SELECT volume_id, volume_path, part_index, part_label, value_unit, dtype, shape_t, "
        "shape_z, shape_y, shape_x, spacing_z_mm, spacing_y_mm, spacing_x_mm, value_min, value_max "
        "FROM volumes WHERE series_instance_uid = $uid AND zone = 'raw' ORDER BY part_index",
        uid,
    )
    reason = series["suv_reason_code"]
    return Explanation(
        series,
        volumes,
        acquisitions=_of_series(lk, "spect_acquisitions", uid),
        kinds=_of_series(lk, "suv_factors", uid),
        references=_of_series(lk, "decay_references", uid),
        findings=_rows(
            lk,
            "SELECT rule_id, severity, message, observed_value, limit_text, finding_source "
            "FROM findings WHERE subject_id = $uid "
            "ORDER BY list_position(['fail', 'warn', 'info'], severity), rule_id, message",
            uid,
        ),
        voxel=_voxel(lk, volumes[0]) if volumes else None,
        remedy=SUV_REMEDIES.get(str(reason)),
    )


def find_series(lk: Lake, name: str) -> str:
    """Series whose UID, or one of whose volumes, begins with `name`; errors as `explain_series`."""
    if not name.strip():
        raise InvalidInputError("name a series: its UID in the lake, or a volume, or its beginning")
    found = lk.sql(
        "SELECT series_instance_uid FROM series WHERE starts_with(series_instance_uid, $name) "
        "UNION SELECT series_instance_uid FROM volumes WHERE starts_with(volume_id, $name) "
        "ORDER BY 1",
        {"name": name.strip()},
    ).fetchall()
    uids = [str(row[0]) for row in found]
    if name.strip() in uids:
        return name.strip()
    if not uids:
        raise NotFoundInLakeError(
            f"no series or volume begins with {name!r}; see tables 'series' and 'volumes'"
        )
    if len(uids) > 1:
        more = f" and {len(uids) - _SHOWN} more" if len(uids) > _SHOWN else ""
        raise InvalidInputError(f"several series begin so: {', '.join(uids[:_SHOWN])}{more}")
    return uids[0]


def _rows(lk: Lake, query: str, uid: str) -> list[Row]:
    return [dict(row) for row in lk.sql(query, {"uid": uid}).to_arrow_table().to_pylist()]


def _of_series(lk: Lake, table: str, uid: str) -> list[Row]:
    orders = {
        "suv_factors": "list_position(['suv_bw', 'suv_lbm_janma', 'suv_lbm_james', "
        "'suv_lbm_morgan', 'suv_ibw', 'suv_bsa'], normalisation)",
        "spect_acquisitions": "part_index",
        "decay_references": "is_chosen DESC, is_considered DESC, candidate_rule",
    }
    return _rows(
        lk,
        f"SELECT * EXCLUDE (series_instance_uid, patient_key, run_id) FROM {table} "  # noqa: S608
        f"WHERE series_instance_uid = $uid ORDER BY {orders[table]}",
        uid,
    )


def _voxel(lk: Lake, volume: Row) -> Voxel | None:
    """Look at one slice; a volume that cannot be read has no example."""
    from lake.volumes import open_lazy

    path = str(volume["volume_path"])
    try:
        stored = open_lazy(lk.volumes_root, path, quantity="stored")
        lines = read_lines(lk.volumes_root, path)
        plane = tuple(n // 2 for n in stored.shape[:-2])
        values = stored[plane].values
    except (StorageError, NotFoundInLakeError):
        return None
    inside = np.unravel_index(int(values.argmax()), values.shape)
    slope, intercept = (float(lines[n][plane]) for n in ("rescale_slope", "rescale_intercept"))
    factor = float(lines["suv_factor"][plane]) if "suv_factor" in lines else None
    value = float(values[inside]) * slope + intercept
    suvbw = value if volume["value_unit"] == "SUVbw" else None
    return Voxel(
        (*plane, *(int(i) for i in inside)), float(values[inside]), slope, intercept, value,
        str(volume["value_unit"]), factor, suvbw if factor is None else value * factor,
    )  # fmt: skip
