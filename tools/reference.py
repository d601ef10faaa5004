"""Write docs/reference/ from the declarations in the code. `--check` fails if a page is stale."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any, Final

import typer

import lake
from flows.cli.main import app
from schemas.features import FEATURES
from schemas.kinetics import (
    KINETIC_PROFILES,
    KINETIC_REFUSALS,
    PARAMETERS,
    KineticProfile,
)
from schemas.profiles import (
    FEATURE_PROFILES,
    STANDARD_PROFILES,
    FeatureProfile,
    StandardProfile,
)
from schemas.reasons import IGNORED_KINDS, QUARANTINE_REASONS, SUV_REFUSALS
from schemas.remedies import REMEDIES
from schemas.tables import STORED, VIEWS, Table
from tasks.protocol.load import default_protocol
from tasks.protocol.model import Conditions
from tasks.protocol.quantities import QUANTITIES

FOLDER: Final = Path(__file__).resolve().parent.parent / "docs" / "reference"

#: Methods of an open lake in the order a reader needs them.
_METHODS: Final = (
    "sql", "volume", "at", "snapshots", "tables", "describe", "transaction", "commit", "keys",
    "content_digest", "close",
)  # fmt: skip

_TABLES_INTRODUCTION: Final = """\
# Tables and views

The same text is in the lake: `tracerlake describe TABLE`, SQL comments, and the table
`tracerlake.columns`. Made from `schemas/` by `make docs`.
"""

_REASONS_INTRODUCTION: Final = """\
# Reason codes

The codes are stable: queries may rely on them. Made from `schemas/reasons.py` by `make docs`.
"""

_FEATURES_INTRODUCTION: Final = """\
# Features and profiles

`{image}` stands for the unit of the measured volume. Codes are those of the IBSI reference manual.
Made from `schemas/` by `make docs`.
"""

_KINETICS_INTRODUCTION: Final = """\
# Kinetic models

What the models assume is in [Kinetics](../explanation/kinetics.md).
Made from `schemas/` by `make docs`.
"""

_PROTOCOL_INTRODUCTION: Final = """\
# Protocol rules

What studies are held to unless a lake names a [protocol of its own](../how-to/write-a-protocol.md).
A value at the limit is allowed. Status: `verified` was read in the source, `recalled` is known from
it without the wording having been read again, `ours` is plausibility. Made from
`tasks/protocol/default.toml` by `make docs`.
"""

_QUANTITIES_INTRODUCTION: Final = """\
What a rule can set limits to. `series`: every PET or SPECT image, at its ingestion; the others are
about the measured series of a study: `study` on what is in it, `roi` on a region, `clinical` on
eCRF values, `visits` on the patient's first visit."""

_CLI_INTRODUCTION: Final = """\
# Command line

The lake comes first: `tracerlake COMMAND LAKE ...`. Answers go to standard output, progress and
errors to standard error. Exit codes: 0 done; 1 it could not be done; 2 wrong use; 3 a finding is as
bad as `--fail-on` asks for; 130 interrupted. Made from the program by `make docs`.
"""

_PYTHON_INTRODUCTION: Final = """\
# Python

`import lake` is all that reading needs; nothing of Prefect or Dask is loaded. Made from the
docstrings by `make docs`.
"""


def _row(*cells: object) -> str:
    return "| " + " | ".join(str(c).replace("|", "\\|") for c in cells) + " |"


def _grid(header: Iterable[str], rows: Iterable[Iterable[object]]) -> list[str]:
    names = list(header)
    return [_row(*names), "|" + "---|" * len(names), *(_row(*row) for row in rows), ""]


def _table_section(table: Table) -> list[str]:
    return [
        f"## {table.name}",
        "",
        f"{'View. ' if table.is_view else ''}{table.description} Key: `{', '.join(table.key)}`.",
        "",
        *_grid(
            ("column", "type", "unit", "meaning", "source"),
            ((f"`{c.name}`", c.type, c.unit or "", c.description, c.source) for c in table.fields),
        ),
    ]


def tables_page() -> str:
    """Tables and views with their columns."""
    lines = [_TABLES_INTRODUCTION]
    for table in (*VIEWS, *STORED):
        lines += _table_section(table)
    return "\n".join(lines)


def reasons_page() -> str:
    """Reason codes."""
    lines = [_REASONS_INTRODUCTION]
    groups = {
        "Quarantined": ("`files.reason_code`, outcome `quarantined`", QUARANTINE_REASONS),
        "Ignored": ("`files.reason_code`, outcome `ignored`", IGNORED_KINDS),
        "SUV refused": ("`series.suv_reason_code`, status `refused`", SUV_REFUSALS),
    }
    for title, (where, reasons) in groups.items():
        lines += [f"## {title}", "", f"In {where}.", ""]
        lines += _grid(("code", "meaning"), ((f"`{code}`", t) for code, t in reasons.items()))
    lines += ["## What to do", "", "For what is in quarantine.", ""]
    lines += _grid(("code", "what to do"), ((f"`{code}`", t) for code, t in REMEDIES.items()))
    return "\n".join(lines)


def _profiles(
    profiles: Iterable[StandardProfile | FeatureProfile | KineticProfile],
) -> list[str]:
    chosen = list(profiles)
    names = [f.name for f in fields(chosen[0]) if f.name != "profile_id"]
    return _grid(
        ("parameter", *(f"`{p.profile_id}`" for p in chosen)),
        ((f"`{name}`", *(_shown(getattr(p, name)) for p in chosen)) for name in names),
    )


