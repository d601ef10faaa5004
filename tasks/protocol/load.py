"""Protocol files (TOML): read, completed by what they extend, checked to the last key."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from schemas.errors import InvalidInputError
from tasks.protocol.model import Protocol
from tasks.protocol.validation import problems, sentence_of

DEFAULT: Final = "default"
#: A protocol that extends one that extends one ... this far.
_MAX_DEPTH: Final = 5
_MAX_BYTES: Final = 1_000_000
#: In place of a limit: none, where the protocol that is extended has one.
_NONE: Final = "none"


def default_protocol() -> Protocol:
    """Return the protocol that comes with tracerlake."""
    return _checked(_default_content(), DEFAULT)


def load_protocol(path: Path) -> Protocol:
    """Read a protocol file.

    Parameters
    ----------
    path : Path
        TOML. ``extends`` names ``default``, or another file relative to it.

    Raises
    ------
    InvalidInputError
        If a file cannot be read or is no valid protocol; with every key that is wrong, and what
        was expected there.
    """
    return _checked(_content(path, ()), path.name)


def parse_protocol(text: str, where: str = "text") -> Protocol:
    """Read a protocol from its text; it may extend ``default`` only.

    Raises
    ------
    InvalidInputError
        As `load_protocol`.

    Examples
    --------
    >>> made = parse_protocol('''
    ... protocol = "strict"
    ... version = "1"
    ... title = "60 min, plus or minus 5"
    ... extends = "default"
    ... [rules."UPT-1"]
    ... fail = {min = 55, max = 65}
    ... warn = "none"
    ... ''')
    >>> made.rules["UPT-1"].limit_text("min")
    'fail unless 55 to 65 min'
    """
    content = _toml(text, where)
    parent = content.pop("extends", None)
    if parent == DEFAULT:
        content = _extended(_default_content(), content)
    elif parent is not None:
        raise InvalidInputError(
            f'protocol {where}: extends: expected "default" for a text without a file'
        )
    return _checked(content, where)


def _content(path: Path, seen: tuple[Path, ...]) -> dict[str, Any]:
    place = path.expanduser().absolute()
    if place in seen:
        raise InvalidInputError(f"protocol {path.name}: extends itself, by way of {seen[-1].name}")
    if len(seen) >= _MAX_DEPTH:
        raise InvalidInputError(
            f"protocol {path.name}: more than {_MAX_DEPTH} protocols extend each other"
        )
    content = _toml(_text(place), path.name)
    parent = content.pop("extends", None)
    if parent is None:
        return content
    if not isinstance(parent, str) or not parent:
        raise InvalidInputError(f'protocol {path.name}: extends: expected "default" or a file name')
    if parent == DEFAULT:
        return _extended(_default_content(), content)
    return _extended(_content(place.parent / parent, (*seen, place)), content)


def _text(place: Path) -> str:
    try:
        data = place.read_bytes()
    except OSError as error:
        raise InvalidInputError(
            f"protocol {place.name}: cannot be read ({error.strerror})"
        ) from error
    if len(data) > _MAX_BYTES:
        raise InvalidInputError(f"protocol {place.name}: larger than {_MAX_BYTES:,} bytes")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidInputError(f"protocol {place.name}: is not UTF-8 text") from error


def _toml(text: str, where: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidInputError(f"protocol {where}: is not valid TOML: {error}") from error


def _default_content() -> dict[str, Any]:
    return tomllib.loads(files("tasks.protocol").joinpath("default.toml").read_text("utf-8"))


def _extended(parent: Mapping[str, Any], child: Mapping[str, Any]) -> dict[str, Any]:
    """Child over parent; of a rule that both have, each key of the child replaces the parent's."""
    inherited, own = parent.get("rules"), child.get("rules", {})
    if not isinstance(inherited, dict) or not isinstance(own, dict):
        return {**parent, **child}  # the check says what is wrong with it
    rules = dict(inherited)
    for rule_id, changes in own.items():
        known = rules.get(rule_id)
        if not isinstance(known, dict) or not isinstance(changes, dict):
            rules[rule_id] = changes
            continue
        rules[rule_id] = {**known, **changes}
        if known.get("enabled") is False and changes.get("enabled") is True:
            rules[rule_id].pop("reason", None)
    head = {key: parent[key] for key in parent if key not in ("protocol", "version", "title")}
    return {**head, **child, "rules": rules}


def _checked(content: Mapping[str, Any], where: str) -> Protocol:
    try:
        protocol = Protocol.model_validate(_without_none(content))
    except ValidationError as error:
        found = [sentence_of(dict(e)) for e in error.errors()]
        raise InvalidInputError(_told(where, found)) from None
    if found := problems(protocol):
        raise InvalidInputError(_told(where, found))
    return protocol


def _without_none(content: Mapping[str, Any]) -> dict[str, Any]:
    rules = content.get("rules")
    if not isinstance(rules, dict):
        return dict(content)
    kept = {
        rule_id: {k: v for k, v in rule.items() if not _is_no_limit(k, v)}
        if isinstance(rule, dict)
        else rule
        for rule_id, rule in rules.items()
    }
    return {**content, "rules": kept}


def _is_no_limit(key: str, value: object) -> bool:
    return key in ("fail", "warn", "info") and value == _NONE


def _told(where: str, found: list[str]) -> str:
    more = f" (and {len(found) - 8} more)" if len(found) > 8 else ""
    return f"protocol {where}: {'; '.join(found[:8])}{more}"
