"""Protocol rules at and beside their limits."""

from __future__ import annotations

import pytest

from schemas.records import Row
from schemas.tables import TABLES
from tasks.findings.protocol import protocol_findings

GOOD: Row = {
    "series_instance_uid": "2.25.1",
    "patient_key": "p",
    "centre": "A",
    "modality": "PT",
    "is_spect": False,
    "radiopharmaceutical": "FDG",
    "radionuclide": "F-18",
    "uptake_time_s": 3600.0,
    "injected_activity_bq": 2.5e8,
    "patient_weight_kg": 70.0,
    "patient_age_years": 60.0,
    "half_life_s": 6586.2,
    "decay_reference_spread_percent": 0.1,
    "corrected_image": ["DECY", "ATTN", "SCAT", "RAN", "DTIM", "NORM"],
}
VOXELS: Row = {"spacing_z_mm": 3.27, "spacing_y_mm": 4.0, "spacing_x_mm": 4.0}


def found(**changes: object) -> list[tuple[object, object]]:
    rows = protocol_findings({**GOOD, **changes}, VOXELS)
    return [(row["rule_id"], row["severity"]) for row in rows]


def test_a_good_series_has_no_findings() -> None:
    assert found() == []


@pytest.mark.parametrize(
    ("minutes", "severity"),
    [(44.9, "fail"), (45, "warn"), (54.9, "warn"), (55, None), (75, None), (75.1, "warn"),
     (110, "warn"), (110.1, "fail")],
)  # fmt: skip
def test_uptake_limits(minutes: float, severity: str | None) -> None:
    expected = [] if severity is None else [("UPT-1", severity)]
    assert found(uptake_time_s=minutes * 60) == expected
    assert found(uptake_time_s=minutes * 60, radiopharmaceutical="PSMA-11") == []


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"injected_activity_bq": 70e6 * 1.4}, [("ACT-2", "warn")]),
        ({"injected_activity_bq": 70e6 * 7.1}, [("ACT-2", "warn")]),
        ({"injected_activity_bq": 5e9, "radiopharmaceutical": None}, [("ACT-2", "fail")]),
        ({"injected_activity_bq": 7e9, "radiopharmaceutical": None, "is_spect": True}, []),
        ({"half_life_s": 109.8}, [("HL-1", "fail")]),
        ({"half_life_s": 6588.0}, []),
        ({"decay_reference_spread_percent": 0.62}, []),  # 59 s of F-18
        ({"decay_reference_spread_percent": 0.70}, [("DEC-1", "warn")]),
        ({"decay_reference_spread_percent": 12.5}, [("DEC-1", "fail")]),
        ({"corrected_image": None}, [("COR-1", "warn")]),
        ({"corrected_image": ["DECY", "SCAT", "RAN", "DTIM", "NORM"]}, [("COR-1", "fail")]),
        ({"corrected_image": ["DECY", "ATTN", "RANSNG", "DTIM", "NORM"]}, [("COR-1", "warn")]),
        ({"corrected_image": ["DECY", "ATTN", "SCAT"], "is_spect": True}, []),
        ({"patient_weight_kg": 19.0, "injected_activity_bq": None}, [("WGT-1", "warn")]),
        (
            {"patient_weight_kg": 19.0, "injected_activity_bq": None, "patient_age_years": 6.0},
            [],
        ),
        ({"modality": "CT", "uptake_time_s": 0.0}, []),
    ],
)
def test_rules(changes: dict[str, object], expected: list[tuple[str, str]]) -> None:
    assert found(**changes) == expected


def test_voxel_size() -> None:
    large: Row = {**VOXELS, "spacing_x_mm": 5.3, "spacing_y_mm": 5.3}
    assert [row["rule_id"] for row in protocol_findings(GOOD, large)] == ["VOX-1"]
    assert protocol_findings({**GOOD, "is_spect": True}, large) == []
    assert protocol_findings(GOOD, None) == []


def test_a_dynamic_series_is_not_held_to_an_uptake_time() -> None:
    early: Row = {**GOOD, "uptake_time_s": -10.0}
    assert [row["rule_id"] for row in protocol_findings(early, VOXELS)] == ["UPT-1"]
    assert protocol_findings(early, {**VOXELS, "frame_kind": "time"}) == []


def test_unknown_values_are_no_findings() -> None:
    empty: Row = {"series_instance_uid": "2.25.1", "modality": "PT", "corrected_image": ["DECY"]}
    assert [row["rule_id"] for row in protocol_findings(empty, None)] == ["COR-1", "COR-1"]


def test_rows_fit_their_table_and_have_stable_keys() -> None:
    rows = protocol_findings({**GOOD, "uptake_time_s": 0.0, "half_life_s": 109.8}, VOXELS)
    again = protocol_findings({**GOOD, "uptake_time_s": 0.0, "half_life_s": 109.8}, VOXELS)
    assert rows == again
    assert len({row["finding_id"] for row in rows}) == len(rows) == 2
    for row in rows:
        assert set(row) == set(TABLES["findings"].columns) - {"run_id"}
        assert (row["subject_kind"], row["subject_id"], row["centre"]) == ("series", "2.25.1", "A")
