"""The whole job on the real series: volumes, SUV where it can be had, masks, features, answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import lake
from flows.features import extract_features
from flows.ingest import ingest
from flows.standardise import standardise

pytestmark = [
    pytest.mark.xdist_group("prefect"),
    pytest.mark.usefixtures("prefect_server"),
    pytest.mark.reference,
]

_FOLDERS = (
    "pet-ge-sts001", "pet-siemens-qinhn0024", "pet-nema-iq-1", "spect-lu177-scan1",
)  # fmt: skip


@pytest.fixture(scope="module")
def real_lake(
    reference_data: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[lake.Lake]:
    location = tmp_path_factory.mktemp("real") / "lake"
    lake.create(location).close()
    folders = [str(reference_data(name)) for name in _FOLDERS]
    counts = ingest(str(location), folders, workers=2)
    assert counts["n_ingested"] == 267 + 1 + 299 + 1 + 89 + 199 + 1
    assert counts["n_quarantined"] == 0
    standardise(str(location), workers=2)
    extract_features(str(location), workers=2)
    with lake.open(location) as lk:
        yield lk


def test_every_series_has_a_volume_in_the_unit_it_can_have(real_lake: lake.Lake) -> None:
    rows = real_lake.sql(
        "SELECT s.n_instances, s.is_spect, s.suv_status, s.suv_reason_code, v.value_unit "
        "FROM series s JOIN volumes v USING (series_instance_uid) WHERE v.zone = 'standard'"
    ).fetchall()
    assert sorted(rows, key=str) == sorted(
        [
            (267, False, "suv", None, "SUVbw"),
            (299, False, "suv", None, "SUVbw"),
            (89, False, "refused", "suv_units_missing", "1"),
            (199, True, "suv", None, "SUVbw"),
        ],
        key=str,
    )


def test_suv_factors_are_the_published_ones(real_lake: lake.Lake) -> None:
    factors = dict(
        real_lake.sql(
            "SELECT n_instances, suv_factor FROM series WHERE suv_status = 'suv'"
        ).fetchall()
    )
    assert factors[299] == pytest.approx(2.944804e-4, rel=1e-6)
    # 92.987 kg / 7.2104255996 GBq, decay correction ADMIN: no decay
    assert factors[199] == pytest.approx(92987.0 / 7210425599.6395, rel=1e-9)


def test_what_the_protocol_says_of_real_scans(real_lake: lake.Lake) -> None:
    """By hand: GE 45 min and 4.69 mm voxels, a phantom without RAN and NORM, else nothing."""
    found = real_lake.sql(
        "SELECT s.n_instances, f.rule_id, f.severity FROM findings f "
        "JOIN series s ON s.series_instance_uid = f.subject_id "
        "WHERE f.protocol_digest IS NOT NULL ORDER BY ALL"
    ).fetchall()
    assert found == [(89, "COR-1", "warn"), (267, "UPT-1", "warn"), (267, "VOX-1", "warn")]
    balance = {
        n: (mean, percent)
        for n, mean, percent in real_lake.sql(
            "SELECT n_instances, body_suv_mean, activity_in_view_percent FROM series "
            "WHERE suv_status = 'suv' AND modality = 'PT'"
        ).fetchall()
    }
    # head to thigh: most of the activity, mean SUV just below 1
    assert balance[267] == (pytest.approx(0.838, abs=2e-3), pytest.approx(66.1, abs=0.1))
    assert balance[299] == (pytest.approx(0.925, abs=2e-3), pytest.approx(81.7, abs=0.1))
    untold = real_lake.sql(
        "SELECT DISTINCT n_instances FROM protocol_checks JOIN series USING (series_instance_uid) "
        "WHERE rule_id = 'UPT-1' AND not_checkable_reason = 'the tracer is not known' ORDER BY ALL"
    ).fetchall()
    assert untold == [(89,), (299,)]


def test_masks_that_came_with_the_images_are_measured(real_lake: lake.Lake) -> None:
    rois = real_lake.sql(
        "SELECT roi_label, roi_method, roi_volume_ml FROM rois ORDER BY roi_label"
    ).fetchall()
    assert {method for _, method, _ in rois} == {"rtstruct", "seg"}
    volumes = {label: volume for label, _, volume in rois}
    assert volumes["gtv_mass"] == pytest.approx(366, rel=0.02)
    assert volumes["gtv_edema"] > volumes["gtv_mass"]


def test_a_volume_is_upright_and_in_suv_for_python_users(real_lake: lake.Lake) -> None:
    (uid,) = real_lake.sql(
        "SELECT series_instance_uid FROM series WHERE n_instances = 299"
    ).fetchall()[0]
    array = real_lake.volume(uid)
    assert array.dims == ("z", "y", "x")
    assert array.attrs["units"] == "SUVbw"
    # the head is above the bladder: the brightest slices of the upper quarter are brain
    z = array["z"].values
    assert z[-1] > z[0]
    assert float(array.isel(z=slice(-40, None)).max()) > 5.0
