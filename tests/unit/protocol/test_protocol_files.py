"""Protocol files: inheritance, digests, and messages that say which key is wrong."""

from __future__ import annotations

import pickle
import re
from pathlib import Path

import pytest

from schemas.errors import InvalidInputError
from schemas.records import Row
from tasks.protocol.evaluate import evaluate
from tasks.protocol.load import default_protocol, load_protocol, parse_protocol
from tests.unit.protocol.rule_cases import COMPLETE

HEAD = 'protocol = "x"\nversion = "1"\ntitle = "t"\nextends = "default"\n'
UPT = HEAD + '[rules."UPT-1"]\n'
RULE = """
[rules."MY-1"]
title = "Weight below 120 kg"
quantity = "weight_kg"
warn = { max = 120 }
sentence = "weight is over the limit of the table"
source = "manual of the scanner"
"""


def test_a_protocol_adds_changes_and_switches_off() -> None:
    made = parse_protocol(
        HEAD + RULE + '[rules."UPT-1"]\nfail = {min = 55, max = 65}\nwarn = "none"\n'
        '[rules."UPT-3"]\nenabled = true\n'
        '[rules."FAST-1"]\nenabled = false\nreason = "no FDG here"\n'
    )
    assert set(made.rules) == set(default_protocol().rules) | {"MY-1"}
    assert made.rules["UPT-1"].title == "FDG uptake time"
    assert made.rules["UPT-1"].warn is None
    assert made.rules["MY-1"].status == "ours"
    assert {"UPT-3", "MY-1"} <= set(made.active())
    assert "FAST-1" not in made.active()
    found = {c.rule_id: c.outcome for c in evaluate(made, COMPLETE | {"uptake_time_s": 72 * 60})}
    assert (found["UPT-1"], found["UPT-3"], found["MY-1"]) == ("fail", "warn", "passed")


def test_a_required_value_that_is_missing_is_a_finding() -> None:
    made = parse_protocol(HEAD + '[rules."GLU-1"]\nif_missing = "fail"\n')
    (check,) = (
        c for c in evaluate(made, COMPLETE | {"clinical_glucose": None}) if c.rule_id == "GLU-1"
    )
    assert check.outcome == "fail"
    assert check.message == "Blood glucose before FDG: no glucose in the clinical data"


@pytest.mark.parametrize(
    ("changes", "calibration", "standard"),
    [
        ({}, "not_checkable", "not_checkable"),
        ({"scanner_calibration_factor": 0.9, "standards_met": ["EARL1"]}, "passed", "passed"),
        ({"scanner_calibration_factor": 1.11, "standards_met": ["EARL2"]}, "fail", "fail"),
        ({"scanner_calibration_factor": 0.89, "standards_met": []}, "fail", "fail"),
    ],
)
def test_a_trial_that_asks_for_phantoms(changes: Row, calibration: str, standard: str) -> None:
    on = "".join(f'[rules."{rule}"]\nenabled = true\n' for rule in ("CAL-1.study", "STD-1"))
    found = {c.rule_id: c.outcome for c in evaluate(parse_protocol(HEAD + on), COMPLETE | changes)}
    assert (found["CAL-1.study"], found["STD-1"]) == (calibration, standard)


def test_equal_content_has_an_equal_digest_whatever_its_form() -> None:
    one = parse_protocol(HEAD + RULE)
    other = parse_protocol(HEAD + "# why\n" + RULE.replace("{ max = 120 }", "{ max = 120.0 }"))
    assert one.digest == other.digest
    changed = parse_protocol(HEAD + RULE.replace("120", "121"))
    assert changed.digest != one.digest
    assert changed.protocol_id == one.protocol_id == "x/1"
    assert pickle.loads(pickle.dumps(one)).digest == one.digest


