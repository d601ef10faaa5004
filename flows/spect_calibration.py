"""SPECT counts to Bq/ml and SUV, by the site's table of calibration factors.

Works on what the lake holds, never on DICOM: volumes keep their stored integers, and a new version
of a volume gets other factors to them. So a changed table is a matter of seconds a series, and
history keeps what was published with the table of its time.

Days of validity are real ones, days in the lake are shifted: the shift of a patient follows from
the lake's key, which whoever ingests has. The real day is compared in memory and goes nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from typing import Final

from flows.cluster import ClusterOnDemand
from flows.derive import done_in_batches
from flows.identities import pseudonymiser
from flows.runs import RunLog, author
from flows.work.calibrate import Calibrated, CalibrateJob, calibrate_and_store
from lake import Lake, Transaction
from schemas.records import Row, SuvDerivation
from schemas.spect_calibrations import SpectCalibration
from tasks.deidentify.pseudonyms import Pseudonyms
from tasks.ingest.image import REPEATED_COLUMNS, repeated_columns
from tasks.ingest.series_row import suv_columns
from tasks.ingest.suv_rows import decay_reference_rows, normalisation_rows
from tasks.quantify.calibrated import RULES, calibrated_suv, calibration_findings
from tasks.quantify.calibration import Choice, choose_calibration

_SERIES: Final = (
    "SELECT * FROM series WHERE series_instance_uid IN "
    "(SELECT series_instance_uid FROM spect_acquisitions) ORDER BY series_instance_uid"
)
_PARTS: Final = """
SELECT a.*, v.volume_path, v.shape_t FROM spect_acquisitions a
JOIN volumes v ON v.series_instance_uid = a.series_instance_uid AND v.zone = 'raw'
     AND coalesce(v.part_index, 1) = a.part_index
