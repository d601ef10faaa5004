"""Which CT belongs to which PET: several of both in one study."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

import lake
from flows.linking import link_ct
from flows.runs import RunLog
from schemas.records import Row

_START = datetime.fromisoformat("2024-01-02T10:00:00")


def _series(uid: str, modality: str, minutes: float | None, **more: object) -> Row:
    when = None if minutes is None else _START + timedelta(minutes=minutes)
    return {
        "series_instance_uid": uid, "study_instance_uid": "study", "modality": modality,
        "series_kind": "image", "frame_of_reference_uid": "frame", "acquisition_datetime": when,
        **more,
    }  # fmt: skip


@pytest.fixture
def lk(tmp_path: Path) -> Iterator[lake.Lake]:
    with lake.create(tmp_path / "lake") as made:
        yield made


def _linked(lk: lake.Lake, *rows: Row) -> dict[str, str | None]:
    for row in rows:  # one commit each: as on several nights
        lk.commit(
            lambda tx, row=row: tx.replace("series", [row], scope=("series_instance_uid",)),  # type: ignore[misc]
            message="test",
        )
        link_ct(lk, RunLog("r", "ingest"))
    found = lk.sql(
        "SELECT series_instance_uid, referenced_series_uid FROM series WHERE modality = 'CT'"
    ).fetchall()
    return dict(found)


def test_every_ct_of_an_acquisition_belongs_to_the_corrected_reconstruction(lk: lake.Lake) -> None:
    links = _linked(
        lk,
        _series("low dose", "CT", 0),
        _series("1 NAC", "PT", 2, attenuation_corrected=False),
        _series("2 AC", "PT", 2.5, attenuation_corrected=True),
        _series("diagnostic", "CT", 25),
    )
    assert links == {"low dose": "2 AC", "diagnostic": "2 AC"}


def test_early_and_late_scan_have_their_own_ct(lk: lake.Lake) -> None:
    links = _linked(
        lk,
        _series("ct early", "CT", 0),
        _series("pet early", "PT", 2, attenuation_corrected=False),
        _series("ct late", "CT", 90),
        _series("pet late", "PT", 92, attenuation_corrected=True),
    )
    assert links == {"ct early": "pet early", "ct late": "pet late"}


def test_another_frame_of_reference_or_study_is_not_linked_however_close(lk: lake.Lake) -> None:
    links = _linked(
        lk,
        _series("pet", "PT", 2, attenuation_corrected=True),
        _series("moved", "CT", 1, frame_of_reference_uid="other"),
        _series("unknown", "CT", 1, frame_of_reference_uid=None),
        _series("later study", "CT", 1, study_instance_uid="other"),
        _series("contours", "CT", 1, series_kind="contours"),
    )
    assert set(links.values()) == {None}


def test_without_times_the_frame_of_reference_is_enough(lk: lake.Lake) -> None:
    assert _linked(
        lk, _series("ct", "CT", None), _series("b", "PT", 3), _series("a", "NM", None)
    ) == {"ct": "a"}


def test_the_answer_does_not_depend_on_the_order_of_arrival(tmp_path: Path) -> None:
    rows = (
        _series("ct", "CT", 0),
        _series("nac", "PT", 1, attenuation_corrected=False),
        _series("ac", "PT", 3, attenuation_corrected=True),
    )
    for number, order in enumerate((rows, rows[::-1], (rows[1], rows[0], rows[2]))):
        with lake.create(tmp_path / str(number)) as lk:
            assert _linked(lk, *order) == {"ct": "ac"}
            assert link_ct(lk, RunLog("r", "ingest")) == 0  # nothing left to change


def _dynamic(lk: lake.Lake, uid: str) -> None:
    row: Row = {"volume_id": uid, "series_instance_uid": uid, "zone": "raw", "shape_t": 12}
    lk.commit(lambda tx: tx.insert("volumes", [row]), message="test")


def test_a_ct_before_a_dynamic_and_a_static_scan_belongs_to_the_static_one(lk: lake.Lake) -> None:
    _dynamic(lk, "dynamic")
    links = _linked(
        lk, _series("ct", "CT", 0), _series("dynamic", "PT", 2), _series("static", "PT", 60)
    )
    assert links == {"ct": "static"}


def test_a_dynamic_scan_keeps_its_ct_if_the_static_one_has_its_own(lk: lake.Lake) -> None:
    _dynamic(lk, "dynamic")
    links = _linked(
        lk, _series("ct heart", "CT", 0), _series("dynamic", "PT", 2),
        _series("ct body", "CT", 58), _series("static", "PT", 60),
    )  # fmt: skip
    assert links == {"ct heart": "dynamic", "ct body": "static"}


def test_a_dynamic_scan_alone_is_linked(lk: lake.Lake) -> None:
    _dynamic(lk, "dynamic")
    assert _linked(lk, _series("ct", "CT", 0), _series("dynamic", "PT", 2)) == {"ct": "dynamic"}
