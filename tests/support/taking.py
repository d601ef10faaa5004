"""Lakes and small CT series for tests of ingestion, and what must hold after every run."""

from __future__ import annotations

import random
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path

import lake
from lake.vacuum import vacuum
from lake.verify import verify
from tests.instances import ct_instance

OUTCOMES = ("n_unchanged", "n_ingested", "n_duplicate", "n_quarantined", "n_ignored")


def new_lake(location: Path, **settings: object) -> Path:
    """Make an empty lake whose runs look twice at young files after a third of a second."""
    lake.create(location, settings={"settle_s": 0.3, **settings}).close()
    return location


def write_series(
    folder: Path,
    numbers: Iterable[int],
    *,
    series: int = 1,
    study: int = 1,
    edge: int = 4,
    noise: bool = False,
) -> Path:
    """Write slices of a CT series; the same numbers give the same bytes. Noise cannot be packed."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        data = ct_instance(study, series, number, edge=edge)
        if noise:  # the pixels are the last element
            n_bytes = 2 * edge**2
            data = data[:-n_bytes] + random.Random(number).randbytes(n_bytes)
        (folder / f"{study}-{series}-{number:03}.dcm").write_bytes(data)
    return folder


def ask(location: Path, query: str) -> list[tuple[object, ...]]:
    """Answer of a lake."""
    with lake.open(location, read_only=True) as lk:
        return lk.sql(query).fetchall()


def outcomes(location: Path) -> dict[object, object]:
    """Objects by reason, or outcome where there is none."""
    query = "SELECT coalesce(reason_code, outcome), count(*) FROM files GROUP BY ALL"
    return dict(ask(location, query))  # type: ignore[arg-type]


def content(location: Path) -> dict[str, str]:
    """Digest of each table."""
    with lake.open(location, read_only=True) as lk:
        return lk.content_digest()


def assert_whole(location: Path) -> None:
    """Nothing is missing or damaged, and nothing is left once orphans of a crash are removed."""
    with lake.open(location) as lk:
        left = {"orphan_volume", "unfinished_volume", "orphan_file"}
        assert {p.kind for p in verify(lk)} <= left
        vacuum(lk, grace=timedelta(0))
        assert verify(lk) == []
        doubled = "SELECT series_instance_uid, zone FROM volumes GROUP BY ALL HAVING count(*) > 1"
        assert lk.sql(doubled).fetchall() == []
