"""Planar images in a lake: kept, readable, and never taken for tomograms."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset

import lake
from flows.ingest import ingest
from flows.standardise import standardise
from lake.verify import verify
from tests.support.dicom_objects import common, set_pixels, to_bytes

pytestmark = [pytest.mark.xdist_group("prefect"), pytest.mark.usefixtures("prefect_server")]

NM, CAPTURE = "1.2.840.10008.5.1.4.1.1.20", "1.2.840.10008.5.1.4.1.1.7"


def _picture(sop_class: str, series: str, **attributes: object) -> Dataset:
    ds = common(sop_class, "NM", 1, series)
    ds.ImageType = ["ORIGINAL", "PRIMARY", "WHOLE BODY", "EMISSION"]
    ds.PixelSpacing = ["2", "2"]
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    return set_pixels(ds, np.arange(24, dtype=np.uint16).reshape(2, 4, 3))


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    whole_body = _picture(NM, "1.2.3.1", NumberOfFrames=2, DetectorVector=[1, 2],
                          FrameIncrementPointer=[0x00540020])  # fmt: skip
    capture = _picture(CAPTURE, "1.2.3.2", NumberOfFrames=2)
    marked = _picture(CAPTURE, "1.2.3.3", NumberOfFrames=2, BurnedInAnnotation="YES")
    for number, ds in enumerate((whole_body, capture, marked)):
        (folder / f"{number}.dcm").write_bytes(to_bytes(ds))
    return folder


def _rows(location: Path, query: str) -> list[Sequence[object]]:
    with lake.open(location, read_only=True) as lk:
        return list(lk.sql(query).fetchall())


def test_planar_series_and_the_setting_for_secondary_capture(tmp_path: Path, inbox: Path) -> None:
    location = tmp_path / "lake"
    lake.create(location).close()
    counts = ingest(str(location), [str(inbox)], workers=1)
    assert (counts["n_ingested"], counts["n_ignored"]) == (1, 2)

    settings = location / "tracerlake.toml"
    text = settings.read_text(encoding="utf-8")
    settings.write_text(text + '\nsecondary_capture = "monochrome"\n', encoding="utf-8")
    counts = ingest(str(location), [str(inbox)], workers=1)
    assert (counts["n_unchanged"], counts["n_ingested"], counts["n_ignored"]) == (1, 1, 1)
    counts = ingest(str(location), [str(inbox)], workers=1)
    assert counts["n_unchanged"] == 3

    kinds = "SELECT series_kind, modality, is_spect FROM series"
    assert _rows(location, kinds) == [("planar", "NM", False)] * 2
    shapes = "SELECT shape_t, shape_z, shape_y, shape_x, frame_kind FROM volumes"
    assert _rows(location, shapes) == [(2, 1, 4, 3, "view")] * 2
    assert standardise(str(location), workers=1) == {"n_written": 0, "n_failed": 0}
    assert _rows(location, "SELECT * FROM cohort") == []

    with lake.open(location, read_only=True) as lk:
        labelled = (
            "SELECT series_instance_uid FROM volumes WHERE frame_labels[2] LIKE '%detector 2'"
        )
        ((uid,),) = lk.sql(labelled).fetchall()
        image = lk.volume(uid)
        assert image.dims == ("t", "z", "y", "x")
        assert image.frame_label.to_numpy().tolist()[1] == "window 1 detector 2"
        expected = np.arange(12, 24).reshape(4, 3)
        np.testing.assert_array_equal(image.isel(t=1, z=0).to_numpy(), expected)
        assert verify(lk) == []