def test_files_extend_files_beside_them(tmp_path: Path) -> None:
    (tmp_path / "trial.toml").write_text(HEAD + RULE, encoding="utf-8")
    site = tmp_path / "site.toml"
    site.write_text(
        'protocol = "site"\nversion = "3"\ntitle = "s"\nextends = "trial.toml"\n'
        '[rules."MY-1"]\nwarn = { max = 100 }\n',
        encoding="utf-8",
    )
    made = load_protocol(site)
    assert made.protocol_id == "site/3"
    limit = made.rules["MY-1"].warn
    assert limit is not None
    assert limit.max == 100
    assert "UPT-1" in made.rules


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (UPT + 'wran = {min = 1}', "rules.UPT-1.wran: unknown key; did you mean"),
        (UPT + 'warn = {minimum = 1}', "rules.UPT-1.warn.minimum: unknown key"),
        (UPT + 'warn = {min = "one"}', "rules.UPT-1.warn.min: expected a number"),
        (UPT + 'warn = 55', "rules.UPT-1.warn: expected a table"),
        (UPT + 'warn = {}', "min and/or max for uptake_time_min, got nothing"),
        (UPT + 'warn = {equals = true}', "expected min and/or max .*, got equals"),
        (UPT + 'warn = {min = 80, max = 70}', "min 80 is above max 70"),
        (UPT + 'warn = {min = 40, max = 75}', "must not lie inside those of warn"),
        (UPT + 'warn = "none"\nfail = "none"', "at least one limit is required"),
        (UPT + 'enabled = false', "rules.UPT-1.reason: is required"),
        (UPT + 'status = "sure"', "rules.UPT-1.status: expected 'verified'"),
        (UPT + 'window_days = 3', "has no meaning for uptake_time_min"),
        (UPT + 'applies = {tracers = ["FGD"]}', "no 'FGD'; did you mean 'FDG'"),
        (UPT + 'applies = {nuclides = ["F18"]}', "no 'F18'; did you mean 'F-18'"),
        (UPT + 'applies = {tracer = ["FDG"]}', "applies.tracer: unknown key"),
        (UPT + 'sentence = "{valeu}"', r"sentence: expected \{value\}, got 'valeu'"),
        (UPT + 'sentence = "{value.real}"', "sentence: expected"),
        (UPT + 'sentence = "{value:.1q}"', "sentence: cannot be filled in"),
        (HEAD + '[rules."NEW"]\nquantity = "weight_kg"', "rules.NEW.title: is required"),
        (HEAD + RULE.replace('"weight_kg"', '"wieght_kg"'), "did you mean 'weight_kg'"),
        (HEAD + RULE.replace('"weight_kg"', '"fasting_h"'), "is required for fasting_h"),
        (HEAD + RULE.replace('"weight_kg"', '"corrections"'), "expected all_of for corrections"),
        (HEAD + '[rules."bad id"]\ntitle = "x"', "expected letters, digits"),
        (HEAD.replace('"x"', '"a b"'), "protocol: expected letters, digits"),
        (HEAD.replace('version = "1"', "version = 1"), "version: expected text"),
        (HEAD.replace('title = "t"\n', ""), "title: is required"),
        (HEAD + "colour = 1", "colour: unknown key"),
        (HEAD + "rules = 3", "rules: expected a table of rules"),
        (HEAD.replace('"default"', '"other.toml"'), 'extends: expected "default"'),
        ("protocol = ", "is not valid TOML"),
        ('protocol="x"\nversion="1"\ntitle="t"\n[rules]', "rules: expected at least one"),
    ],
)  # fmt: skip
def test_mistakes_are_named(text: str, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        parse_protocol(text)


def test_all_mistakes_are_named_at_once() -> None:
    text = UPT + 'wran = 1\n[rules."GLU-1"]\nwindow_days = "long"\n'
    with pytest.raises(InvalidInputError, match=r"wran.*rules\.GLU-1\.window_days"):
        parse_protocol(text)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match=r"none\.toml: cannot be read"):
        load_protocol(tmp_path / "none.toml")
    ring = tmp_path / "ring.toml"
    ring.write_text(HEAD.replace('"default"', '"ring.toml"'), encoding="utf-8")
    with pytest.raises(InvalidInputError, match="extends itself"):
        load_protocol(ring)
    ring.write_bytes(b"\xff\xfe")
    with pytest.raises(InvalidInputError, match="UTF-8"):
        load_protocol(ring)


def test_the_examples_of_the_documentation_are_valid() -> None:
    page = Path(__file__).parents[3] / "docs" / "how-to" / "write-a-protocol.md"
    found = re.findall(r"```toml\n(protocol = .*?)```", page.read_text("utf-8"), flags=re.DOTALL)
    made = [parse_protocol(text) for text in found]
    assert [p.protocol_id for p in made] == ["lymphoma-x/2", "fdg-only/1"]
    untold = COMPLETE | {"radiopharmaceutical": None}
    assert "passed" in {c.outcome for c in evaluate(made[1], untold) if c.rule_id == "UPT-1"}


def test_no_limit_of_the_default_is_without_a_source() -> None:
    for rule_id, rule in default_protocol().rules.items():
        assert len(rule.source) > 10, rule_id
        assert rule.enabled or rule.reason
