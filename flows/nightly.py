"""Flow `nightly`: everything in order, once a night or on demand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypedDict

from prefect import get_run_logger

import lake
from flows.check_protocol import check_protocol
from flows.clinical import ingest_clinical
from flows.cluster import open_cluster
from flows.features import extract_features
from flows.harmonise import harmonise
from flows.ingest import ingest
from flows.maintenance import maintain
from flows.private_flow import private_flow
from flows.progress import logged_if_nobody_listens
from flows.qc_phantom import has_phantoms, qc_phantom
from flows.report.build import build_report
from flows.standardise import standardise


class NightlySummary(TypedDict):
    """Counts per stage and where the report lies."""

    stages: dict[str, Mapping[str, object]]
    report: str


@private_flow("nightly")
def nightly(
    location: str,
    *,
    sources: list[str] | None = None,
    selection: dict[str, object] | None = None,
    redcap: list[str] | None = None,
    fhir: list[str] | None = None,
    redcap_mapping: str | None = None,
    fhir_mapping: str | None = None,
    pet_profile: str = "pet-4mm/1",
    ct_profile: str = "ct-4mm/1",
    feature_profile: str = "pet-fbs-0.25/1",
    dask_address: str | None = None,
    workers: int | None = None,
) -> NightlySummary:
    """Ingest, standardise, measure, check, harmonise, maintain, report: each does only what is new.

    Parameters
    ----------
    location : str
        The lake.
    sources, redcap, fhir : list of str or None
        Where images and clinical data come from.
    selection : dict or None
        See `flows.ingest.ingest`.
    redcap_mapping, fhir_mapping : str or None
        See `flows.clinical.ingest_clinical`.
    """
    with (
        logged_if_nobody_listens(get_run_logger().info),
        open_cluster(dask_address, workers=workers) as client,
    ):
        address = str(client.scheduler.address)
        stages: dict[str, Mapping[str, object]] = {}
        if sources:
            stages["Input objects"] = ingest(
                location, sources, selection=selection, dask_address=address
            )
        if redcap or fhir:
            stages["Clinical records"] = ingest_clinical(
                location,
                redcap=redcap,
                fhir=fhir,
                redcap_mapping=redcap_mapping,
                fhir_mapping=fhir_mapping,
            )
        if _has_phantoms(location):  # before images are matched by the resolution they show
            stages["Phantom scans"] = qc_phantom(location, dask_address=address)
        stages["Standard volumes"] = standardise(
            location, pet_profile=pet_profile, ct_profile=ct_profile, dask_address=address
        )
        stages["ROIs"] = extract_features(location, profile=feature_profile, dask_address=address)
        stages["Protocol"] = check_protocol(location)
        stages["Harmonised values"] = harmonise(location, profile=feature_profile)
        if _is_maintained(location):
            stages["Maintenance"] = maintain(location)
        report = build_report(location, dask_address=address)
    return {"stages": stages, "report": str(report)}


def _has_phantoms(location: str) -> bool:
    with lake.open(location, read_only=True) as lk:
        return has_phantoms(lk)


def _is_maintained(location: str) -> bool:
    with lake.open(location, read_only=True) as lk:
        return lk.settings.maintenance.nightly
