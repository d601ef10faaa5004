"""Command `qc-phantom`: quality control with phantoms."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table as RichTable

from flows.cli.options import ClusterOptions, Location, with_groups
from flows.cli.run import require_lake, show_counts
from flows.cli.terminal import console, progress_bars

_SHOWN = """
SELECT phantom_scan_id, centre, phantom_kind, reconstruction_key, measured_on, valid_until_day,
       phantom_verdict, standards_met, limit_status, calibration_factor, background_cov_percent,
       psf_fwhm_z_mm, psf_fwhm_y_mm, psf_fwhm_x_mm
FROM phantom_scans WHERE NOT is_superseded ORDER BY centre, phantom_kind, phantom_scan_id
"""


@dataclass(frozen=True)
class FillOptions:
    """What is known of the filling; without a series of its own for all series of the call."""

    kind: Annotated[str, typer.Option(help="iq, cylinder, or auto: by its shape.")] = "auto"
    ratio: Annotated[
        float | None, typer.Option(help="Filled concentration of spheres over background.")
    ] = None
    activity_mbq: Annotated[
        float | None, typer.Option("--activity", help="MBq in cylinder or background.")
    ] = None
    volume_ml: Annotated[
        float | None, typer.Option("--volume", help="ml of cylinder or background.")
    ] = None
    assay_time: Annotated[
        str | None, typer.Option(help="When the activity was measured, HH:MM:SS.")
    ] = None
    sphere_activity_mbq: Annotated[
        float | None, typer.Option("--sphere-activity", help="MBq in the spheres' stock solution.")
    ] = None
    sphere_volume_ml: Annotated[
        float | None, typer.Option("--sphere-volume", help="ml of the spheres' stock solution.")
    ] = None
    sphere_assay_time: Annotated[
        str | None, typer.Option(help="When that activity was measured, HH:MM:SS.")
    ] = None
    concentration_bqml: Annotated[
        float | None,
        typer.Option("--concentration", help="Instead: Bq/ml at the decay reference."),
    ] = None
    sphere_concentration_bqml: Annotated[
        float | None, typer.Option("--sphere-concentration", help="The same of the spheres.")
    ] = None
    measured_on: Annotated[
        str | None, typer.Option(help="Real day of the scan, YYYY-MM-DD, without the key.")
    ] = None

    def as_parameter(self) -> dict[str, object] | None:
        """Return what was said; None if nothing was."""
        plain = FillOptions()
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        said = {k: v for k, v in values.items() if v != getattr(plain, k)}
        return said or None


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("qc-phantom")(with_groups(qc_phantom))


def qc_phantom(
    location: Location,
    fill: FillOptions,
    cluster: ClusterOptions,
    series: Annotated[
        list[str] | None,
        typer.Argument(help="Series; default: those known or named as phantoms, and of --fill."),
    ] = None,
    fill_file: Annotated[
        Path | None, typer.Option("--fill", help="TOML: what each phantom was filled with.")
    ] = None,
    standard: Annotated[
        str | None, typer.Option(help="Standard that the reconstruction is said to meet.")
    ] = None,
    limits: Annotated[
        Path | None, typer.Option(help="CSV of limits instead of those of tracerlake.")
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Look at every PET and SPECT series for phantoms.")
    ] = False,
) -> None:
    """Find phantoms, measure recovery, resolution and calibration, hold them against limits."""
    require_lake(location)
    with progress_bars():
        from flows.qc_phantom import qc_phantom as flow

        counts = flow(
            str(location.resolve()),
            series=series or None,
            said=fill.as_parameter(),
            fill=str(fill_file.resolve()) if fill_file else None,
            standard=standard,
            limits=str(limits.resolve()) if limits else None,
            everything=everything,
            dask_address=cluster.dask,
            workers=cluster.workers,
        )
    show_counts("Phantom scans", counts)
    _show_scans(location)


def _show_scans(location: Path) -> None:
    """Show the current scan of each scanner and reconstruction, and where its pictures lie."""
    import lake

    with lake.open(location, read_only=True) as lk:
        rows = lk.sql(_SHOWN).to_arrow_table().to_pylist()
        pictures = lk.folder.reports / "phantoms"
    if not rows:
        return
    table = RichTable(title="Current scans", header_style="bold", title_justify="left")
    for name in ("centre", "kind", "valid until", "verdict", "in band of", "calib.", "COV %",
                 "FWHM z y x mm"):  # fmt: skip
        table.add_column(name)
    for row in rows:
        widths = [row[f"psf_fwhm_{axis}_mm"] for axis in "zyx"]
        factor, met = row["calibration_factor"], ", ".join(row["standards_met"] or [])
        table.add_row(
            str(row["centre"] or ""),
            str(row["phantom_kind"]),
            str(row["valid_until_day"] or "unknown"),
            str(row["phantom_verdict"]),
            f"{met} (unverified)" if met and row["limit_status"] != "verified" else met,
            "" if factor is None else f"{factor:.3f}",
            f"{row['background_cov_percent']:.1f}",
            "" if widths[0] is None else " ".join(f"{w:.1f}" for w in widths),
        )
    console().print(table)
    console().print(f"Pictures: {pictures}", highlight=False, soft_wrap=True)
