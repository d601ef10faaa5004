"""Which dynamic series are to be analysed, with which ROIs and what their headers say."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

import lake
from flows.derive import done_digests, input_digest
from flows.drawn_rois import DrawnRoi, drawn_rois, named
from flows.work.kinetic_job import KineticsJob
from schemas.errors import InvalidInputError
from schemas.kinetics import KINETIC_PROFILES, KineticProfile
from tasks.kinetics.bids_blood import read_bids_blood
from tasks.kinetics.input_function import BloodSamples, read_samples

#: Changes of the algorithm itself; part of every input digest.
_ALGORITHM: Final = "kinetics/1"

_SERIES: Final = """
SELECT s.series_instance_uid, s.patient_key, s.centre, s.frame_of_reference_uid, v.volume_id,
       v.volume_path, s.suv_status, s.suv_reason_code, s.decay_correction, s.half_life_s,
       epoch(s.injection_datetime) - epoch(s.acquisition_datetime) AS injection_offset_s,
       s.injected_activity_bq, s.patient_weight_kg
FROM volumes v JOIN series s USING (series_instance_uid)
WHERE v.zone = 'raw' AND v.frame_kind = 'time' AND s.modality = 'PT' AND s.series_kind = 'image'
  AND coalesce(v.part_index, 1) = 1
ORDER BY v.volume_id
"""


@dataclass(frozen=True)
class KineticsRequest:
    """What is wanted of the dynamic series of a lake.

    Parameters
    ----------
    profile : KineticProfile
        Model and its options.
    input_roi : str
        Name of the ROI in the blood pool; case does not matter, ``*`` and ``?`` stand for anything.
    reference_roi : str
        Name of the ROI in the reference tissue, for the models that take one.
    rois : tuple of str
        Names of the ROIs to fit; that of the input is never among them.
    series : tuple of str
        Only these series; empty: all.
    samples : BloodSamples or None
        Blood samples in Bq/ml of the one series that is named, instead of the input ROI.
    with_maps : bool
        Make parametric volumes, too.
    """

    profile: KineticProfile = KINETIC_PROFILES["patlak/1"]
    input_roi: str = "aorta"
    reference_roi: str = "cerebellum"
    rois: tuple[str, ...] = ("*",)
    series: tuple[str, ...] = ()
    samples: BloodSamples | None = None
    with_maps: bool = True

    def __post_init__(self) -> None:
        if self.samples is None:
            return
        if len(self.series) != 1:
            raise InvalidInputError("blood samples are of one series; name it")
        if not self.profile.needs_plasma:
            raise InvalidInputError(f"{self.profile.model} takes a reference tissue, not blood")

    @property
    def source_roi(self) -> str:
        """Name of the ROI that supplies the model."""
        return self.input_roi if self.profile.needs_plasma else self.reference_roi

    def recorded(self) -> dict[str, object]:
        """Return what the lake records of it: no paths, no samples."""
        return {
            "profile": asdict(self.profile),
            "source_roi": "samples" if self.samples else self.source_roi,
            "rois": list(self.rois),
            "series": list(self.series),
            "with_maps": self.with_maps,
        }


def profile_of(text: str) -> KineticProfile:
    """Profile by its name, or by its model (the first one of it).

    Raises
    ------
    InvalidInputError
        There is none; the known ones are named.
    """
    if text in KINETIC_PROFILES:
        return KINETIC_PROFILES[text]
    for profile in KINETIC_PROFILES.values():
        if profile.model == text.replace("-", "_"):
            return profile
    known = ", ".join(KINETIC_PROFILES)
    raise InvalidInputError(f"no kinetic profile or model {text!r}; known: {known}")


def samples_of(path: Path) -> BloodSamples:
    """Blood samples of a CSV file, or of a BIDS recording (TSV, its JSON beside it).

    Raises
    ------
    InvalidInputError
        As `read_samples` and `read_bids_blood`.
    """
    if path.suffix.lower() == ".tsv":
        return read_bids_blood(text_of(path), text_of(path.with_suffix(".json")))
    return read_samples(text_of(path))


def text_of(path: Path) -> str:
    """Content of a file that the user named.

    Raises
    ------
    InvalidInputError
        It cannot be read as UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInputError(
            f"{path.name} cannot be read as text: {type(error).__name__}"
        ) from error


