"""Commands that run flows: `ingest`, `standardise`, `features`, `harmonise`, `nightly`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table as RichTable

from flows.cli.options import (
    ClinicalOptions,
    ClusterOptions,
    Location,
    SelectionOptions,
    with_groups,
)
from flows.cli.terminal import console, error_console, progress_bars
from schemas.errors import InvalidInputError

WatchedSources = Annotated[
    list[Path] | None,
    typer.Option("--source", help="Declared source, folder or archive; repeatable."),
]
FeatureProfileName = Annotated[str, typer.Option("--profile", help="Feature profile.")]
PetProfileName = Annotated[str, typer.Option("--pet-profile", help="Grid of PET and SPECT.")]
CtProfileName = Annotated[str, typer.Option("--ct-profile", help="Grid of CT.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    commands = (ingest, ingest_clinical, calibrate, standardise, features, harmonise, nightly)
    for command in commands:
        app.command(command.__name__.replace("_", "-"))(with_groups(command))


def ingest(
    location: Location,
    sources: Annotated[
        list[Path], typer.Argument(help="Names of declared sources, folders, archives or files.")
    ],
    selection: SelectionOptions,
    cluster: ClusterOptions,
    centre: Annotated[str | None, typer.Option(help="Centre code of all of it.")] = None,
    issuer: Annotated[
        str | None, typer.Option(help="Issuer of patient IDs where objects name none.")
    ] = None,
) -> None:
    """Take everything new or changed at the sources into the lake."""
    require_lake(location)
    wanted = selection.as_parameter()
    places = _places(location, sources)
    with progress_bars():
        from flows.ingest import ingest as flow

        counts = flow(
            str(location.resolve()),
            places,
            dask_address=cluster.dask,
            workers=cluster.workers,
            centre=centre,
            issuer=issuer,
            selection=wanted,
        )
    show_counts("Input objects", counts)
    report = location.resolve() / "reports" / "runs" / "latest.html"
    console().print(f"Report: {report}", highlight=False, soft_wrap=True)
    if counts["n_files"] == counts["n_ignored"]:
        error_console().print(
            "no DICOM objects that tracerlake reads were found there, all were ignored; see "
            "SELECT reason_code, count(*) FROM files GROUP BY ALL",
            highlight=False,
        )


def ingest_clinical(location: Location, clinical: ClinicalOptions) -> None:
    """Take clinical data (REDCap CSV, FHIR NDJSON) into the lake."""
    require_lake(location)
    if not clinical.redcap and not clinical.fhir:
        raise InvalidInputError("nothing to take in; give --redcap FILE or --fhir FILE")
    with progress_bars():
        from flows.clinical import ingest_clinical as flow

        counts = flow(str(location.resolve()), **clinical.as_parameters())
    show_counts("Clinical records", counts)


def calibrate(location: Location, cluster: ClusterOptions) -> None:
    """Apply the site's table of SPECT calibration factors to what the lake holds."""
    require_lake(location)
    with progress_bars():
        from flows.calibrate import calibrate as flow

        counts = flow(str(location.resolve()), dask_address=cluster.dask, workers=cluster.workers)
    show_counts("SPECT calibration", counts)


def standardise(
    location: Location,
    cluster: ClusterOptions,
    pet_profile: PetProfileName = "pet-4mm/1",
    ct_profile: CtProfileName = "ct-4mm/1",
    profile: Annotated[
        list[str] | None,
        typer.Option(help="Further standard profile, made beside; repeatable."),
    ] = None,
) -> None:
    """Bring raw volumes to the standard grid and resolution, in SUV where SUV can be had."""
    require_lake(location)
    with progress_bars():
        from flows.standardise import standardise as flow

        counts = flow(
            str(location.resolve()),
            pet_profile=pet_profile,
            ct_profile=ct_profile,
            profiles=profile,
            dask_address=cluster.dask,
            workers=cluster.workers,
        )
    show_counts("Standard volumes", counts)


def features(
    location: Location,
    cluster: ClusterOptions,
    profile: FeatureProfileName = "pet-fbs-0.25/1",
) -> None:
    """Draw and measure ROIs: masks that came with the images, or an SUV threshold."""
    require_lake(location)
    with progress_bars():
        from flows.features import extract_features as flow

        counts = flow(
            str(location.resolve()),
            profile=profile,
            dask_address=cluster.dask,
            workers=cluster.workers,
        )
    show_counts("ROIs", counts)


def harmonise(
    location: Location,
    profile: FeatureProfileName = "pet-fbs-0.25/1",
    standard_profile: Annotated[
        str | None, typer.Option(help="Standard profile of the images; default the usual one.")
    ] = None,
    method: Annotated[str, typer.Option(help="Harmonisation method.")] = "combat_parametric",
    covariate: Annotated[
        list[str] | None, typer.Option(help="age_years, sex or stage; repeatable.")
    ] = None,
    reference: Annotated[str | None, typer.Option(help="Centre that stays as it is.")] = None,
) -> None:
    """Make the features of all centres comparable (ComBat)."""
    require_lake(location)
    with progress_bars():
        from flows.harmonise import harmonise as flow

        result = flow(
            str(location.resolve()),
            profile=profile,
            standard_profile=standard_profile,
            method=method,
            covariates=covariate,
            reference_batch=reference,
        )
    show_counts("Harmonised values", result)


def nightly(
    location: Location,
    selection: SelectionOptions,
    clinical: ClinicalOptions,
    cluster: ClusterOptions,
    source: WatchedSources = None,
) -> None:
    """Run everything in order: ingest, clinical, standardise, features, harmonise, report."""
    require_lake(location)
    wanted = selection.as_parameter()
    places = _places(location, source or [])
    with progress_bars():
        from flows.nightly import nightly as flow

        summary = flow(
            str(location.resolve()),
            sources=places,
            selection=wanted,
            dask_address=cluster.dask,
            workers=cluster.workers,
            **clinical.as_parameters(),
        )
    for title, counts in summary["stages"].items():
        show_counts(title, counts)
    console().print(f"Report: {summary['report']}", highlight=False, soft_wrap=True)


def require_lake(location: Path) -> None:
    """Say what is wrong with the lake before Prefect starts."""
    import lake

    lake.open(location).close()


def _places(location: Path, sources: list[Path]) -> list[str]:
    """Say what is wrong with a source before Prefect starts; names of declared sources stay."""
    from flows.sources import resolve_places

    return resolve_places(location, sources)


def show_counts(title: str, counts: Mapping[str, object]) -> None:
    """Show what a flow counted as a table."""
    table = RichTable(title=title, header_style="bold", title_justify="left")
    table.add_column("what")
    table.add_column("number", justify="right")
    for name, value in counts.items():
        if value is not None:
            shown = f"{value:,}" if isinstance(value, int) else str(value)
            table.add_row(name.removeprefix("n_").replace("_", " "), shown)
    console().print(table)
