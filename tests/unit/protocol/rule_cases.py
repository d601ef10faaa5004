"""For every rule of the default protocol: facts at, below and above its limits, and the outcome.

All numbers are worked out by hand; FIRST_VISIT and CLINICAL say from what.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from schemas.records import Row

#: A study without fault, F-18 FDG.
GOOD: Final[Row] = {
    "series_instance_uid": "2.25.1", "study_instance_uid": "2.25.9", "patient_key": "p",
    "centre": "A", "modality": "PT", "series_kind": "image", "is_spect": False,
    "is_measured": True, "frame_kind": None, "radiopharmaceutical": "FDG", "radionuclide": "F-18",
    "uptake_time_s": 3600.0, "injected_activity_bq": 250e6, "patient_weight_kg": 80.0,
    "patient_size_m": 1.75, "patient_sex": "M", "patient_age_years": 60.0, "half_life_s": 6586.2,
    "injection_datetime": datetime.fromisoformat("2024-01-02T10:00:00"),
    "decay_reference_spread_percent": 0.1, "attenuation_corrected": True,
    "corrected_image": ["DECY", "ATTN", "SCAT", "RAN", "DTIM", "NORM"], "suv_status": "suv",
    "body_suv_mean": 0.9, "activity_in_view_percent": 80.0,
    "shape_z": 300, "spacing_z_mm": 3.0, "spacing_y_mm": 4.0, "spacing_x_mm": 4.0,
    "scanner_key": "SC-1", "reconstruction_key": "OSEM TOF 2i21s",
    "liver_suv_mean": 2.0, "liver_suv_sd": 0.16, "liver_volume_ml": 14.0,
}  # fmt: skip
#: As it was at the first visit.
FIRST_VISIT: Final[Row] = {
    "first_series_uid": "2.25.2", "first_uptake_time_s": 3600.0,
    "first_injected_activity_bq": 250e6, "first_patient_weight_kg": 80.0,
    "first_patient_size_m": 1.75, "first_patient_sex": "M", "first_scanner_key": "SC-1",
    "first_reconstruction_key": "OSEM TOF 2i21s", "first_liver_suv_mean": 2.0,
}  # fmt: skip
#: As the eCRF has it, on the day of the study.
CLINICAL: Final[Row] = {
    "clinical_glucose": 5.5, "clinical_glucose_days": 0, "clinical_fasting": 6.0,
    "clinical_fasting_days": 0, "clinical_residual_activity": 5.0,
    "clinical_residual_activity_days": 0, "clinical_weight": 80.0, "clinical_weight_days": 0,
    "clinical_injected_activity": 250.0, "clinical_injected_activity_days": 0,
    "clinical_injection_time": 10.0, "clinical_injection_time_days": 0,
}  # fmt: skip
COMPLETE: Final[Row] = GOOD | FIRST_VISIT | CLINICAL
ALL: Final = ["DECY", "ATTN", "SCAT", "RAN", "DTIM", "NORM"]

#: Percent by which SUV falls over 60 and 61 s of a half-life of 6586.2 s:
#: 100 (1 - 2^(-60/6586.2)) = 0.62946, 100 (1 - 2^(-61/6586.2)) = 0.63992.
SPREAD_60_S, SPREAD_61_S = 0.62946, 0.63992


def _without(word: str) -> Row:
    return {"corrected_image": [w for w in ALL if w != word]}


def _minutes(value: float, **more: object) -> Row:
    return {"uptake_time_s": value * 60, **more}


def _psma(value: float) -> Row:
    return _minutes(value, radiopharmaceutical="PSMA-11", radionuclide="Ga-68", half_life_s=4062.0)


def _tate(value: float) -> Row:
    return _minutes(value, radiopharmaceutical="DOTATOC", radionuclide="Ga-68", half_life_s=4062.0)


Case = tuple[Row, str | None]
#: Rule, changes to COMPLETE, outcome (None: the rule is not about it).
CASES: Final[dict[str, list[Case]]] = {
    "UPT-1": [
        (_minutes(44.9), "fail"), (_minutes(45), "warn"), (_minutes(54.9), "warn"),
        (_minutes(55), "passed"), (_minutes(75), "passed"), (_minutes(75.1), "warn"),
        (_minutes(110), "warn"), (_minutes(110.1), "fail"),
        (_minutes(20, radiopharmaceutical="PSMA-1007"), None),
        (_minutes(20, frame_kind="time"), None),
        ({"uptake_time_s": None}, "not_checkable"),
        ({"radiopharmaceutical": None}, "not_checkable"),
        ({"radiopharmaceutical": None, "radionuclide": "Ga-68"}, None),
    ],
    "UPT-2": [
        (_minutes(70), "passed"), (_minutes(70.1), "warn"), (_minutes(50), "passed"),
        (_minutes(49.9), "warn"), ({"first_series_uid": None}, None),
        ({"first_series_uid": None, "uptake_time_s": None}, None),
        ({"first_uptake_time_s": None}, "not_checkable"),
    ],
    "UPT-4.PSMA-11": [
        (_psma(49.9), "warn"), (_psma(50), "passed"), (_psma(100), "passed"),
        (_psma(100.1), "warn"), ({}, None),
    ],
    "UPT-4.DOTATATE": [
        (_tate(44.9), "warn"), (_tate(45), "passed"), (_tate(90), "passed"), (_tate(90.1), "warn"),
    ],
    "UPT-4.NaF": [
        (_minutes(44.9, radiopharmaceutical="NaF"), "warn"),
        (_minutes(45, radiopharmaceutical="NaF"), "passed"),
        (_minutes(90.1, radiopharmaceutical="NaF"), "warn"),
    ],
    "UPT-4.FET": [
        (_minutes(14.9, radiopharmaceutical="FET"), "warn"),
        (_minutes(15, radiopharmaceutical="FET"), "passed"),
        (_minutes(40.1, radiopharmaceutical="FET"), "warn"),
        (_minutes(0, radiopharmaceutical="FET", frame_kind="time"), None),
    ],
    "UPT-4.Zr-89": [
        (_minutes(60, radionuclide="Zr-89"), "warn"),
        (_minutes(1380, radionuclide="Zr-89"), "passed"),
        (_minutes(14400, radionuclide="Zr-89"), "passed"),
        (_minutes(14401, radionuclide="Zr-89"), "warn"),
    ],
    "GLU-1": [
        ({"clinical_glucose": 7.0}, "passed"), ({"clinical_glucose": 7.01}, "warn"),
        ({"clinical_glucose": 11.1}, "warn"), ({"clinical_glucose": 11.11}, "fail"),
        ({"clinical_glucose": 15.0, "radiopharmaceutical": "PSMA-1007"}, None),
        ({"clinical_glucose": None}, "not_checkable"),
        ({"clinical_glucose_days": 1}, "passed"), ({"clinical_glucose_days": 2}, "not_checkable"),
        ({"clinical_glucose_days": None}, "not_checkable"),
    ],
    "GLU-2": [
        ({"clinical_glucose": 2.19}, "warn"), ({"clinical_glucose": 2.2}, "passed"),
        ({"clinical_glucose": 33.0}, "passed"), ({"clinical_glucose": 33.1}, "warn"),
    ],
    "FAST-1": [
        ({"clinical_fasting": 3.9}, "warn"), ({"clinical_fasting": 4.0}, "passed"),
        ({"clinical_fasting": None}, "not_checkable"),
    ],
    "ACT-1": [
        ({"injected_activity_bq": 300e6}, "passed"), ({"injected_activity_bq": 301e6}, "warn"),
        ({"injected_activity_bq": 200e6}, "passed"), ({"injected_activity_bq": 199e6}, "warn"),
        ({"first_injected_activity_bq": None}, "not_checkable"),
    ],
    "ACT-2": [
        ({"injected_activity_bq": 80e6 * 1.49}, "warn"),
        ({"injected_activity_bq": 80e6 * 1.5}, "passed"),
        ({"injected_activity_bq": 80e6 * 7}, "passed"),
        ({"injected_activity_bq": 80e6 * 7.01}, "warn"),
        ({"patient_weight_kg": None}, "not_checkable"),
        ({"patient_weight_kg": 0.0}, "not_checkable"),
    ],
    "ACT-2.range": [
        ({"injected_activity_bq": 0.99e6}, "fail"), ({"injected_activity_bq": 1e6}, "passed"),
        ({"injected_activity_bq": 4e9}, "passed"), ({"injected_activity_bq": 4.01e9}, "fail"),
        ({"injected_activity_bq": 7e9, "is_spect": True}, None),
    ],
    "RES-1": [
        ({"clinical_residual_activity": 25.0}, "passed"),
        ({"clinical_residual_activity": 25.1}, "warn"),
        ({"clinical_residual_activity": None}, "not_checkable"),
    ],
    "CLK-1": [
        ({"uptake_time_s": -0.1}, "fail"), ({"uptake_time_s": 0.0}, "passed"),
        ({"uptake_time_s": -10.0, "frame_kind": "time"}, None),
    ],
    "CLK-2": [
        ({"clinical_injection_time": 10 + 5 / 60}, "passed"),
        ({"clinical_injection_time": 10 + 6 / 60}, "warn"),
        ({"clinical_injection_time": 10.5}, "warn"), ({"clinical_injection_time": 9.4}, "fail"),
        # 23:58 in the header, 00:02 in the eCRF: 4 min, not 23 h 56 min
        ({"injection_datetime": datetime.fromisoformat("2024-01-02T23:58:00"),
          "clinical_injection_time": 2 / 60}, "passed"),
        ({"injection_datetime": None}, "not_checkable"),
    ],
    "LIV-1": [
        ({"liver_suv_mean": 1.29}, "warn"), ({"liver_suv_mean": 1.3}, "passed"),
        ({"liver_suv_mean": 3.0}, "passed"), ({"liver_suv_mean": 3.01}, "warn"),
        ({"liver_suv_mean": None}, "not_checkable"),
    ],
    "LIV-1.cov": [
        ({"liver_suv_sd": 0.2}, "passed"), ({"liver_suv_sd": 0.201}, "warn"),
        ({"liver_suv_sd": 0.3}, "warn"), ({"liver_suv_sd": 0.301}, "fail"),
        ({"liver_volume_ml": 1500.0, "liver_suv_sd": 0.5}, "not_checkable"),
    ],
    # SUL is proportional to SUV at the same weight, height and sex: relative changes are equal.
    "LIV-2": [
        ({"liver_suv_mean": 2.4}, "passed"), ({"liver_suv_mean": 2.41}, "warn"),
        ({"liver_suv_mean": 1.59}, "warn"), ({"patient_size_m": None}, "not_checkable"),
        ({"first_series_uid": None}, None),
    ],
    # Lean mass of a man of 80 kg and 1.75 m (BMI 26.122): 9270 80 / (6680 + 216 26.122) =
    # 60.183 kg, so SUL = 0.75229 SUV, and a change of 0.3 in SUL is one of 0.3988 in SUV.
    "LIV-2.units": [
        ({"liver_suv_mean": 2.398}, "passed"), ({"liver_suv_mean": 2.400}, "warn"),
    ],
    "BLD-1": [
        ({"body_suv_mean": 0.59}, "warn"), ({"body_suv_mean": 0.6}, "passed"),
        ({"body_suv_mean": 1.1}, "passed"), ({"body_suv_mean": 1.11}, "warn"),
        ({"body_suv_mean": 4.0, "shape_z": 60}, None),  # a head: 180 mm
        ({"suv_status": "refused"}, "not_checkable"), ({"shape_z": None}, "not_checkable"),
    ],
    "BLD-1.total": [
        ({"activity_in_view_percent": 115.0}, "passed"),
        ({"activity_in_view_percent": 115.1}, "warn"),
        ({"activity_in_view_percent": None}, "not_checkable"),
    ],
    "WGT-1": [
        ({"patient_weight_kg": 19.9}, "warn"), ({"patient_weight_kg": 20.0}, "passed"),
        ({"patient_weight_kg": 300.0}, "passed"), ({"patient_weight_kg": 300.1}, "warn"),
        ({"patient_weight_kg": 19.0, "patient_age_years": 17.9}, None),
        ({"patient_weight_kg": 19.0, "patient_age_years": None}, "warn"),
    ],
    "WGT-1.change": [
        ({"patient_weight_kg": 88.0}, "passed"), ({"patient_weight_kg": 88.1}, "warn"),
        ({"patient_weight_kg": 72.0}, "passed"), ({"patient_weight_kg": 71.9}, "warn"),
    ],
    "WGT-2": [
        ({"patient_weight_kg": 84.0}, "passed"), ({"patient_weight_kg": 84.1}, "warn"),
        ({"patient_weight_kg": 96.0}, "warn"), ({"patient_weight_kg": 96.1}, "fail"),
        ({"clinical_weight_days": 14}, "passed"), ({"clinical_weight_days": 15}, "not_checkable"),
    ],
    "ACT-3": [
        ({"injected_activity_bq": 262.5e6}, "passed"), ({"injected_activity_bq": 263e6}, "warn"),
        ({"injected_activity_bq": 300e6}, "warn"), ({"injected_activity_bq": 301e6}, "fail"),
        ({"clinical_injected_activity": 0.0}, "not_checkable"),
    ],
    "REC-1": [
        ({}, "passed"), ({"reconstruction_key": "OSEM TOF PSF 2i21s"}, "warn"),
        ({"reconstruction_key": None}, "not_checkable"),
    ],
    "REC-1.scanner": [
        ({}, "passed"), ({"scanner_key": "SC-2"}, "warn"),
        ({"first_scanner_key": None}, "not_checkable"),
    ],
    "VOX-1": [
        ({"spacing_x_mm": 4.07}, "passed"), ({"spacing_z_mm": 4.1}, "passed"),
        ({"spacing_z_mm": 4.11}, "warn"), ({"spacing_y_mm": 5.3, "is_spect": True}, None),
        ({"spacing_x_mm": None}, "not_checkable"),
    ],
    "COR-1": [
        ({}, "passed"), (_without("DECY"), "fail"), (_without("SCAT"), "warn"),
        (_without("ATTN"), "passed"),  # COR-1.attn
        ({"corrected_image": ["DECY", "SCAT", "RANSNG", "DTIM", "NORM"]}, "passed"),
        ({"corrected_image": None}, "warn"), ({"is_spect": True}, None),
    ],
    "COR-1.spect": [
        ({}, None), ({"is_spect": True, "corrected_image": ["DECY", "SCAT"]}, "passed"),
        ({"is_spect": True, "corrected_image": ["DECY"]}, "warn"),
        ({"is_spect": True, "corrected_image": ["SCAT"]}, "fail"),
    ],
    "COR-1.attn": [
        ({}, "passed"), ({"attenuation_corrected": False}, "fail"),
        ({"attenuation_corrected": None}, "not_checkable"),
    ],
    "DEC-1": [
        ({"decay_reference_spread_percent": SPREAD_60_S}, "passed"),
        ({"decay_reference_spread_percent": SPREAD_61_S}, "warn"),
        ({"decay_reference_spread_percent": None}, "not_checkable"),
        ({"decay_reference_spread_percent": 100.0}, "not_checkable"),
    ],
    "DEC-1.suv": [
        ({"decay_reference_spread_percent": 5.0}, "passed"),
        ({"decay_reference_spread_percent": 5.1}, "fail"),
    ],
    # F-18 is 6583 to 6588 s in evaluations and scanners.
    "HL-1": [
        ({"half_life_s": 6588.0 * 1.01}, "passed"), ({"half_life_s": 6588.0 * 1.011}, "fail"),
        ({"half_life_s": 6583.0 * 0.99}, "passed"), ({"half_life_s": 6583.0 * 0.989}, "fail"),
        ({"half_life_s": 109.8}, "fail"),  # minutes
        ({"radionuclide": None}, "not_checkable"),
    ],
}  # fmt: skip
