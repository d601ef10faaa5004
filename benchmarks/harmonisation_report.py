"""The page and the picture of the study of image harmonisation."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from tasks.standardise.matching import Match, Widths, total_fwhm

if TYPE_CHECKING:
    from benchmarks.image_harmonisation import Centre, Measurement

_PAGE: Final = "explanation/image-harmonisation-study.md"
_PICTURE: Final = "images/image-harmonisation.png"
_METRICS: Final = {"suv_max": "SUVmax", "suv_peak": "SUVpeak", "suv_mean": "SUVmean"}
_INTRODUCTION: Final = """\
This page is made by `python -m benchmarks.image_harmonisation`. [Image harmonisation](image-
harmonisation.md) explains the method.

The same {patients} simulated patients, with a lesion of each size of the NEMA phantom, are
scanned by each of {centres} simulated centres. Each centre scans a NEMA phantom as well; what is
matched rests on that scan alone, not on the known truth of the simulator. All images come to
voxels of 2 mm by cubic B-splines. SUVmax and SUVmean are those of the lesion as painted; SUVpeak
is the highest mean in a sphere of 1 ml around its voxels.
"""
_REMAINS: Final = """\
The simulated centres are calibrated between {low:.2f} and {high:.2f} of the truth. No Gaussian
changes that: it is most of the variation that is left in large lesions, and goes only with the
calibration. Where a sharp scanner reads low, the two errors can also cancel in small lesions:
matching takes one of them away, and the variation after calibration is the one to judge it by.
The rest is noise, other positions of the voxels, and the error of the resolution as measured in
the phantom.

