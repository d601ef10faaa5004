"""Measuring one part of a series leaves what was measured on its other parts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import lake
from flows.cluster import Done
from flows.features import publish
from flows.runs import RunLog
from flows.standardise import forget_gone_parts
from flows.work.features import FeatureJob, MeasuredVolume
from schemas.profiles import FEATURE_PROFILES
from schemas.records import Row

SERIES = "2.25.1"
PROFILE, OTHER = FEATURE_PROFILES["pet-fbs-0.25/1"], FEATURE_PROFILES["pet-fbn-64/1"]


@pytest.fixture
def lk(tmp_path: Path) -> Iterator[lake.Lake]:
    """A series of two parts, each with a standard volume."""
    made = lake.create(tmp_path / "lake")
    rows = [
        _volume(f"{zone}-{part}", zone, part) for zone in ("raw", "standard") for part in (1, 2)
    ]
    made.commit(lambda tx: tx.insert("volumes", rows), message="parts")
    yield made
    made.close()


def _volume(name: str, zone: str, part: int, **more: object) -> Row:
    return {"volume_id": name, "series_instance_uid": SERIES, "zone": zone, "part_index": part,
            "volume_path": name, **more}  # fmt: skip


def _measured(
    volume: str, roi: str, profile: str = PROFILE.profile_id
) -> Done[FeatureJob, MeasuredVolume]:
    """A job on a volume with the one ROI that it led to."""
    job = FeatureJob({}, volume, volume, (), FEATURE_PROFILES[profile], "digest")
    common: Row = {"roi_id": roi, "series_instance_uid": SERIES, "feature_profile": profile}
    result = MeasuredVolume("digest", volume, SERIES)
    result.rows["rois"] = [{**common, "volume_id": f"mask-{roi}", "parent_volume_id": volume}]
    result.rows["features"] = [{**common, "feature": "suv_max", "value": 1.0}]
    result.rows["volumes"] = [_volume(f"mask-{roi}", "mask", 1, parent_volume_id=volume)]
    return Done(job, result, None)


def _publish(lk: lake.Lake, *batch: Done[FeatureJob, MeasuredVolume]) -> None:
    publish.fn(lk, RunLog("r", "extract_features"), list(batch))


def _left(lk: lake.Lake) -> list[str]:
    """ROIs of the lake; their features and masks have to be the same."""
    rois = [r for (r,) in lk.sql("SELECT roi_id FROM rois ORDER BY ALL").fetchall()]
    features = [r for (r,) in lk.sql("SELECT roi_id FROM features ORDER BY ALL").fetchall()]
    query = "SELECT volume_id FROM volumes WHERE zone = 'mask' ORDER BY ALL"
    masks = [m.removeprefix("mask-") for (m,) in lk.sql(query).fetchall()]
    assert rois == features == masks
    return rois


def test_parts_in_two_batches_are_both_kept(lk: lake.Lake) -> None:
    _publish(lk, _measured("standard-1", "a"))
    _publish(lk, _measured("standard-2", "b"))
    assert _left(lk) == ["a", "b"]


def test_what_is_measured_again_replaces_what_was_there(lk: lake.Lake) -> None:
    _publish(lk, _measured("standard-1", "a"), _measured("standard-2", "b"))
    _publish(lk, _measured("standard-1", "c"))
    assert _left(lk) == ["b", "c"]


def test_rois_of_a_volume_that_was_made_again_go(lk: lake.Lake) -> None:
    _publish(lk, _measured("standard-1", "a"), _measured("standard-2", "b"))
    new = _volume("standard-1-new", "standard", 1)
    lk.commit(lambda tx: tx.delete("volumes", {"volume_id": ["standard-1"]}), message="replaced")
    lk.commit(lambda tx: tx.insert("volumes", [new]), message="replaced")
    _publish(lk, _measured("standard-1-new", "c"))
    assert _left(lk) == ["b", "c"]


def test_other_profiles_are_other_measurements(lk: lake.Lake) -> None:
    _publish(lk, _measured("standard-1", "a", OTHER.profile_id))
    _publish(lk, _measured("standard-1", "b"), _measured("standard-2", "c", OTHER.profile_id))
    assert _left(lk) == ["a", "b", "c"]


def test_a_part_that_is_gone_takes_its_measurements_along(lk: lake.Lake) -> None:
    _publish(lk, _measured("standard-1", "a"), _measured("standard-2", "b"))
    lk.commit(lambda tx: tx.delete("volumes", {"volume_id": ["raw-2"]}), message="regrouped")
    forget_gone_parts(lk, RunLog("r", "standardise"))
    assert _left(lk) == ["a"]