ORDER BY a.series_instance_uid, a.part_index
"""
#: Attribute of a calibrated volume, beside the columns of its series.
_ATTRIBUTE: Final = "spect_calibration"
_KIND: Final = "spect calibration"
#: So many volumes are written faster than workers start.
_FEW: Final = 8


@dataclass(frozen=True)
class Part:
    """One tomogram: its row of `spect_acquisitions`, what the table says, and what follows."""

    acquisition: Row
    volume_path: str
    choice: Choice
    digest: str | None
    suv: SuvDerivation

    @property
    def is_mapped(self) -> bool:
        """Its values are Bq/ml by its own mapping, which wins."""
        return self.acquisition["mapped_bqml_per_count"] is not None

    @property
    def is_due(self) -> bool:
        """The table says something else than when its volume was written."""
        return not self.is_mapped and self.acquisition["calibration_digest"] != self.digest


def calibrate_spect(
    lk: Lake, log: RunLog, cluster: ClusterOnDemand, table: Sequence[SpectCalibration]
) -> tuple[int, int]:
    """Bring all SPECT volumes to what the table says; return series written, findings that stand.

    Nothing is written where nothing changes.
    """
    ((n_known,),) = lk.sql("SELECT count(*) FROM spect_acquisitions").fetchall()
    if not n_known:
        return 0, 0
    parts = list(_parts(lk, table))
    due = _with_siblings([p for p in parts if p[1].is_due], parts)
    n_series = len({str(series["series_instance_uid"]) for series, _ in due})
    if due:
        _requantify(lk, log, cluster, due)
    return n_series, _renew_findings(lk, log, parts)


def _parts(lk: Lake, table: Sequence[SpectCalibration]) -> Iterator[tuple[Row, Part]]:
    """Yield every tomogram with the row of its series and what the table says of it."""
    series = {str(r["series_instance_uid"]): r for r in _rows(lk, _SERIES)}
    if not series:
        return
    names = pseudonymiser(lk.settings, lk.keys()) if table else None
    for acquisition in _rows(lk, _PARTS):
        row = series[str(acquisition["series_instance_uid"])]
        is_gated = acquisition.pop("shape_t") is not None
        path = str(acquisition.pop("volume_path"))
        choice = _choice(table, row, acquisition, names, is_gated=is_gated)
        suv = calibrated_suv(row, acquisition, choice)
        yield row, Part(acquisition, path, choice, _digest(choice, names), suv)


def _rows(lk: Lake, query: str) -> list[Row]:
    return [dict(row) for row in lk.sql(query).to_arrow_table().to_pylist()]


def _choice(
    table: Sequence[SpectCalibration],
    series: Row,
    acquisition: Row,
    names: Pseudonyms | None,
    *,
    is_gated: bool,
) -> Choice:
    if names is None:
        return Choice()
    choice = choose_calibration(table, series, acquisition, real_day(series, names))
    if is_gated and choice.calibration is not None:
        message = f"gated: calibration {choice.calibration.id} is for the whole acquisition"
        return Choice(problem=("spect.calibration_gated", message))
    return choice


def real_day(series: Row, names: Pseudonyms) -> date | None:
    """Day of the acquisition as the site knows it, from the shifted one in the lake.

    Parameters
    ----------
    series : dict
        Row of `series`.
    names : Pseudonyms
        With the lake's key.
    """
    shifted = series["acquisition_datetime"] or series["study_datetime"]
    if not isinstance(shifted, datetime):
        return None
    return shifted.date() - timedelta(days=names.shift_days(str(series["patient_key"])))


def _digest(choice: Choice, names: Pseudonyms | None) -> str | None:
    """Keyed, so that dates of validity cannot be found from it by trying."""
    if choice.calibration is None or names is None:
        return None
    return names.record_key(_KIND, choice.calibration.canonical)


def _with_siblings(
    due: list[tuple[Row, Part]], parts: list[tuple[Row, Part]]
) -> list[tuple[Row, Part]]:
    """All parts of the series that one is due of: their rows are written together."""
    uids = {str(series["series_instance_uid"]) for series, _ in due}
    return [p for p in parts if str(p[0]["series_instance_uid"]) in uids and not p[1].is_mapped]


def _requantify(
    lk: Lake, log: RunLog, cluster: ClusterOnDemand, due: list[tuple[Row, Part]]
) -> None:
    parts = {_job_key(part.acquisition): (series, part) for series, part in due}
    work = partial(calibrate_and_store, lk.volumes_root)
    jobs = [_job(series, part) for series, part in parts.values()]
    for batch in _done(cluster, work, jobs):
        _publish(
            lk, log, [(*parts[job.series_instance_uid, job.part_index], c) for job, c in batch]
        )


def _done(
    cluster: ClusterOnDemand, work: Callable[[CalibrateJob], Calibrated], jobs: list[CalibrateJob]
) -> Iterator[list[tuple[CalibrateJob, Calibrated]]]:
    """Yield written volumes in batches; a failure ends the run after what could be written."""
    if len(jobs) <= _FEW:
        yield [(job, work(job)) for job in jobs]
        return
    failures: list[BaseException] = []
    for batch in done_in_batches(cluster.client, "calibrate", work, jobs):
        yield [(d.job, d.result) for d in batch if d.result is not None]
        failures += [d.error for d in batch if d.error is not None]
    if failures:
        raise failures[0]


def _job_key(acquisition: Row) -> tuple[str, int]:
    return str(acquisition["series_instance_uid"]), int(str(acquisition["part_index"]))


def _job(series: Row, part: Part) -> CalibrateJob:
    uid, index = _job_key(part.acquisition)
    per_count = part.choice.bqml_per_count or 1.0
    slope, intercept = (float(str(part.acquisition[f"counts_{n}"])) for n in ("slope", "intercept"))
    attributes: dict[str, object] = repeated_columns({**series, **suv_columns(part.suv)})
    if part.choice.calibration is not None:
        attributes[_ATTRIBUTE] = {
            "id": part.choice.calibration.id, "digest": part.digest,
            "bqml_per_count": part.choice.bqml_per_count,
        }  # fmt: skip
    return CalibrateJob(
        uid, part.volume_path, index, slope * per_count, intercept * per_count,
        part.suv.value_unit, part.suv.factors[0] if part.suv.factors else None,
        attributes, frozenset({*REPEATED_COLUMNS, _ATTRIBUTE}),
    )  # fmt: skip


def _publish(lk: Lake, log: RunLog, made: list[tuple[Row, Part, Calibrated]]) -> None:
    """Commit the new volumes and everything that depends on their factors."""
    firsts = [(s, p, c) for s, p, c in made if p.acquisition["part_index"] == 1]
    series = [_series_row(*one) for one in firsts]
    uids = sorted({str(row["series_instance_uid"]) for row in series})
    by_uid = {str(row["series_instance_uid"]): row for row in series}
    factors = [r for s, p, _ in firsts for r in _factor_rows(by_uid, s, p)]
    references = [r for s, p, _ in firsts for r in decay_reference_rows(s, p.suv)]
    volumes = [c.volume for _, _, c in made]
    acquisitions = [_acquisition_row(p) for _, p, _ in made]

    def write(tx: Transaction) -> None:
        scope = ("series_instance_uid", "zone", "part_index")
        tx.replace("volumes", log.stamp(volumes), scope=scope)
        tx.replace(
            "spect_acquisitions",
            log.stamp(acquisitions),
            scope=("series_instance_uid", "part_index"),
        )
        tx.replace("series", log.stamp(series), scope=("series_instance_uid",))
        for table, rows in (("suv_factors", factors), ("decay_references", references)):
            tx.delete(table, {"series_instance_uid": uids})
            tx.insert(table, log.stamp(rows))

    message = log.message(f"{len(volumes)} SPECT volumes calibrated")
    lk.commit(write, message=message, author=author())


def _factor_rows(by_uid: dict[str, Row], series: Row, part: Part) -> list[Row]:
    return normalisation_rows(by_uid[str(series["series_instance_uid"])], part.suv.normalisations)


def _series_row(series: Row, part: Part, made: Calibrated) -> Row:
    factor = part.suv.factors[0] if part.suv.factors else None
    return {
        **series,
        **suv_columns(part.suv),
        "suv_factor": factor,
        "suv_per_stored_min": made.suv_per_stored,
        "suv_per_stored_max": made.suv_per_stored,
    }


def _acquisition_row(part: Part) -> Row:
    calibration = part.choice.calibration
    return {
        **part.acquisition,
        "calibration_id": calibration and calibration.id,
        "calibration_digest": part.digest,
        "calibrated_bqml_per_count": part.choice.bqml_per_count if calibration else None,
    }


def _renew_findings(lk: Lake, log: RunLog, parts: list[tuple[Row, Part]]) -> int:
    """Replace the findings about calibration by those that hold now, if they differ."""
    made = {
        str(finding["finding_id"]): finding
        for series, part in parts
        for finding in calibration_findings(series, part.acquisition, part.choice)
    }
    known = lk.sql(
        "SELECT finding_id FROM findings WHERE list_contains($rules, rule_id)",
        {"rules": list(RULES)},
    ).fetchall()
    if {row[0] for row in known} != set(made):

        def renew(tx: Transaction) -> None:
            tx.delete("findings", {"rule_id": list(RULES)})
            tx.insert("findings", log.stamp(list(made.values())))

        message = log.message(f"{len(made)} findings about SPECT calibration")
        lk.commit(renew, message=message, author=author())
    return len(made)
