"""Commands that make lakes and simulated cohorts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flows.cli.terminal import console, progress_bars
from schemas.errors import InvalidInputError


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(init)
    app.command()(simulate)


def init(
    location: Annotated[Path, typer.Argument(help="Folder of the new lake.")],
    catalog: Annotated[
        str | None, typer.Option(help="postgresql://... for a shared lake; default: embedded.")
    ] = None,
    centre: Annotated[
        list[str] | None,
        typer.Option(help='Centre code of an institution, "Institution name=CODE"; repeatable.'),
    ] = None,
    keep_identity: Annotated[
        bool,
        typer.Option(
            "--keep-identity", help="Do not de-identify. Only for phantoms and public data."
        ),
    ] = False,
    key_dir: Annotated[
        Path | None, typer.Option(help="Folder of the secret key; must be outside the lake.")
    ] = None,
) -> None:
    """Make a new, empty lake."""
    import lake

    settings: dict[str, object] = {
        "deidentify": not keep_identity,
        "centres": dict(_centre(text) for text in centre or []),
    }
    if key_dir is not None:
        settings["key_dir"] = str(key_dir.expanduser().resolve())
    with lake.create(location, catalog=catalog, settings=settings) as made:
        keys = made.keys()
        out = console()
        out.print(f"Made lake {location}", highlight=False, soft_wrap=True)
        out.print(
            f"Key and re-identification table: {keys.folder}", highlight=False, soft_wrap=True
        )
        out.print("Keep that folder safe and apart from the lake.", highlight=False)


def _centre(text: str) -> tuple[str, str]:
    name, equals, code = text.rpartition("=")
    if not equals or not name.strip() or not code.strip():
        raise InvalidInputError(f'--centre: expected "Institution name=CODE", got {text!r}')
    return name.strip(), code.strip()


def simulate(
    out: Annotated[Path, typer.Argument(help="New folder for the cohort.")],
    centres: Annotated[int, typer.Option(min=1, help="PET/CT centres.")] = 3,
    patients: Annotated[int, typer.Option(min=1, help="Patients per PET/CT centre.")] = 12,
    spect_patients: Annotated[int, typer.Option(min=0, help="Patients of the SPECT centre.")] = 4,
    seed: Annotated[int, typer.Option(help="Same seed, same bytes.")] = 0,
    voxel_scale: Annotated[
        float, typer.Option(min=0.5, max=4.0, help="Multiplies all voxel sizes.")
    ] = 1.0,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes.")] = None,
    frames: Annotated[
        bool, typer.Option("--frames", help="Add a dynamic and a gated PET.")
    ] = False,
    phantoms: Annotated[
        bool,
        typer.Option("--phantoms", help="Add an image quality phantom and a cylinder per centre."),
    ] = False,
    kinetics: Annotated[
        bool, typer.Option("--kinetics", help="Add a dynamic PET with known rate constants.")
    ] = False,
) -> None:
    """Write a simulated multi-centre cohort as real DICOM, with its truth beside it."""
    from flows.progress import stage
    from tasks.simulate.cohort import simulate_cohort

    if out.exists() and any(out.iterdir()):
        raise InvalidInputError(f"{out} is not empty; give a new folder")
    with progress_bars(), stage("simulate", None) as progress:
        seen = 0

        def advance(done: int, total: int) -> None:
            nonlocal seen
            progress.start("simulate", total)
            progress.advance("simulate", done - seen)
            seen = done

        summary = simulate_cohort(
            out,
            centres=centres,
            patients_per_centre=patients,
            spect_patients=spect_patients,
            seed=seed,
            voxel_scale=voxel_scale,
            workers=workers,
            progress=advance,
            frames=frames,
            phantoms=phantoms,
            kinetics=kinetics,
        )
    console().print(
        f"Wrote {summary.n_patients} simulated patients of {len(summary.centres)} centres to "
        f"{summary.root}: {summary.n_files:,} DICOM files, {summary.n_lesions} lesions, "
        f"{summary.n_bytes / 1e6:,.0f} MB\n"
        f"For a lake: {summary.dicom} and {summary.clinical}; its truth: {summary.truth}",
        highlight=False,
        soft_wrap=True,
    )
