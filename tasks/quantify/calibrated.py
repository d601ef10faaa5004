"""SUV of a SPECT series whose counts a calibration made Bq/ml, from what the lake keeps of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from schemas.records import Row, SuvDerivation
from tasks.findings.row import series_finding
from tasks.quantify.calibration import AGREEMENT_PERCENT, Choice, duration_s
from tasks.quantify.normalisations import normalisations, refused_normalisations
from tasks.quantify.spect import COUNTS_STEP, MEAN, START, at_mean, spect_candidates

_SOURCE: Final = "tracerlake SUV rules"
#: Rules that these functions raise; renewed as a whole.
RULES: Final = (
    "spect.calibration_ambiguous", "spect.calibration_not_valid", "spect.calibration_gated",
    "spect.acquisition_time_missing", "spect.calibration_mapping_differs",
    "spect.decay_reference_assumed",
)  # fmt: skip


def calibrated_suv(series: Row, acquisition: Row, choice: Choice) -> SuvDerivation:
    """Derive SUVbw of a calibrated tomogram; of counts where the choice is none.

    Parameters
    ----------
    series, acquisition : dict
        Rows of `series` and `spect_acquisitions`.
    choice : Choice
        From `tasks.quantify.calibration.choose_calibration`.
    """
    if choice.calibration is None:
        return SuvDerivation("not_applicable", "CNTS", steps=(COUNTS_STEP,))
    listed = acquisition["becquerel_suv_derivation"]
    steps = (*choice.steps, *(map(str, listed) if isinstance(listed, list) else ()))
    factor = acquisition["becquerel_suv_factor"]
    if factor is None:
        code = str(acquisition["becquerel_suv_reason_code"])
        text = str(acquisition["becquerel_suv_reason_text"])
        return SuvDerivation(
            "refused", "Bq/ml", steps=steps, reason_code=code, reason_text=text,
            normalisations=refused_normalisations(code, text),
        )  # fmt: skip
    return _with_factor(series, acquisition, choice, steps)


def _with_factor(
    series: Row, acquisition: Row, choice: Choice, steps: tuple[str, ...]
) -> SuvDerivation:
    factor, half_life = _float(acquisition["becquerel_suv_factor"]), _float(series["half_life_s"])
    seconds = duration_s(choice.calibration, acquisition)
    derived = SuvDerivation(
        "suv",
        "Bq/ml",
        factors=(factor,),
        rule=f"calibration/{START}",
        steps=steps,
        half_life_s=half_life,
        candidates=spect_candidates(_float(series["uptake_time_s"]), factor, seconds, half_life),
        normalisations=normalisations(
            _known(series["patient_weight_kg"]),
            _known(series["patient_size_m"]),
            str(series["patient_sex"] or ""),
        ),
    )
    calibration = choice.calibration
    if calibration is not None and calibration.decay_reference == "mean" and seconds is not None:
        return replace(at_mean(derived, seconds), rule=f"calibration/{MEAN}")
    return derived


def calibration_findings(series: Row, acquisition: Row, choice: Choice) -> list[Row]:
    """Find what a physicist should look at about the quantification of a tomogram.

    Parameters
    ----------
    series, acquisition : dict
        Rows of `series` and `spect_acquisitions`.
    choice : Choice
        What the table says; of a tomogram with a mapping of its own it is held against that.
    """
    mapped = _known(acquisition["mapped_bqml_per_count"])
    found = []
    if choice.problem is not None and mapped is None:
        rule_id, message = choice.problem
        found.append(
            series_finding(
                series, rule_id, "warn", f"{message}: values stay counts", source=_SOURCE
            )
        )
    if mapped is not None and choice.bqml_per_count is not None:
        percent = 100 * (mapped / choice.bqml_per_count - 1)
        if abs(percent) > AGREEMENT_PERCENT:
            found.append(_differs(series, choice, percent))
    calibration = choice.calibration
    is_quantified = mapped is not None or calibration is not None
    if is_quantified and (calibration is None or calibration.decay_reference is None):
        found.append(_assumed(series))
    return found


def _differs(series: Row, choice: Choice, percent: float) -> Row:
    name = choice.calibration.id if choice.calibration else ""
    return series_finding(
        series, "spect.calibration_mapping_differs", "warn",
        "Bq/ml by the image's Real World Value Mapping, which is used, and by calibration "
        f"{name} differ by {percent:+.1f} %",
        observed_value=percent, limit_text=f"{AGREEMENT_PERCENT:g} %", source=_SOURCE,
    )  # fmt: skip


def _assumed(series: Row) -> Row:
    return series_finding(
        series, "spect.decay_reference_assumed", "info",
        "projections are assumed to be decay corrected to the start of the acquisition: the header "
        "does not say, and no calibration row does",
        source=_SOURCE,
    )  # fmt: skip


def _known(value: object) -> float | None:
    return None if value is None else float(str(value))


def _float(value: object) -> float:
    return float(str(value))
