"""Real World Value Mappings to rows."""

from __future__ import annotations

import json

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as DicomSequence

from schemas.tables import TABLES
from tasks.deidentify.pseudonyms import Pseudonymiser
from tests.support.dicom_objects import SECRET, SERIES, convert_all, pet_series, reasons
from tests.support.reports import MAP_SERIES, value_map

uid = Pseudonymiser(SECRET).uid


def test_row_of_a_mapping_to_suv() -> None:
    (made,) = convert_all([value_map(0.25, images=pet_series(3))])
    (row,) = made.rows["real_world_values"]
    assert row == {
        "mapping_series_uid": uid(MAP_SERIES),
        "mapping_index": 1,
        "sop_instance_uid": uid(MAP_SERIES + ".1"),
        "patient_key": Pseudonymiser(SECRET).patient_key("4711"),
        "mapped_series_uid": uid(SERIES),
        "n_mapped_instances": 3,
        "n_mapped_frames": None,
        "real_world_slope": 0.25,
        "real_world_intercept": 0.0,
        "first_value_mapped": -5.0,
        "last_value_mapped": 32000.0,
        "is_lookup_table": False,
        "unit_code": "{SUVbw}g/ml",
        "lut_label": "suvbw",
        "quantity_code": "DCM:126400",
        "measurement_method_codes": ["DCM:126410"],
    }
    assert set(row) <= set(TABLES["real_world_values"].columns)
    (series,) = made.rows["series"]
    assert (series["series_kind"], series["modality"]) == ("value_map", "RWV")
    assert series["referenced_series_uid"] == uid(SERIES)
    assert reasons(made) == ["ingested"]
    everything = json.dumps(made.rows, default=str).casefold()
    assert "mustermann" not in everything
    assert "rita" not in everything


def test_frames_tables_and_wide_ranges() -> None:
    ds = value_map(0.25, images=pet_series(1))
    item = ds.ReferencedImageRealWorldValueMappingSequence[0]
    item.ReferencedImageSequence[0].ReferencedFrameNumber = [2, 3, 5]
    mapping = item.RealWorldValueMappingSequence[0]
    del mapping.RealWorldValueSlope, mapping.RealWorldValueIntercept
    mapping.RealWorldValueLUTData = [0.0, 0.5, 1.5]
    mapping.DoubleFloatRealWorldValueFirstValueMapped = -1.5
    mapping.DoubleFloatRealWorldValueLastValueMapped = 1e9
    mapping.LUTLabel = "Huber"
    (made,) = convert_all([ds])
    (row,) = made.rows["real_world_values"]
    assert (row["n_mapped_instances"], row["n_mapped_frames"]) == (1, 3)
    assert (row["is_lookup_table"], row["real_world_slope"]) == (True, None)
    assert (row["first_value_mapped"], row["last_value_mapped"]) == (-1.5, 1e9)
    assert row["lut_label"] is None


def test_every_mapping_and_every_series_has_a_row() -> None:
    """Two slopes for different slices, and one mapping for images of two series."""
    first, other = pet_series(2), pet_series(1, series=SERIES + ".2")
    ds = value_map(0.25, images=[*first, *other])
    named = Dataset()
    named.SeriesInstanceUID = SERIES + ".2"
    named.ReferencedInstanceSequence = ds.ReferencedSeriesSequence[0].ReferencedInstanceSequence[2:]
    ds.ReferencedSeriesSequence[0].ReferencedInstanceSequence = ds.ReferencedSeriesSequence[
        0
    ].ReferencedInstanceSequence[:2]
    ds.ReferencedSeriesSequence.append(named)
    second = value_map(0.5, images=first[:1]).ReferencedImageRealWorldValueMappingSequence[0]
    ds.ReferencedImageRealWorldValueMappingSequence.append(second)
    (made,) = convert_all([ds])
    found = [
        (r["mapping_index"], r["real_world_slope"], r["mapped_series_uid"], r["n_mapped_instances"])
        for r in made.rows["real_world_values"]
    ]
    assert found == [
        (1, 0.25, uid(SERIES), 2), (2, 0.25, uid(SERIES + ".2"), 1), (3, 0.5, uid(SERIES), 1),
    ]  # fmt: skip
    assert made.rows["series"][0]["referenced_series_uid"] is None


def test_a_map_of_nothing_is_refused() -> None:
    ds = value_map(0.25, images=pet_series(1))
    ds.ReferencedImageRealWorldValueMappingSequence = DicomSequence()
    (made,) = convert_all([ds])
    assert reasons(made) == ["missing_attribute"]


def test_suv_of_a_stored_unit_is_kept_with_the_image() -> None:
    """Slopes 2, 2.125 and 2.25; 70 kg, 100 MBq, decayed over 1 h: the factor of every slice."""
    (made,) = convert_all(pet_series(3))
    (row,) = made.rows["series"]
    factor = 70_000 / (100e6 * 2 ** (-3600 / 6586.2))
    for name, slope in (("suv_per_stored_min", 2.0), ("suv_per_stored_max", 2.25)):
        assert abs(row[name] / (slope * factor) - 1) < 1e-9  # type: ignore[operator]