def _shown(value: object) -> str:
    if value is None:
        return "none"
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def features_page() -> str:
    """Features and profiles."""
    return "\n".join(
        [
            _FEATURES_INTRODUCTION,
            *_grid(
                ("feature", "IBSI", "family", "unit", "meaning"),
                (
                    (f"`{f.name}`", f.ibsi_code or "", f.family, f.unit or "", f.description)
                    for f in FEATURES.values()
                ),
            ),
            "## Standard-grid profiles",
            "",
            "For `standardise --pet-profile`, `--ct-profile` and `--profile`.",
            "",
            *_profiles(STANDARD_PROFILES.values()),
            "## Feature profiles",
            "",
            "For `features --profile` and `harmonise --profile`.",
            "",
            *_profiles(FEATURE_PROFILES.values()),
        ]
    )


def kinetics_page() -> str:
    """Kinetic models, their profiles, and why one is not applied."""
    lines = [_KINETICS_INTRODUCTION, "## Parameters", ""]
    lines += _grid(
        ("model", "parameter", "unit", "meaning"),
        (
            (f"`{model}`", f"`{p.name}`", p.unit, p.description)
            for model, found in PARAMETERS.items()
            for p in found
        ),
    )
    lines += ["## Profiles", "", "For `kinetics --model`.", ""]
    lines += _profiles(KINETIC_PROFILES.values())
    lines += ["## Options of a profile", "", "```text", inspect.getdoc(KineticProfile) or "", "```"]
    lines += [
        "",
        "## Refusals",
        "",
        "In `findings.rule_id` and `kinetic_analyses.reason_code`.",
        "",
    ]
    lines += _grid(("code", "meaning"), ((f"`{c}`", t) for c, t in KINETIC_REFUSALS.items()))
    return "\n".join(lines)


def protocol_page() -> str:
    """Rules of the default protocol, and the quantities that rules can name."""
    protocol = default_protocol()
    rules = (
        (
            f"`{rule_id}`",
            rule.title,
            f"`{rule.quantity}`",
            rule.limit_text(QUANTITIES[rule.quantity].unit)
            + ("" if rule.enabled else f" (off: {rule.reason})"),
            _about(rule.applies, rule.window_days),
            f"{rule.source} [{rule.status}]",
        )
        for rule_id, rule in protocol.rules.items()
    )
    quantities = (
        (f"`{q.name}`", q.unit or q.kind, q.scope, q.description) for q in QUANTITIES.values()
    )
    return "\n".join(
        [
            _PROTOCOL_INTRODUCTION,
            f"`{protocol.protocol_id}`, digest `{protocol.digest}`.",
            "",
            *_grid(("rule", "what", "quantity", "limits", "about", "source [status]"), rules),
            "## Quantities",
            "",
            _QUANTITIES_INTRODUCTION,
            "",
            *_grid(("quantity", "unit", "about", "meaning"), quantities),
        ]
    )


def _about(applies: Conditions, window_days: int | None) -> str:
    parts = [*applies.tracers, *applies.nuclides]
    flags = {
        "SPECT": applies.spect is True, "no SPECT": applies.spect is False,
        "dynamic": applies.dynamic is True, "not dynamic": applies.dynamic is False,
        "adults": applies.adults,
    }  # fmt: skip
    parts += [name for name, is_set in flags.items() if is_set]
    if applies.axial_extent_min_mm is not None:
        parts.append(f"at least {applies.axial_extent_min_mm:g} mm long")
    if window_days is not None:
        parts.append(f"value within {window_days} d")
    return ", ".join(parts)


def cli_page() -> str:
    """Commands with their arguments and options, from the Typer application."""
    lines = [_CLI_INTRODUCTION]
    for name, command in _commands(typer.main.get_command(app)):
        context = command.context_class(command, info_name=f"tracerlake {name}")
        usage = " ".join([f"tracerlake {name}", *command.collect_usage_pieces(context)])
        lines += [f"## {name}", "", command.help or "", "", "```text", usage, "```", ""]
        records = (p.get_help_record(context) for p in command.get_params(context))
        lines += _grid(
            ("argument or option", "meaning"),
            ((f"`{what}`", meaning) for what, meaning in filter(None, records)),
        )
    return "\n".join(lines)


def _commands(group: Any, before: str = "") -> Iterator[tuple[str, Any]]:
    """Commands by their names; those of a group by both names."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _commands(command, f"{name} ")
        else:
            yield before + name, command


def python_page() -> str:
    """Public functions of `lake` and methods of an open lake."""
    lines = [_PYTHON_INTRODUCTION]
    for name in ("open", "create"):
        lines += _function(f"lake.{name}", getattr(lake, name))
    for name in _METHODS:
        lines += _function(f"Lake.{name}", getattr(lake.Lake, name))
    return "\n".join(lines)


def _function(name: str, function: Callable[..., object]) -> list[str]:
    signature = str(inspect.signature(function)).replace("self, ", "").replace("(self)", "()")
    signature = re.sub(r"(: |-> )'([^']*)'", r"\1\2", signature)  # annotations come quoted
    text = inspect.getdoc(function) or ""
    return [f"## {name}", "", "```text", f"{name}{signature}", "", text, "```", ""]


def pages() -> dict[str, str]:
    """Text of every page by file name."""
    return {
        "cli.md": cli_page(),
        "tables.md": tables_page(),
        "reasons.md": reasons_page(),
        "features.md": features_page(),
        "kinetics.md": kinetics_page(),
        "protocol.md": protocol_page(),
        "python.md": python_page(),
    }


def stale(folder: Path) -> list[str]:
    """Names of the pages in a folder that are absent or differ from what the code says."""
    return [
        name
        for name, text in pages().items()
        if not (folder / name).exists() or (folder / name).read_text(encoding="utf-8") != text
    ]


def main() -> None:
    """Write the pages, or check them."""
    if "--check" in sys.argv:
        if found := stale(FOLDER):
            sys.exit(f"stale reference pages: {', '.join(found)}; run make docs")
        return
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
