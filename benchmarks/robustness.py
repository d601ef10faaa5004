"""``python -m benchmarks fuzz``: tens of thousands of damaged objects, and where each ended.

The objects are scanned, grouped and converted in a process of its own, with a limit on memory and a
watchdog: a crash, a hang or a blow-up costs that process, and is charged to the object.
"""

from __future__ import annotations

import argparse
import json
import os
import selectors
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from benchmarks.fuzz_child import HEADROOM_BYTES
from benchmarks.report import machine
from schemas.reasons import QUARANTINE_REASONS
from tests.support.mutation import MUTATIONS

PAGE = Path(__file__).parent / "ROBUSTNESS.md"
#: Longer than this is a hang.
_LIMIT_S: Final = 60.0
_START_S: Final = 120.0
#: Outcomes that must never be seen; all end with an exclamation mark, or are our own fault.
_FAULTS: Final = ("crash!", "hang!", "memory!", "internal_error")
_BEGINNING: Final = (
    "`{}`: {:,} objects, each damaged in one of {} ways, in {} series made by hand and cut from "
    "real ones, scanned, grouped and converted."
)
_FAULT_LINE: Final = (
    "- Crashes, hangs (over {:.0f} s), more than {} MiB, faults of ours, rules broken: **{}**."
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one damaged object."""

    number: int
    mutation: str
    series: str
    outcome: str
    others: tuple[str, ...] = ()
    seconds: float = 0.0
    peak_bytes: int = 0
    error: str = ""

    @property
    def is_fault(self) -> bool:
        """Say whether it, or a healthy object beside it, met a fault of ours."""
        met = (self.outcome, *self.others)
        return any(o in _FAULTS or o.endswith("!") for o in met)


@dataclass
class FuzzChild:
    """A process that is given case numbers; started again when it dies."""

    data: Path
    process: subprocess.Popen[str] | None = field(default=None)

    def ask(self, number: int) -> dict[str, object]:
        """Answer for one case; what its process died of, if it did."""
        process = self.process or self._start()
        assert process.stdin is not None
        process.stdin.write(f"{number}\n")
        process.stdin.flush()
        answer = self._line(process, _LIMIT_S)
        if answer is not None:
            return answer
        try:
            process.wait(1)
            hung = False
        except subprocess.TimeoutExpired:
            hung = True
        self.close()
        return {"outcome": "hang!" if hung else "crash!", "error": f"exit {process.returncode}"}

    def close(self) -> None:
        """End the process."""
        if self.process is not None:
            self.process.kill()
            self.process.communicate()
            self.process = None

    def _start(self) -> subprocess.Popen[str]:
        environment = os.environ | {"TRACERLAKE_TEST_DATA": str(self.data)}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.fuzz_child"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment, bufsize=1,
        )  # fmt: skip
        if self._line(self.process, _START_S) is None:
            raise RuntimeError("the process that runs the cases does not start")
        return self.process

    @staticmethod
    def _line(process: subprocess.Popen[str], seconds: float) -> dict[str, object] | None:
        with selectors.DefaultSelector() as selector:
            assert process.stdout is not None
            selector.register(process.stdout, selectors.EVENT_READ)
            if not selector.select(seconds):
                return None
            line = process.stdout.readline()
        return dict(json.loads(line)) if line.endswith("\n") else None


def run_cases(numbers: Iterable[int], data: Path) -> Iterator[Answer]:
    """Run cases one after the other in a child process."""
    child = FuzzChild(data)
    kinds = list(MUTATIONS)
    try:
        for number in numbers:
            found = child.ask(number)
            others = found.get("others")
            yield Answer(
                number,
                kinds[number % len(kinds)],
                str(found.get("series", "")),
                str(found["outcome"]),
                tuple(str(o) for o in others) if isinstance(others, list) else (),
                float(str(found.get("seconds", _LIMIT_S))),
                int(str(found.get("bytes", 0))),
                str(found.get("error", "")),
            )
    finally:
        child.close()


def fuzz(n_cases: int, *, first: int = 0, workers: int = 1, data: Path) -> list[Answer]:
    """Run `n_cases` cases from number `first` on, in `workers` processes.

    Returns
    -------
    list of Answer
        One for each case, in their order.
    """
    stripes = [range(first + w, first + n_cases, workers) for w in range(workers)]
    with ThreadPoolExecutor(workers) as pool:
        answers = [
            a for made in pool.map(lambda s: list(run_cases(s, data)), stripes) for a in made
        ]
    if len(answers) != n_cases:
        raise RuntimeError(f"{n_cases} cases have {len(answers)} outcomes")
    return sorted(answers, key=lambda a: a.number)


def outcome_table(answers: Sequence[Answer]) -> str:
    """Count outcomes by kind of damage: a Markdown table whose sums are checked."""
    counts = Counter((a.mutation, a.outcome) for a in answers)
    outcomes = [o for o, _ in Counter(a.outcome for a in answers).most_common()]
    kinds = [k for k in MUTATIONS if any(a.mutation == k for a in answers)]
    lines = [
        "| outcome | " + " | ".join(k.replace("_", " ") for k in kinds) + " | sum |",
        "|---|" + "--:|" * (len(kinds) + 1),
    ]
    total = 0
    for outcome in outcomes:
        row = [counts[kind, outcome] for kind in kinds]
        total += sum(row)
        lines.append(f"| {outcome} | " + " | ".join(str(n or "") for n in row) + f" | {sum(row)} |")
    sums = [sum(counts[kind, o] for o in outcomes) for kind in kinds]
    lines.append("| **sum** | " + " | ".join(map(str, sums)) + f" | **{total}** |")
    if total != len(answers):
        raise RuntimeError(f"the table counts {total} of {len(answers)} cases")
    return "\n".join(lines)


def page(answers: Sequence[Answer], command: str, seconds: float) -> str:
    """Write what was run and what was found."""
    slowest = max(answers, key=lambda a: a.seconds)
    largest = max(answers, key=lambda a: a.peak_bytes)
    faults = [a for a in answers if a.is_fault]
    others = Counter(o for a in answers for o in a.others)
    reasons = sorted({a.outcome for a in answers} & set(QUARANTINE_REASONS))
    lost = "; ".join(f"{o} {n}" for o, n in others.most_common())
    n_series = len({a.series for a in answers if a.series})
    lines = ["# Damaged objects", ""]
    lines += [_BEGINNING.format(command, len(answers), len(MUTATIONS), n_series), ""]
    lines += [f"{seconds:.0f} s on {machine()}", ""]
    lines += [_FAULT_LINE.format(_LIMIT_S, HEADROOM_BYTES >> 20, len(faults))]
    lines += [f"- Slowest: {slowest.seconds:.2f} s (case {slowest.number}, {slowest.mutation})."]
    memory = f"{largest.peak_bytes / 2**20:.0f} MiB (case {largest.number}, {largest.mutation})"
    lines += [f"- Most memory for an object and its series: {memory}."]
    lines += [f"- Reasons met: {', '.join(reasons)}."]
    lines += [f"- The healthy objects beside them ended as: {lost}.", "", outcome_table(answers)]
    lines += [""]
    lines += [
        f"Case {a.number}: {a.mutation} of {a.series}: {a.outcome} {a.error}" for a in faults[:50]
    ]
    return "\n".join(lines).rstrip() + "\n"


def main(arguments: list[str] | None = None) -> None:
    """Run the cases and write the page; exit code 1 if there was a fault."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks fuzz", description=__doc__)
    parser.add_argument("--cases", type=int, default=20_000)
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--output", type=Path, default=None, help="default ROBUSTNESS.md if all")
    default = os.environ.get("TRACERLAKE_TEST_DATA", Path(__file__).parents[2] / "shared" / "data")
    parser.add_argument("--data", type=Path, default=Path(default), help="reference data")
    options = parser.parse_args(arguments)
    start = time.perf_counter()
    answers = fuzz(options.cases, first=options.first, workers=options.workers, data=options.data)
    command = f"python -m benchmarks fuzz --cases {options.cases} --first {options.first}"
    text = page(answers, command, time.perf_counter() - start)
    print(text)
    if target := options.output or (PAGE if options.cases >= 20_000 else None):
        target.write_text(text, encoding="utf-8")
    if any(a.is_fault for a in answers):
        sys.exit(1)


if __name__ == "__main__":
    main()
