"""Groups of options that several commands share."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer
from pydantic import ValidationError

from schemas.errors import InvalidInputError
from schemas.sources import Selection

Location = Annotated[Path, typer.Argument(help="The lake.")]


@dataclass(frozen=True)
class ClusterOptions:
    """Where the work is done."""

    dask: Annotated[
        str | None, typer.Option("--dask", help="Address of a Dask scheduler, tcp://host:8786.")
    ] = None
    workers: Annotated[int | None, typer.Option(min=1, help="Local worker processes.")] = None


@dataclass(frozen=True)
class SelectionOptions:
    """What is taken of the sources."""

    since: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="Only studies of this day and later."),
    ] = None
    until: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="Only studies of this day and earlier."),
    ] = None
    last_days: Annotated[
        int | None, typer.Option(min=0, help="Only studies of the last so many days.")
    ] = None
    modality: Annotated[
        list[str] | None, typer.Option(help="Only series of this modality, PT or CT; repeatable.")
    ] = None
    description: Annotated[
        list[str] | None,
        typer.Option(help="Only series whose description is like this, with * and ?; repeatable."),
    ] = None

    def as_parameter(self) -> dict[str, object] | None:
        """Return a `Selection` as a flow takes it; None if everything is taken.

        Raises
        ------
        InvalidInputError
            If the options contradict each other, or a modality is no code.
        """
        try:
            chosen = Selection(
                since=self.since and self.since.date(),
                until=self.until and self.until.date(),
                last_days=self.last_days,
                modalities=tuple(m.upper() for m in self.modality or ()),
                descriptions=tuple(self.description or ()),
            )
        except ValidationError as error:
            said = "; ".join(str(e["msg"]).removeprefix("Value error, ") for e in error.errors())
            raise InvalidInputError(f"selection: {said}") from None
        return chosen.model_dump(mode="json", exclude_defaults=True) or None


@dataclass(frozen=True)
class ClinicalOptions:
    """Where clinical data come from."""

    redcap: Annotated[list[Path] | None, typer.Option(help="REDCap CSV export; repeatable.")] = None
    fhir: Annotated[list[Path] | None, typer.Option(help="FHIR NDJSON file; repeatable.")] = None
    redcap_mapping: Annotated[Path | None, typer.Option(help="TOML: which column is what.")] = None
    fhir_mapping: Annotated[Path | None, typer.Option(help="TOML: which code is what.")] = None

    def as_parameters(self) -> dict[str, Any]:
        """Return absolute paths by parameter of the flows."""
        return {
            "redcap": [str(p.resolve()) for p in self.redcap or []],
            "fhir": [str(p.resolve()) for p in self.fhir or []],
            "redcap_mapping": self.redcap_mapping and str(self.redcap_mapping.resolve()),
            "fhir_mapping": self.fhir_mapping and str(self.fhir_mapping.resolve()),
        }


def with_groups(command: Callable[..., None]) -> Callable[..., None]:
    """Let parameters of a command that are groups of options appear as these options.

    Typer knows functions with one parameter an option only. The command returned is such a
    function; it makes the groups and hands them to `command`.
    """
    hints = get_type_hints(command, include_extras=True)
    groups = {name: hint for name, hint in hints.items() if is_dataclass(hint)}
    parameters = [
        parameter
        for given in inspect.signature(command).parameters.values()
        for parameter in _expanded(given, hints[given.name])
    ]

    @functools.wraps(command)
    def run(**values: object) -> None:
        for name, group in groups.items():
            made: Any = group
            values[name] = made(**{f.name: values.pop(f.name) for f in fields(made)})
        command(**values)

    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {p.name: p.annotation for p in parameters}
    return run


def _expanded(parameter: inspect.Parameter, hint: Any) -> list[inspect.Parameter]:
    kind = inspect.Parameter.KEYWORD_ONLY
    if not is_dataclass(hint):
        return [parameter.replace(kind=kind, annotation=hint)]
    hints = get_type_hints(hint, include_extras=True)
    return [
        inspect.Parameter(f.name, kind, default=f.default, annotation=hints[f.name])
        for f in fields(hint)
    ]
