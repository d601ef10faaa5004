"""Commands of dynamic series: `kinetics` and `curves`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flows.cli.options import ClusterOptions, Location, with_groups
from flows.cli.run import require_lake, show_counts
from flows.cli.terminal import console, progress_bars
from schemas.errors import InvalidInputError


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("kinetics")(with_groups(kinetics))
    app.command()(curves)


def kinetics(
    location: Location,
    cluster: ClusterOptions,
    model: Annotated[
        str,
        typer.Option(
            help="patlak, logan, ma1, srtm, logan-reference or ratio; or the name of a profile."
        ),
    ] = "patlak",
    profile_file: Annotated[
        Path | None, typer.Option(help="TOML: a kinetic profile of your own.")
    ] = None,
    input_roi: Annotated[
        str, typer.Option(help="ROI in the blood pool, for models that take plasma.")
    ] = "aorta",
    reference_roi: Annotated[
        str, typer.Option(help="ROI in the reference tissue, for the other models.")
    ] = "cerebellum",
    roi: Annotated[
        list[str] | None,
        typer.Option(help="ROIs to fit, with * and ?; repeatable. All others by default."),
    ] = None,
    series: Annotated[
        list[str] | None, typer.Option(help="Only this series (UID in the lake); repeatable.")
    ] = None,
    blood_samples: Annotated[
        Path | None, typer.Option(help="Arterial samples (CSV or BIDS TSV), not an input ROI.")
    ] = None,
    maps: Annotated[bool, typer.Option(help="Make parametric volumes, too.")] = True,
) -> None:
    """Analyse dynamic PET: curves of ROIs, input function, kinetic model, parametric images."""
    require_lake(location)
    with progress_bars():
        from flows.kinetics import kinetics as flow

        counts = flow(
            str(location.resolve()),
            model=model,
            profile_file=None if profile_file is None else str(profile_file.resolve()),
            input_roi=input_roi,
            reference_roi=reference_roi,
            rois=roi,
            series=series,
            blood_samples=None if blood_samples is None else str(blood_samples.resolve()),
            with_maps=maps,
            dask_address=cluster.dask,
            workers=cluster.workers,
        )
    show_counts("Dynamic series", counts)


def curves(
    location: Location,
    series: Annotated[
        str,
        typer.Argument(help="Series UID or its beginning, or the key of a patient with one PET."),
    ],
    profile: Annotated[
        str | None, typer.Option(help="Kinetic profile, where there are several analyses.")
    ] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="PNG file.")] = Path("curves.png"),
) -> None:
    """Draw the curves of a dynamic series and what its kinetic model was fitted to, as PNG."""
    import lake
    from flows.curve_picture import curve_picture

    with lake.open(location, read_only=True) as lk:
        picture = curve_picture(lk, series, profile)
    try:
        output.write_bytes(picture)
    except OSError as error:
        raise InvalidInputError(f"cannot write {output}: {error.strerror}") from error
    console().print(str(output), highlight=False, soft_wrap=True, markup=False)