def missing_jobs(lk: lake.Lake, request: KineticsRequest) -> list[KineticsJob]:
    """Jobs for dynamic series that have no analysis made from the same inputs.

    Raises
    ------
    InvalidInputError
        A series that was named is no dynamic PET series of the lake.
    """
    found = [dict(row) for row in lk.sql(_SERIES).to_arrow_table().to_pylist()]
    if request.series:
        unknown = set(request.series) - {str(s["series_instance_uid"]) for s in found}
        if unknown:
            raise InvalidInputError(f"no dynamic PET series {', '.join(sorted(unknown))}")
        found = [s for s in found if s["series_instance_uid"] in request.series]
    rois = drawn_rois(lk) if found else []
    done = done_digests(lk, "kinetic_analyses")
    jobs = (_job(series, rois, request) for series in found)
    return [job for job in jobs if job.input_digest not in done]


def _job(series: Mapping[str, Any], rois: list[DrawnRoi], request: KineticsRequest) -> KineticsJob:
    uid, profile = str(series["series_instance_uid"]), request.profile
    here = [r for r in rois if r.lies_on(uid, series["frame_of_reference_uid"])]
    sources = [] if request.samples else named(here, uid, [request.source_roi])
    taken = {r.digest for r in sources}
    targets = [r for r in named(here, uid, request.rois) if r.digest not in taken]
    has_suv = series["suv_status"] == "suv"
    samples = _samples_in_suv(series, request.samples) if has_suv else None
    job = KineticsJob(
        analysis_id="K-" + hashlib.sha256(f"{uid}|{profile.profile_id}".encode()).hexdigest()[:20],
        identity={k: series[k] for k in ("series_instance_uid", "patient_key", "centre")},
        volume_id=str(series["volume_id"]),
        volume_path=str(series["volume_path"]),
        quantity="suv" if has_suv else "native",
        is_decay_corrected=has_suv or _is_corrected(series),
        injection_offset_s=series["injection_offset_s"],
        half_life_s=series["half_life_s"],
        profile=profile,
        sources=tuple(r.source for r in sources),
        targets=tuple(r.source for r in targets),
        samples=samples,
        refuses_samples=request.samples is not None and samples is None,
        with_maps=request.with_maps,
        input_digest="",
    )
    return replace(job, input_digest=_digest(job, sources, targets))


def _digest(job: KineticsJob, sources: list[DrawnRoi], targets: list[DrawnRoi]) -> str:
    samples = job.samples and (job.samples.time_s.tolist(), job.samples.plasma.tolist())
    return input_digest(
        _ALGORITHM, job.volume_id, job.profile.digest(), [r.digest for r in sources],
        [r.digest for r in targets], samples, job.refuses_samples, job.quantity,
        job.is_decay_corrected, job.injection_offset_s, job.half_life_s, job.with_maps,
    )  # fmt: skip


def _is_corrected(series: Mapping[str, Any]) -> bool:
    """Tell whether native values of all frames are corrected to one time."""
    return (
        series["decay_correction"] in {"START", "ADMIN"}
        and series["suv_reason_code"] != "suv_decay_reference_ambiguous"
    )


def _samples_in_suv(series: Mapping[str, Any], samples: BloodSamples | None) -> BloodSamples | None:
    """Divide Bq/ml at the injection by injected activity over weight; None if not known."""
    activity, weight = series["injected_activity_bq"], series["patient_weight_kg"]
    if samples is None or not activity or not weight:
        return None
    return samples.scaled(1000.0 * float(weight) / float(activity))
