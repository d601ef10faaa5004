"""An explanation as lines that a physicist can follow with a pocket calculator."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from flows.explain import Explanation, Voxel
from schemas.records import Row

_WIDTH: Final = 100


def explanation_lines(found: Explanation) -> list[str]:
    """Write an explanation as text.

    Parameters
    ----------
    found : Explanation
        From `flows.explain.explain_series`.

    Returns
    -------
    list of str
        Lines of at most about 100 characters.
    """
    sections = (
        _head(found), _verdict(found), _acquisition(found), _derivation(found), _by_hand(found),
        _references(found), _kinds(found), _findings(found),
    )  # fmt: skip
    lines: list[str] = []
    for section in sections:
        block = list(section)
        lines += [*([""] if lines and block else []), *block]
    return lines


def _head(found: Explanation) -> Iterator[str]:
    s = found.series
    kind = "SPECT" if s["is_spect"] else s["modality"]
    made_by = " ".join(str(s[k]) for k in ("manufacturer", "manufacturer_model_name") if s[k])
    yield f"Series {s['series_instance_uid']}"
    about = [f"{kind} {s['series_kind']}", made_by, s["radiopharmaceutical"], s["radionuclide"]]
    yield "  " + ", ".join(str(part) for part in about if part)
    for v in found.volumes:
        shape = [v[k] for k in ("shape_t", "shape_z", "shape_y", "shape_x") if v[k] is not None]
        label = f" (part {v['part_index']}: {v['part_label']})" if v["part_label"] else ""
        yield (
            f"  volume {str(v['volume_id'])[:16]}{label}: {' x '.join(map(str, shape))} "
            f"{v['dtype']}, {_number(v['value_min'])} to {_number(v['value_max'])} "
            f"{v['value_unit']}"
        )
    if not found.volumes:
        yield "  no volume"
    elif len(found.volumes) > 1:
        yield "  The derivation below is that of the first, largest volume."


def _verdict(found: Explanation) -> Iterator[str]:
    s = found.series
    status = s["suv_status"]
    if status == "suv":
        yield f"SUVbw = value x {_factor(found)}, by rule {s['suv_rule']}"
    elif status == "refused":
        yield f"SUV refused: {s['suv_reason_code']}"
        yield from _wrapped(str(s["suv_reason_text"]))
        if found.remedy:
            yield from _wrapped(f"What to do: {found.remedy}")
    elif not found.volumes:
        yield "SUV does not apply: the series has no voxels of its own."
    else:
        unit = found.volumes[0]["value_unit"]
        what = {"HU": "Hounsfield units", "CNTS": "counts", "1": "numbers without a known unit"}
        yield f"SUV does not apply: values are {what.get(str(unit), unit)}."


def _factor(found: Explanation) -> str:
    s = found.series
    if s["suv_factor"] is not None:
        return f"{float(str(s['suv_factor'])):.9g}"
    return "a factor of each slice"


def _acquisition(found: Explanation) -> Iterator[str]:
    """Say what a calibration of SPECT counts goes by."""
    for a in found.acquisitions:
        part = f" (part {a['part_index']})" if len(found.acquisitions) > 1 else ""
        yield f"Acquisition{part}"
        window = [a[f"energy_window_{end}_kev"] for end in ("lower", "upper")]
        limits = "not known" if None in window else f"{window[0]} to {window[1]} keV"
        yield f"  collimator {a['collimator'] or 'not known'}, energy window {limits}"
        views = (a["n_views"], a["view_duration_s"])
        timing = "views not known" if None in views else f"{views[0]} views of {views[1]:g} s"
        yield f"  {timing}; voxel {_number(a['voxel_volume_ml'])} ml"
        mapped, calibrated = a["mapped_bqml_per_count"], a["calibrated_bqml_per_count"]
        if mapped is not None:
            yield f"  Bq/ml by Real World Value Mapping: {_number(mapped)} per count"
        elif calibrated is not None:
            yield f"  Bq/ml by calibration {a['calibration_id']}: {_number(calibrated)} per count"
        else:
            yield "  no Real World Value Mapping to Bq/ml, and no calibration factor that holds"
            yield from _wrapped(
                "What to do: add a factor to the site's table of SPECT calibrations (setting "
                "spect_calibrations), then `tracerlake calibrate`."
            )


def _derivation(found: Explanation) -> Iterator[str]:
    steps = found.series["suv_derivation"]
    if not isinstance(steps, list) or not steps:
        return
    yield "Derivation"
    for number, step in enumerate(steps, start=1):
        yield from _wrapped(f"{step}", first=f"  {number:2}  ", rest="      ")


def _by_hand(found: Explanation) -> Iterator[str]:
    voxel = found.voxel
    if voxel is None:
        return
    low, high = (found.series[f"suv_per_stored_{end}"] for end in ("min", "max"))
    yield f"One voxel by hand, index {'tzyx'[-len(voxel.index) :]} = {voxel.index} from 0"
    yield f"  {_rescaling(voxel)}"
    if voxel.suv_factor is not None:
        yield (
            f"  SUVbw = {_number(voxel.value)} x {voxel.suv_factor:.9g} = {_number(voxel.suvbw)}"
        )
    if low is not None:
        yield f"  SUVbw of one stored unit over all slices: {_number(low)} to {_number(high)}"


def _rescaling(voxel: Voxel) -> str:
    sign = "-" if voxel.intercept < 0 else "+"
    plus = f" {sign} {abs(voxel.intercept):.9g}" if voxel.intercept else ""
    return (
        f"value = {voxel.stored:.9g} x {voxel.slope:.9g}{plus} = {_number(voxel.value)} "
        f"{voxel.value_unit}"
    )


def _references(found: Explanation) -> Iterator[str]:
    if not found.references:
        return
    yield "What the image may have been decay corrected to"
    rows = [
        (
            str(r["candidate_rule"]),
            _span(r["reference_first_s"], r["reference_last_s"]),
            "" if r["candidate_factor"] is None else _number(r["candidate_factor"]),
            "" if r["difference_percent"] is None else f"{_signed(r['difference_percent'])} %",
            _standing(r),
        )
        for r in found.references
    ]
    yield from _table(("time", "after injection", "factor", "of chosen", ""), rows)
    spread = found.series["decay_reference_spread_percent"]
    if spread is not None:
        yield f"  spread of SUV over the times that may be it: {_number(spread)} %"


def _standing(row: Row) -> str:
    if row["is_chosen"]:
        return "chosen"
    return f"compared only: {row['candidate_remark']}" if row["candidate_remark"] else "possible"


def _span(first: object, last: object) -> str:
    if first is None:
        return "not known"
    start, end = float(str(first)), float(str(last))
    return f"{start:.1f} s" if end - start < 0.05 else f"{start:.1f} to {end:.1f} s"


def _kinds(found: Explanation) -> Iterator[str]:
    if not found.kinds or found.series["suv_status"] != "suv":
        return
    yield f"Kinds of SUV, as multiples of SUVbw; {_patient(found.series)}"
    rows = [
        (
            str(k["normalisation"]),
            "refused" if k["per_suvbw"] is None else _number(k["per_suvbw"]),
            str(k["suv_unit"]),
            _measure(k),
            _remark(k),
        )
        for k in found.kinds
    ]
    yield from _table(("kind", "x SUVbw", "unit", "normalised by", ""), rows)
    texts = {
        f"{k['normalisation_reason_code']}: {k['normalisation_reason_text']}"
        for k in found.kinds
        if k["normalisation_reason_code"]
    }
    for text in sorted(texts):
        yield from _wrapped(text, rest="    ")


def _remark(kind: Row) -> str:
    """Reason of a refusal, or the formula with a warning about it."""
    parts = (kind[f"normalisation_{what}"] for what in ("reason_code", "step", "warning"))
    return "; ".join(str(part) for part in parts if part)


def _patient(series: Row) -> str:
    known = (
        ("W", "patient_weight_kg", " kg"),
        ("H", "patient_size_m", " m"),
        ("sex", "patient_sex", ""),
    )
    return ", ".join(
        f"{name} = {'not known' if series[column] is None else f'{series[column]}{unit}'}"
        for name, column, unit in known
    )


def _measure(row: Row) -> str:
    value = row["normalised_by"]
    return "" if value is None else f"{_number(value)} {row['normalised_by_unit']}"


def _findings(found: Explanation) -> Iterator[str]:
    if not found.findings:
        return
    yield "Findings"
    for f in found.findings:
        yield from _wrapped(
            f"{f['severity']}: {f['message']} [{f['rule_id']}]", first="  ", rest="    "
        )


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Columns; the last one is free text and wraps under itself."""
    listed = [tuple(header), *rows]
    widths = [max(len(row[i]) for row in listed) for i in range(len(header) - 1)]
    indent = 2 + sum(widths) + 2 * len(widths)
    for row in listed:
        start = "  " + "".join(
            f"{cell:<{width}}  " for cell, width in zip(row[:-1], widths, strict=True)
        )
        text = textwrap.wrap(row[-1], max(24, _WIDTH - indent)) or [""]
        yield (start + text[0]).rstrip()
        yield from (" " * indent + line for line in text[1:])


def _wrapped(text: str, first: str = "  ", rest: str = "  ") -> list[str]:
    return textwrap.wrap(
        text, _WIDTH, initial_indent=first, subsequent_indent=rest, break_long_words=False
    )


def _number(value: object) -> str:
    return "not known" if value is None else f"{float(str(value)):.6g}"


def _signed(value: object) -> str:
    number = float(str(value))
    return "0" if abs(number) < 5e-4 else f"{number:+.3g}"
