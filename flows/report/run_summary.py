"""The report of a run in short, as Markdown: for Prefect's pages and for logs."""

from __future__ import annotations

from typing import Final

from flows.report.run_facts import RunFacts
from schemas.records import Row

_OUTCOMES: Final = ("unchanged", "ingested", "duplicate", "quarantined", "ignored")


def run_summary(facts: RunFacts) -> str:
    """Sum up counts, sources, rates and reasons of a run; sources by the user's own names.

    Returns
    -------
    str
        Markdown without paths and identifiers of patients.
    """
    run = facts.run
    blocks = [
        f"# Ingestion {run['run_id']}: {run['run_state']}",
        markdown_table(("outcome", "objects"), [
            *((name, run[f"n_{name}"]) for name in _OUTCOMES), ("**sum**", run["n_files"]),
        ]),
        _rates(run),
        markdown_table(("source", "listed", "new or changed", "state"), [
            (s["source_name"], s["n_files"], s["n_changed"], s["source_error"] or "complete")
            for s in facts.sources
        ]),
        markdown_table(("quarantined because", "objects", "series", "what to do"), [
            (r["reason_code"], r["n_objects"], r["n_series"], r["sentence"])
            for r in facts.quarantined
        ]),
        f"{facts.n_volumes} image volumes; pictures: `reports/runs/{run['run_id']}.html`",
    ]  # fmt: skip
    return "\n\n".join(block for block in blocks if block)


def _rates(run: Row) -> str:
    if run["elapsed_s"] is None:
        return ""
    rates = {
        name: float(str(run[name]))
        for name in ("objects_per_s", "megabytes_per_s", "series_per_s", "elapsed_s")
    }
    return (
        f"{rates['objects_per_s']:.1f} objects/s, {rates['megabytes_per_s']:.1f} MB/s, "
        f"{rates['series_per_s']:.2f} series/s over {rates['elapsed_s']:.0f} s."
    )


def markdown_table(header: tuple[str, ...], rows: list[tuple[object, ...]]) -> str:
    """Write a table; empty without rows."""
    if not rows:
        return ""
    lines = [header, ("---",) * len(header), *rows]
    return "\n".join(f"| {' | '.join(_cell(c) for c in line)} |" for line in lines)


def _cell(value: object) -> str:
    return str(value).replace("|", "\\|").replace("\n", " ")
