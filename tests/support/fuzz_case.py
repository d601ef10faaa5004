"""One damaged object in its series, taken all the way; what became of everything."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from schemas.reasons import REASONS
from schemas.records import ConvertedSeries, Row
from tasks.deidentify.pseudonyms import Pseudonymiser
from tasks.dicom.grouping import group_series
from tasks.ingest.convert import Limits, convert_series
from tasks.ingest.outcomes import scanned_row
from tests.support.dicom_objects import SECRET, scan_all
from tests.support.mutation import MUTATIONS, mutate

_KINDS: Final = tuple(MUTATIONS)


class BrokenRuleError(AssertionError):
    """Something that must hold for every object, however damaged, does not."""


@dataclass(frozen=True, slots=True)
class FuzzCase:
    """A series of which one object is damaged.

    Parameters
    ----------
    number : int
        Names the case: the same number gives the same bytes.
    series, mutation : str
        Which healthy series, which kind of damage.
    contents : tuple of bytes
        The objects.
    damaged : int
        Index of the damaged one.
    """

    number: int
    series: str
    mutation: str
    contents: tuple[bytes, ...]
    damaged: int


def make_case(number: int, seeds: Mapping[str, Sequence[bytes]]) -> FuzzCase:
    """Make a case from its number."""
    rng = random.Random(number)
    kind = _KINDS[number % len(_KINDS)]
    name = rng.choice(sorted(seeds))
    contents = list(seeds[name])
    damaged = rng.randrange(len(contents))
    contents[damaged] = mutate(contents[damaged], kind, rng)
    return FuzzCase(number, name, kind, tuple(contents), damaged)


def settle(contents: Sequence[bytes]) -> list[str]:
    """Scan, group and convert objects; outcome or reason of each, in order.

    Raises
    ------
    BrokenRuleError
        If an object does not end exactly once, with a known reason, or a volume is not sound.
    """
    scanned, reader = scan_all(contents)
    pseudonymiser = Pseudonymiser(SECRET)
    rows: list[Row] = [scanned_row(s, pseudonymiser) for s in scanned if s.outcome is not None]
    for group in group_series(scanned):
        converted = convert_series(
            group, reader=reader, pseudonymiser=pseudonymiser, limits=Limits()
        )
        _require_sound(converted)
        rows += converted.rows["files"]
    by_key = {str(row["file_key"]): row for row in rows}
    keys = [pseudonymiser.file_key(uri) for uri in reader.objects]
    if len(rows) != len(keys) or set(by_key) != set(keys):
        raise BrokenRuleError(f"{len(keys)} objects have {len(rows)} outcomes")
    found = [str(by_key[key]["reason_code"] or by_key[key]["outcome"]) for key in keys]
    if unknown := {f for f in found if f not in REASONS} - {"ingested", "duplicate"}:
        raise BrokenRuleError(f"unknown reasons {sorted(unknown)}")
    return found


def _require_sound(converted: ConvertedSeries) -> None:
    """Nothing that came of damaged objects may be half a volume."""
    for volume in converted.raw:
        finite = [volume.geometry.affine, volume.rescale_slope, volume.rescale_intercept]
        finite += [] if volume.suv_factor is None else [volume.suv_factor]
        if not all(np.isfinite(values).all() for values in finite):
            raise BrokenRuleError("a volume has a factor or place that is not finite")
        if volume.stored.size == 0:
            raise BrokenRuleError("a volume without voxels")
    if converted.raw and len(converted.rows.get("series", [])) != 1:
        raise BrokenRuleError("a volume without its series")
