"""``python -m benchmarks``: run the rows, write RESULTS.md; ``fuzz``: `benchmarks.robustness`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks import robustness
from benchmarks.combat import combat_row
from benchmarks.ingest import ct_row, pet_row
from benchmarks.kinetics import patlak_row
from benchmarks.query import query_row
from benchmarks.report import page
from benchmarks.rounds import Comparison
from benchmarks.scale import scale_rows
from benchmarks.standardise import memory_row, standardise_rows

RESULTS = Path(__file__).parent / "RESULTS.md"

#: Rows at full size, and at a size that only proves that they run.
FULL: dict[str, Callable[[], list[Comparison]]] = {
    "ingest": pet_row,
    "ingest-ct": ct_row,
    "scale": scale_rows,
    "query": query_row,
    "combat": combat_row,
    "kinetics": patlak_row,
    "standardise": standardise_rows,
    "standardise-memory": memory_row,
}
TINY: dict[str, Callable[[], list[Comparison]]] = {
    "ingest": lambda: pet_row(slices=6, size=16, series=2, rounds=1),
    "ingest-ct": lambda: ct_row(slices=6, size=16, series=2, rounds=1),
    "scale": lambda: scale_rows(sizes=(2, 4), workers=1),
    "query": lambda: query_row(rows=3_000, rounds=1),
    "combat": lambda: combat_row(rows=300, features=8, rounds=1),
    "kinetics": lambda: patlak_row(shape=(6, 16, 16), rounds=1),
    "standardise": lambda: standardise_rows(slices=9, size=12, rounds=1),
    "standardise-memory": lambda: memory_row(slices=9, size=12, spacing_mm=4.0),
}


def main(arguments: list[str] | None = None) -> None:
    """Run the rows asked for and write the page."""
    given = sys.argv[1:] if arguments is None else arguments
    if given[:1] == ["fuzz"]:
        robustness.main(given[1:])
        return
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"of {', '.join(FULL)}; default all")
    parser.add_argument("--tiny", action="store_true", help="smallest sizes: does it run?")
    parser.add_argument("--output", type=Path, default=None, help="default benchmarks/RESULTS.md")
    options = parser.parse_args(given)
    if unknown := set(options.rows) - set(FULL):
        parser.error(f"no such row: {', '.join(sorted(unknown))}; there are {', '.join(FULL)}")
    names = options.rows or list(FULL)
    found = [c for name in names for c in (TINY if options.tiny else FULL)[name]()]
    flags = " --tiny" if options.tiny else ""
    text = page(found, " ".join(["python -m benchmarks", *options.rows]) + flags)
    print(text)
    complete = not options.rows and not options.tiny
    if target := options.output or (RESULTS if complete else None):
        target.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
