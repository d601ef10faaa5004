"""The default protocol at and beside every limit, and what it does without data."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.records import Row
from schemas.tables import TABLES
from tasks.protocol.evaluate import (
    Protocols,
    check_row,
    evaluate,
    findings_at_ingestion,
    findings_of,
)
from tasks.protocol.load import default_protocol
from tasks.protocol.model import Protocol
from tests.unit.protocol.rule_cases import CASES, COMPLETE, FIRST_VISIT, GOOD

DEFAULT = default_protocol()
PROTOCOLS = Protocols(DEFAULT, {})


def outcomes(facts: Row) -> dict[str, str]:
    return {check.rule_id: check.outcome for check in evaluate(DEFAULT, facts)}


@pytest.mark.parametrize(
    ("rule_id", "changes", "expected"),
    [(rule, changes, outcome) for rule, cases in CASES.items() for changes, outcome in cases],
)
def test_rule(rule_id: str, changes: Row, expected: str | None) -> None:
    assert outcomes(COMPLETE | changes).get(rule_id) == expected


def test_every_rule_has_cases() -> None:
    assert set(CASES) == set(DEFAULT.active())
    assert set(DEFAULT.rules) - set(CASES) == {"UPT-3", "CAL-1.study", "STD-1"}


def test_a_good_study_passes_everything_that_is_about_it() -> None:
    found = outcomes(COMPLETE)
    assert set(found.values()) == {"passed"}
    assert set(DEFAULT.active()) - set(found) == {
        "UPT-4.PSMA-11", "UPT-4.DOTATATE", "UPT-4.NaF", "UPT-4.FET", "UPT-4.Zr-89", "COR-1.spect",
    }  # fmt: skip


def test_without_data_nothing_passes_silently() -> None:
    bare: Row = {"series_instance_uid": "2.25.1", "modality": "PT", "suv_status": "refused"}
    found = outcomes(bare)
    assert set(found.values()) == {"not_checkable", "warn"}
    assert [rule for rule, outcome in found.items() if outcome == "warn"] == ["COR-1"]
    told = [check.missing for check in evaluate(DEFAULT, bare)]
    assert all(told)


def test_series_beside_the_measured_one_are_not_counted_again() -> None:
    second = COMPLETE | {"is_measured": False, "attenuation_corrected": False}
    found = outcomes(second)
    assert "COR-1.attn" not in found
    assert "GLU-1" not in found
    assert found["VOX-1"] == "passed"


def test_other_modalities_have_no_rules() -> None:
    assert findings_at_ingestion(PROTOCOLS, GOOD | {"modality": "CT"}, None) == []
    assert findings_at_ingestion(PROTOCOLS, GOOD | {"series_kind": "planar"}, None) == []
    assert evaluate(DEFAULT, GOOD | {"modality": "NM"}) == []


def test_at_ingestion_only_rules_on_one_series_are_held() -> None:
    bad = COMPLETE | {"uptake_time_s": 7560.0, "clinical_glucose": 20.0, "scanner_key": "SC-9"}
    volume: Row = {"spacing_z_mm": 9.0, "spacing_y_mm": 4.0, "spacing_x_mm": 4.0, "run_id": "r"}
    series = {k: v for k, v in bad.items() if not k.startswith("spacing")}
    found = findings_at_ingestion(PROTOCOLS, series, volume)
    assert [(f["rule_id"], f["severity"]) for f in found] == [("UPT-1", "fail"), ("VOX-1", "warn")]
    assert found[0]["message"] == "FDG uptake time is 126.0 min"
    assert found[0]["observed_value"] == 126.0
    assert found[0]["limit_text"] == "fail unless 45 to 110 min; warn unless 55 to 75 min"


def test_rows_fit_their_tables_and_name_the_protocol() -> None:
    facts = COMPLETE | {"uptake_time_s": 0.0, "clinical_glucose": 20.0}
    checks = evaluate(DEFAULT, facts)
    rows = findings_of(checks, facts, DEFAULT)
    assert rows == findings_of(evaluate(DEFAULT, facts), facts, DEFAULT)
    assert len({row["finding_id"] for row in rows}) == len(rows)
    for row in rows:
        assert set(row) == set(TABLES["findings"].columns) - {"run_id", "first_run_id"}
        assert (row["protocol_id"], row["protocol_digest"]) == ("tracerlake/1", DEFAULT.digest)
    subjects = {str(row["rule_id"]): (row["subject_kind"], row["subject_id"]) for row in rows}
    assert subjects["UPT-1"] == ("series", "2.25.1")
    assert subjects["GLU-1"] == ("study", "2.25.9")
    kept = [check_row(check, facts, DEFAULT) for check in checks]
    assert all(set(r) == set(TABLES["protocol_checks"].columns) - {"run_id"} for r in kept)


@settings(max_examples=50, deadline=None)
@given(st.randoms(use_true_random=False), st.lists(st.sampled_from(sorted(CASES)), max_size=6))
def test_neither_the_order_of_rules_nor_of_facts_matters(
    rng: random.Random, chosen: list[str]
) -> None:
    facts = dict(COMPLETE)
    for rule in chosen:
        facts |= rng.choice(CASES[rule])[0]
    rules = list(DEFAULT.rules.items())
    rng.shuffle(rules)
    shuffled = Protocol(protocol="x", version="1", title="t", rules=dict(rules))
    order = list(facts)
    rng.shuffle(order)
    expected = evaluate(DEFAULT, facts)
    again = evaluate(shuffled, {key: facts[key] for key in order})
    assert {c.rule_id: c for c in again} == {c.rule_id: c for c in expected}
    assert [c.rule_id for c in expected] == [r for r in DEFAULT.rules if r in outcomes(facts)]


@settings(max_examples=50, deadline=None)
@given(st.floats(0, 40), st.floats(0, 40))
def test_a_value_further_out_is_never_judged_milder(one: float, other: float) -> None:
    rank = ["passed", "info", "warn", "fail"]
    low, high = sorted((abs(one - 6), abs(other - 6)))
    near = outcomes(COMPLETE | {"clinical_glucose": 6 + low})["GLU-1"]
    far = outcomes(COMPLETE | {"clinical_glucose": 6 + high})["GLU-1"]
    assert rank.index(near) <= rank.index(far)


def test_the_first_visit_is_compared_with_nothing() -> None:
    alone = {k: v for k, v in COMPLETE.items() if k not in FIRST_VISIT}
    about_visits = {"UPT-2", "ACT-1", "LIV-2", "LIV-2.units", "WGT-1.change", "REC-1"}
    assert not about_visits & set(outcomes(alone))
    assert about_visits <= set(outcomes(COMPLETE))
