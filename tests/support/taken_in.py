"""A lake filled with converted objects, without sources, workers and Prefect."""

from __future__ import annotations

from collections.abc import Iterable

from pydicom.dataset import Dataset

from flows.identities import pseudonymiser
from lake import Lake
from lake.volumes import write_raw
from schemas.tables import TABLES
from tests.support.dicom_objects import convert_all


def take_in(lk: Lake, objects: Iterable[Dataset | bytes]) -> list[str]:
    """Convert objects with the lake's key and publish rows and volumes; the UIDs of the series."""
    names = pseudonymiser(lk.settings, lk.keys())
    uids = []
    with lk.transaction(message="test") as tx:
        for converted in convert_all(
            objects, pseudonymiser=names, deidentify=lk.settings.deidentify
        ):
            uid = converted.series_instance_uid
            uids.append(uid)
            rows = {name: list(r) for name, r in converted.rows.items() if name != "files"}
            rows["volumes"] = [write_raw(lk.volumes_root, uid, v) for v in converted.raw]
            for name, table in rows.items():
                has_run = "run_id" in TABLES[name].columns
                tx.insert(name, [r | ({"run_id": "r"} if has_run else {}) for r in table])
    return uids
