"""The fuzz bench counts every case once and charges crashes and hangs to the case."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks import robustness
from benchmarks.__main__ import main
from benchmarks.robustness import Answer, FuzzChild, fuzz, outcome_table, page
from tests.support.mutation import MUTATIONS


def test_tiny_run_adds_up(tmp_path: Path) -> None:
    """Without reference data: hand-made series only."""
    answers = fuzz(20, workers=2, data=tmp_path)
    assert [a.number for a in answers] == list(range(20))
    assert not [a for a in answers if a.is_fault]
    assert "| **20** |" in outcome_table(answers)


def test_command_writes_the_page(tmp_path: Path) -> None:
    target = tmp_path / "page.md"
    main(["fuzz", "--cases", "3", "--data", str(tmp_path), "--output", str(target)])
    assert "3 objects, each damaged in one of" in target.read_text(encoding="utf-8")


def _answer(outcome: str, *others: str) -> Answer:
    return Answer(0, next(iter(MUTATIONS)), "pet", outcome, others, 1.0, 2**20)


@pytest.mark.parametrize(
    "outcome", ["crash!", "hang!", "memory!", "raised KeyError!", "internal_error"]
)
def test_faults_are_told_from_outcomes(outcome: str) -> None:
    assert _answer(outcome).is_fault
    assert _answer("ingested", outcome).is_fault
    assert not _answer("truncated", "ingested").is_fault
    assert "rules broken: **1**" in page([_answer(outcome), _answer("ingested")], "x", 1.0)


@pytest.fixture
def child_that(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], FuzzChild]:
    """A child process that says it is ready and then runs the Python given."""

    def make(then: str) -> FuzzChild:
        real = subprocess.Popen

        def start(command: list[str], **options: object) -> object:
            script = f"import os, time\nprint('{{}}', flush=True)\ninput()\n{then}"
            return real([command[0], "-c", script], **options)  # type: ignore[call-overload]

        monkeypatch.setattr(subprocess, "Popen", start)
        monkeypatch.setattr(robustness, "_LIMIT_S", 1.0)
        return FuzzChild(tmp_path)

    return make


def test_crash(child_that: Callable[[str], FuzzChild]) -> None:
    assert child_that("os.abort()").ask(1)["outcome"] == "crash!"


def test_hang(child_that: Callable[[str], FuzzChild]) -> None:
    assert child_that("time.sleep(600)").ask(1)["outcome"] == "hang!"