The limits of EARL 2 that come with this version are unverified. The simulated scanners have a
Gaussian point spread function, which is what the method assumes; real ones have tails and
overshoot, and will do worse than this page.
"""
_COLOURS: Final = {
    "as acquired": "#8c8c8c", "EARL2": "#7b5ea7", "EARL1": "#1f77b4", "cohort-worst": "#d1701f",
}  # fmt: skip


def write_study(
    docs: Path,
    centres: Sequence[Centre],
    found: Mapping[str, Mapping[str, Match | None]],
    rows: Sequence[Measurement],
    estimates: Mapping[str, list[Widths]],
    n_patients: int,
) -> None:
    """Write the page and its picture below `docs`."""
    lines = [
        "# Image harmonisation: a study on simulated centres",
        "",
        _INTRODUCTION.format(patients=n_patients, centres=len(centres)),
        "![Variation between centres and recovery by size](../images/image-harmonisation.png)",
        "",
        *_centre_lines(centres, found, estimates),
        *_variation_lines(centres, rows),
        *_recovery_lines(rows),
        *_remarks(centres, found, rows),
    ]
    (docs / _PAGE).write_text("\n".join(lines), encoding="utf-8")
    _draw(docs / _PICTURE, centres, rows)


def _centre_lines(
    centres: Sequence[Centre],
    found: Mapping[str, Mapping[str, Match | None]],
    estimates: Mapping[str, list[Widths]],
) -> Iterator[str]:
    yield "## What the phantoms say, and what it costs in resolution"
    yield ""
    yield (
        "FWHM in mm, mean of the axes. *True* and *measured* are the point spread function; "
        "*estimated* is what the edges of the patient images give, without any phantom. *Image* "
        "includes the averaging over voxels; the last columns are that of the image after matching."
    )
    yield ""
    targets = [name for name in found if name != "as acquired"]
    yield (
        "| centre | voxels (z, y, x) | true | measured | estimated | calibration true / measured | "
        "image | " + " | ".join(targets) + " |"
    )
    yield "|---|---|---|---|---|---|---|" + "---|" * len(targets)
    for centre in centres:
        p, letter = centre.profile, centre.profile.letter
        own = total_fwhm(centre.measured.fwhm_mm, centre.spacing_mm)
        guess = np.mean(estimates[letter], axis=0)
        cells = [
            letter,
            " x ".join(f"{s:.2f}" for s in centre.spacing_mm),
            f"{p.psf_fwhm_mm:.1f}",
            f"{statistics.fmean(centre.measured.fwhm_mm):.2f}",
            f"{guess.mean():.2f}",
            f"{p.calibration_factor:.2f} / {centre.calibration:.3f}",
            f"{statistics.fmean(own):.1f}",
            *(_after(own, found[target][letter]) for target in targets),
        ]
        yield "| " + " | ".join(cells) + " |"
    yield ""


def _after(own: Widths, match: Match | None) -> str:
    if match is None or match.filter_fwhm_mm is None:
        return "refused"
    total = [float(np.hypot(o, f)) for o, f in zip(own, match.filter_fwhm_mm, strict=True)]
    return f"{statistics.fmean(total):.1f}"


def _variation_lines(centres: Sequence[Centre], rows: Sequence[Measurement]) -> Iterator[str]:
    yield "## Variation between centres"
    yield ""
    yield (
        "Coefficient of variation of the same lesion between the centres (standard deviation over "
        "mean), median over the lesions of a size, in percent. *Calibrated*: divided by the "
        "calibration factor that the phantom of the centre showed, which a profile does only if it "
        "asks for it."
    )
    yield ""
    yield "| standard | centres | metric | " + _sizes(rows) + " all |"
    yield "|---|---|---|" + "---|" * (len(_diameters(rows)) + 1)
    for standard, calibrated in _variants(rows):
        of = [r for r in rows if r.standard == standard]
        n = len({r.centre for r in of})
        if n < 2:
            continue
        factors = _factors(centres, calibrated=calibrated)
        for metric, name in _METRICS.items():
            by_size = [variation(of, metric, d, factors) for d in _diameters(rows)]
            cells = " | ".join(f"{v:.1f}" for v in [*by_size, variation(of, metric, None, factors)])
            what = f"{standard}, calibrated" if calibrated else standard
            yield f"| {what} | {n} | {name} | {cells} |"
    yield ""


def _recovery_lines(rows: Sequence[Measurement]) -> Iterator[str]:
    yield "## Recovered truth"
    yield ""
    yield (
        "Measured over painted SUV, mean over patients and centres (calibration errors included). "
        "Matching makes lesions alike by making all of them as blurred as the target; it does not "
        "make them truer. Small lesions lose most."
    )
    yield ""
    yield "| standard | metric | " + _sizes(rows)
    yield "|---|---|" + "---|" * len(_diameters(rows))
    for standard in dict.fromkeys(r.standard for r in rows):
        for metric, name in _METRICS.items():
            cells = " | ".join(
                f"{recovery(rows, standard, metric, d):.2f}" for d in _diameters(rows)
            )
            yield f"| {standard} | {name} | {cells} |"
    yield ""


def _remarks(
    centres: Sequence[Centre],
    found: Mapping[str, Mapping[str, Match | None]],
    rows: Sequence[Measurement],
) -> Iterator[str]:
    yield "## What was refused"
    yield ""
    refused = [
        f"- {target}, centre {letter}: {match.detail}."
        for target, by_centre in found.items()
        for letter, match in by_centre.items()
        if match is not None and not match.is_matched
    ]
    yield from refused or ["- Nothing."]
    yield ""
    yield "## What remains"
    yield ""
    low = min(c.profile.calibration_factor for c in centres)
    high = max(c.profile.calibration_factor for c in centres)
    yield _REMAINS.format(low=low, high=high)
    yield from _worse(centres, rows)


def _worse(centres: Sequence[Centre], rows: Sequence[Measurement]) -> Iterator[str]:
    """Say where matching made lesions less alike than calibration alone."""
    factors = _factors(centres, calibrated=True)
    worse = []
    for metric, name in _METRICS.items():
        for d in _diameters(rows):
            before, after = (
                variation([r for r in rows if r.standard == s], metric, d, factors)
                for s in ("as acquired", "cohort-worst")
            )
            if after > before + 0.5:
                worse.append(f"{name} at {d:g} mm ({before:.1f} to {after:.1f} %)")
    if worse:
        yield (
            "With calibration, matching to the cohort's worst made these less alike, by more than "
            f"half a percent: {', '.join(worse)}. Smoothing leaves each centre with another noise, "
            "and the maximum of a large lesion is mostly noise."
        )
        yield ""


def _variants(rows: Sequence[Measurement]) -> Iterator[tuple[str, bool]]:
    for standard in dict.fromkeys(r.standard for r in rows):
        yield standard, False
        yield standard, True


def _factors(centres: Sequence[Centre], *, calibrated: bool) -> Mapping[str, float]:
    return {c.profile.letter: c.calibration if calibrated else 1.0 for c in centres}


def _diameters(rows: Iterable[Measurement]) -> list[float]:
    return sorted({r.diameter_mm for r in rows})


def _sizes(rows: Iterable[Measurement]) -> str:
    return " ".join(f"{d:g} mm |" for d in _diameters(rows))


def variation(
    rows: Iterable[Measurement],
    metric: str,
    diameter_mm: float | None,
    factors: Mapping[str, float],
) -> float:
    """Median over lesions of the coefficient of variation between centres, percent."""
    lesions: dict[tuple[int, float], list[float]] = {}
    for r in rows:
        if diameter_mm is None or r.diameter_mm == diameter_mm:
            value = float(getattr(r, metric)) / factors[r.centre]
            lesions.setdefault((r.patient, r.diameter_mm), []).append(value)
    spread = [100.0 * statistics.stdev(v) / statistics.fmean(v) for v in lesions.values()]
    return statistics.median(spread)


def recovery(rows: Iterable[Measurement], standard: str, metric: str, diameter_mm: float) -> float:
    """Mean of measured over true SUV."""
    return statistics.fmean(
        float(getattr(r, metric)) / r.true_suv
        for r in rows
        if r.standard == standard and r.diameter_mm == diameter_mm
    )


def _draw(place: Path, centres: Sequence[Centre], rows: Sequence[Measurement]) -> None:
    """Draw variation with and without calibration, and recovery by centre."""
    figure = Figure(figsize=(11.0, 6.6), layout="constrained")
    FigureCanvasAgg(figure)
    above, below = figure.subplots(2, 3)
    diameters = _diameters(rows)
    standards = [
        s for s in dict.fromkeys(r.standard for r in rows)
        if len({r.centre for r in rows if r.standard == s}) > 1
    ]  # fmt: skip
    for axes, (metric, name) in zip(above, _METRICS.items(), strict=True):
        for standard in standards:
            of = [r for r in rows if r.standard == standard]
            for calibrated, style in ((False, "-"), (True, ":")):
                factors = _factors(centres, calibrated=calibrated)
                values = [variation(of, metric, d, factors) for d in diameters]
                label = f"{standard}, calibrated" if calibrated else standard
                axes.plot(
                    diameters, values, style, marker="o", ms=4, color=_COLOURS[standard],
                    label=label,
                )  # fmt: skip
        axes.set(title=f"{name}: variation between centres", ylim=(0, None))
        axes.set_ylabel("coefficient of variation, %")
    for axes, standard in zip(below, ("as acquired", "EARL1", "cohort-worst"), strict=True):
        for centre in centres:
            letter = centre.profile.letter
            of = [r for r in rows if r.centre == letter]
            if any(r.standard == standard for r in of):
                values = [recovery(of, standard, "suv_max", d) for d in diameters]
                axes.plot(diameters, values, marker="o", ms=4, label=letter)
        axes.axhline(1.0, color="0.6", lw=0.8)
        axes.set(title=f"SUVmax over truth: {standard}", ylim=(0, 1.7))
    for axes in (*above, *below):
        axes.set(xlabel="lesion diameter, mm", xticks=diameters)
        axes.set_xticklabels([f"{d:g}" for d in diameters])
        axes.spines[["top", "right"]].set_visible(False)
    above[0].legend(fontsize=7, frameon=False)
    below[0].legend(
        fontsize=7, frameon=False, title="centre", title_fontsize=7, ncols=2, loc="lower right"
    )
    place.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(place, dpi=110)
