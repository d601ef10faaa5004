"""Declarative mappings (TOML) from a clinical system's own names to the lake's items."""

from __future__ import annotations

import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError

from schemas.errors import InvalidInputError
from tasks.clinical.model import ITEM_NAMES, NUMBERS, TIMES_OF_DAY


def _known_item(name: str) -> str:
    if name not in ITEM_NAMES:
        raise ValueError(f"expected one of {', '.join(sorted(ITEM_NAMES))}")
    return name


ItemName = Annotated[str, AfterValidator(_known_item)]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ColumnItem(_Strict):
    """One column of a table: the item it holds, its unit, and the meaning of its codes."""

    item: ItemName
    column: str
    unit: str = ""
    choices: dict[str, str] = {}
    purpose: str = "research"
    from_column: str = ""
    until_column: str = ""


class RedcapMapping(_Strict):
    """How a REDCap (or any flat) export is read."""

    system: str = "redcap"
    id_column: str
    issuer: str = ""
    record_columns: tuple[str, ...]
    date_column: str = ""
    date_order: Literal["ymd", "dmy", "mdy"] = "ymd"
    centre_column: str = ""
    decimal: Literal[".", ","] = "."
    items: tuple[ColumnItem, ...]


class ObservationItem(_Strict):
    """Observation codes (``system|code``) that mean an item; `choices` maps coded answers."""

    item: ItemName
    codes: frozenset[str]
    choices: dict[str, str] = {}


class ConsentItem(_Strict):
    """Provision codes (``system|code``) that decide on a purpose."""

    purpose: str
    codes: frozenset[str]


class FhirMapping(_Strict):
    """How FHIR resources are read."""

    system: str = "fhir"
    identifier_system: str = ""
    identifier_type: str = "MR"
    issuer: str = ""
    observations: tuple[ObservationItem, ...] = ()
    consents: tuple[ConsentItem, ...] = ()


MappingT = TypeVar("MappingT", RedcapMapping, FhirMapping)


def load_mapping(path: Path, kind: type[MappingT]) -> MappingT:
    """Load a mapping from a TOML file.

    Raises
    ------
    InvalidInputError
        If the file cannot be read or does not fit, with the place in it.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInputError(
            f"mapping {path}: cannot be read ({type(error).__name__})"
        ) from error
    return _parse(text, kind, str(path))


def default_redcap_mapping() -> RedcapMapping:
    """Return the mapping of the simulated cohort's REDCap export."""
    return _parse(_bundled("redcap.toml"), RedcapMapping, "redcap.toml")


def default_fhir_mapping() -> FhirMapping:
    """Return the mapping of the simulated cohort's FHIR resources and common LOINC codes."""
    return _parse(_bundled("fhir.toml"), FhirMapping, "fhir.toml")


def _bundled(name: str) -> str:
    return files("tasks.clinical").joinpath("mappings", name).read_text(encoding="utf-8")


def _parse(text: str, kind: type[MappingT], where: str) -> MappingT:
    try:
        mapping = kind.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise InvalidInputError(f"mapping {where}: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        at = ".".join(str(part) for part in first["loc"])
        raise InvalidInputError(f"mapping {where}: {at}: {first['msg']}") from error
    if isinstance(mapping, RedcapMapping):
        _check_units(mapping, where)
    return mapping


def _check_units(mapping: RedcapMapping, where: str) -> None:
    for number, column in enumerate(mapping.items):
        if column.item in NUMBERS and column.item not in TIMES_OF_DAY and not column.unit:
            raise InvalidInputError(f"mapping {where}: items.{number}: {column.item} needs a unit")
