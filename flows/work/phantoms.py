"""Worker side of phantom quality control: one series, examined and drawn."""

from __future__ import annotations

from dataclasses import dataclass, field

from lake.volumes import read_raw
from schemas.errors import InvalidInputError
from schemas.records import Row
from schemas.volume import ImageVolume
from tasks.findings.row import finding_row
from tasks.phantom.analysis import PhantomResult, analyse_phantom
from tasks.phantom.fill import Fill, HeaderFacts
from tasks.phantom.limits import Limit
from tasks.phantom.model import Cylinder
from tasks.phantom.rows import (
    NOT_FOUND,
    finding_rows,
    phantom_scan_id,
    recovery_rows,
    scan_row,
)
from tasks.pictures.phantom import recovery_png, spheres_png, uniformity_png


@dataclass(frozen=True)
class PhantomJob:
    """One raw volume that is, or may be, of a phantom.

    Parameters
    ----------
    identity : dict
        Columns of `phantom_scans` that come from the series and the user.
    volume_path : str
        Raw volume.
    title : str
        Of the pictures; identifies no person.
    fill, header, limits, declared
        See `tasks.phantom.analysis.analyse_phantom`.
    is_asked_for : bool
        The user named the series: that no phantom is found then is a finding.
    """

    identity: Row
    volume_path: str
    title: str
    fill: Fill
    header: HeaderFacts
    limits: tuple[Limit, ...]
    declared: str | None
    is_asked_for: bool

    @property
    def series_instance_uid(self) -> str:
        """The series."""
        return str(self.identity["series_instance_uid"])


@dataclass(frozen=True)
class PhantomOutcome:
    """Rows and pictures of one series; no scan if no phantom was found.

    Parameters
    ----------
    scan : dict or None
        Row of `phantom_scans`.
    recovery, findings : list of dict
        Rows of `phantom_recovery` and `findings`.
    pictures : dict of str to bytes
        PNG by name.
    """

    scan: Row | None
    recovery: list[Row] = field(default_factory=list)
    findings: list[Row] = field(default_factory=list)
    pictures: dict[str, bytes] = field(default_factory=dict)


def examine_phantom(volumes_root: str, job: PhantomJob) -> PhantomOutcome:
    """Find, measure, judge and draw the phantom of one series."""
    raw = read_raw(volumes_root, job.volume_path)
    image = raw.quantified()
    try:
        result = analyse_phantom(image, job.fill, job.header, job.limits, declared=job.declared)
    except InvalidInputError as error:
        return PhantomOutcome(None, findings=_not_found(job, str(error)))
    key = phantom_scan_id(job.series_instance_uid)
    scan = {"phantom_scan_id": key, **job.identity, **scan_row(result, image.value_unit)}
    return PhantomOutcome(
        scan,
        [{"phantom_scan_id": key, **row} for row in recovery_rows(result)],
        finding_rows(result, job.series_instance_uid, job.identity.get("centre")),
        _pictures(image, result, job),
    )


def _not_found(job: PhantomJob, problem: str) -> list[Row]:
    if not job.is_asked_for:
        return []
    return [
        finding_row(
            rule_id=NOT_FOUND,
            severity="warn",
            subject_kind="series",
            subject_id=job.series_instance_uid,
            message=f"no phantom was found in the series: {problem}",
            centre=job.identity.get("centre"),
        )
    ]


def _pictures(image: ImageVolume, result: PhantomResult, job: PhantomJob) -> dict[str, bytes]:
    found = result.found
    if isinstance(found, Cylinder):
        factor = result.calibration_factor
        said = "" if factor is None else f", calibration factor {factor:.3f}"
        return {"uniformity": uniformity_png(image, found, title=f"{job.title}{said}")}
    pictures = {"spheres": spheres_png(image, found, title=job.title)}
    if result.verdicts:
        pictures["recovery"] = recovery_png(
            result.verdicts, job.limits, title=job.title, basis=f"truth: {result.truth.source}"
        )
    return pictures
