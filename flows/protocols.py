"""Which protocols the studies of a lake are held to: from its settings, read and checked."""

from __future__ import annotations

from pathlib import Path

from lake import Lake, LakeSettings
from schemas.errors import InvalidInputError
from schemas.records import Row
from tasks.protocol.evaluate import Protocols
from tasks.protocol.load import default_protocol, load_protocol
from tasks.protocol.model import Protocol


def protocols_of(lk: Lake) -> Protocols:
    """Read the protocols that the settings of a lake name.

    Raises
    ------
    InvalidInputError
        If a file cannot be read or is no valid protocol.
    """
    return read_protocols(lk.settings, lk.location)


def read_protocols(settings: LakeSettings, folder: Path) -> Protocols:
    """As `protocols_of`; relative paths start in the lake's folder."""
    chosen = settings.protocol
    default = default_protocol() if chosen.file is None else _load(chosen.file, folder, "file")
    centres = {
        centre: _load(path, folder, f"centres.{centre}") for centre, path in chosen.centres.items()
    }
    return Protocols(default, centres)


def _load(path: Path, folder: Path, key: str) -> Protocol:
    try:
        return load_protocol(folder / path.expanduser())
    except InvalidInputError as error:
        raise InvalidInputError(f"settings, protocol.{key}: {error}") from error


def protocol_row(protocol: Protocol) -> Row:
    """Row of ``protocols``, without what the check adds."""
    off = [f"{name}: {rule.reason}" for name, rule in protocol.rules.items() if not rule.enabled]
    return {
        "protocol_digest": protocol.digest,
        "protocol_id": protocol.protocol_id,
        "protocol_title": protocol.title,
        "n_rules": len(protocol.active()),
        "rules_off": off,
        "protocol_json": protocol.canonical_json(),
    }
