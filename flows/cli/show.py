"""The command that draws a series."""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.options import Location
from flows.cli.terminal import console, error_console
from schemas.errors import InvalidInputError

if TYPE_CHECKING:
    from flows.work.scene import Look


class View(StrEnum):
    """What can be drawn of a series."""

    MIP = "mip"
    PLANES = "planes"
    FUSED = "fused"
    HISTOGRAM = "histogram"
    PLANAR = "planar"
    ALL = "all"


class ShownZone(StrEnum):
    """Zones that hold images."""

    RAW = "raw"
    STANDARD = "standard"
    PARAMETRIC = "parametric"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(show)


def show(
    location: Location,
    series: Annotated[
        str,
        typer.Argument(
            help="Series UID or its beginning, or the key of a patient with one PET or SPECT."
        ),
    ],
    view: Annotated[
        list[View] | None, typer.Option(help="What to draw; repeatable. Default: all that applies.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="PNG file, or a folder for several pictures."),
    ] = None,
    zone: Annotated[ShownZone, typer.Option(help="As acquired, standardised, or of kinetics.")] = (
        ShownZone.RAW
    ),
    profile: Annotated[
        str | None, typer.Option(help="Profile of the volume, where there are several.")
    ] = None,
    parameter: Annotated[
        str | None, typer.Option(help="Of a parametric volume: ki, vt, bpnd ...")
    ] = None,
    part: Annotated[
        int | None, typer.Option(min=1, help="Part of a series that holds several volumes.")
    ] = None,
    quantity: Annotated[
        str, typer.Option(help="Of raw volumes: suv, native (Bq/ml, CNTS, HU) or stored.")
    ] = "suv",
    frame: Annotated[
        str | None,
        typer.Option(help="Frame of a dynamic or gated series, from 1, or sum. Default: sum."),
    ] = None,
    roi: Annotated[
        list[str] | None,
        typer.Option(help="Label of an ROI to outline; repeatable; none for no outlines."),
    ] = None,
    at: Annotated[
        str, typer.Option(help="Where the planes meet: hottest, centre, an ROI, or x,y,z in mm.")
    ] = "",
    window: Annotated[
        str | None, typer.Option(help="Lowest and highest value shown: 0,10 or -160,240.")
    ] = None,
    field_mm: Annotated[
        float | None, typer.Option("--field", min=5.0, help="Width of the planes in mm.")
    ] = None,
    snapshot: Annotated[int | None, typer.Option(help="Show the lake as it was.")] = None,
) -> None:
    """Draw a series as PNG: projections, planes with outlines, fused with CT, histogram."""
    import lake
    from flows.show import Subject
    from flows.show import show as draw

    wanted = _rois(roi)
    subject = Subject(series, zone.value, profile, part, quantity, frame, wanted, parameter)
    look = _look(view, window, at, field_mm)
    _require_place(look.views or (), output)
    with lake.open(location, read_only=True) as opened:
        lk = opened if snapshot is None else opened.at(snapshot=snapshot)
        drawn = draw(lk, subject, look)
    for name, reason in drawn.left_out.items():
        if look.views is not None:
            raise InvalidInputError(f"{name} cannot be drawn: {reason}")
        error_console().print(f"no {name}: {reason}", highlight=False, markup=False)
    for path in _write(drawn.pictures, output, series):
        console().print(str(path), highlight=False, soft_wrap=True, markup=False)


def _rois(given: list[str] | None) -> tuple[str, ...] | None:
    if given is None:
        return None
    return () if given == ["none"] else tuple(given)


def _look(view: list[View] | None, window: str | None, at: str, field_mm: float | None) -> Look:
    from flows.work.scene import Look

    place: str | tuple[float, float, float] = at
    if "," in at:
        x, y, z = _numbers(at, 3, "--at: expected x,y,z in mm, an ROI, hottest or centre")
        place = (x, y, z)
    limits = None
    if window is not None:
        low, high = _numbers(window, 2, "--window: expected two numbers such as 0,10")
        if low >= high:
            raise InvalidInputError(f"--window: {low:g} is not below {high:g}")
        limits = (low, high)
    views = [v.value for v in view or [View.ALL]]
    chosen = None if "all" in views else tuple(dict.fromkeys(views))
    return Look(chosen, limits, place, field_mm)


def _numbers(text: str, n: int, expected: str) -> list[float]:
    import math

    try:
        values = [float(v) for v in text.split(",")]
    except ValueError:
        values = []
    if len(values) != n or not all(math.isfinite(v) for v in values):
        raise InvalidInputError(f"{expected}, got {text!r}")
    return values


def _require_place(views: tuple[str, ...], output: Path | None) -> None:
    if output is not None and output.suffix.lower() == ".png" and len(views) > 1:
        raise InvalidInputError(
            f"{len(views)} pictures do not go into one file; give a folder, or one --view of: "
            f"{', '.join(views)}"
        )


def _write(pictures: dict[str, bytes], output: Path | None, series: str) -> list[Path]:
    """Write one picture to a file, or several into a folder; return the paths."""
    folder = output or Path()
    _require_place(tuple(pictures), output)
    if output is not None and output.suffix.lower() == ".png":
        places = dict.fromkeys(pictures, output)
    else:
        name = re.sub(r"[^\w.-]", "_", series)[:24]
        places = {view: folder / f"{name}-{view}.png" for view in pictures}
    try:
        for view, path in places.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(pictures[view])
    except OSError as error:
        raise InvalidInputError(f"cannot write {path}: {error.strerror}") from error
    return list(places.values())
