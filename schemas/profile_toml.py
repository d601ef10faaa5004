"""Reading the fields of a profile from TOML: nothing unknown, every value of its field's type."""

from __future__ import annotations

import contextlib
import tomllib
import types
import typing
from dataclasses import fields
from typing import Any, Literal

from schemas.errors import InvalidInputError


def parse_profile(toml_text: str) -> tuple[object, dict[str, Any]]:
    """Return the ``kind`` of a profile, and its other keys as they stand.

    Raises
    ------
    InvalidInputError
        It is not TOML.
    """
    try:
        raw = tomllib.loads(toml_text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidInputError(f"profile is not valid TOML: {error}") from error
    return raw.pop("kind", None), raw


def require_known_keys(raw: dict[str, Any], cls: type[Any]) -> None:
    """Refuse keys that are no fields of a dataclass.

    Raises
    ------
    InvalidInputError
        Naming them, and those that there are.
    """
    known = {f.name for f in fields(cls)}
    unknown = sorted(set(raw) - known)
    if unknown:
        raise InvalidInputError(f"unknown profile keys {unknown}; known: {sorted(known)}")


def coerce(key: str, value: Any, hint: Any) -> Any:
    """Turn a TOML value into the annotated type.

    Raises
    ------
    InvalidInputError
        Naming the key, what was expected and what came.

    Examples
    --------
    >>> coerce("spacing_mm", [3, 3, 3], tuple[float, float, float] | None)
    (3.0, 3.0, 3.0)
    """
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in {types.UnionType, typing.Union}:  # TOML has no null
        return _coerce_to_one(key, value, [a for a in arguments if a is not type(None)], hint)
    if origin is tuple and isinstance(value, list):
        if arguments[-1] is Ellipsis:
            return tuple(coerce(key, v, arguments[0]) for v in value)
        if len(value) == len(arguments):
            return tuple(coerce(key, v, t) for v, t in zip(value, arguments, strict=True))
    if origin is Literal and value in arguments:
        return value
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if hint is float and number:
        return float(value)
    if hint in {int, bool, str} and type(value) is hint:
        return value
    raise InvalidInputError(f"profile key {key!r}: expected {_named(hint)}, got {value!r}")


def _coerce_to_one(key: str, value: Any, hints: list[Any], union: Any) -> Any:
    for hint in hints:
        with contextlib.suppress(InvalidInputError):
            return coerce(key, value, hint)
    expected = hints[0] if len(hints) == 1 else union
    raise InvalidInputError(f"profile key {key!r}: expected {_named(expected)}, got {value!r}")


def _named(hint: Any) -> str:
    return hint.__name__ if isinstance(hint, type) and not typing.get_args(hint) else str(hint)
