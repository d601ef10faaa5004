"""Written objects against the attribute tables of the standard (as shipped with highdicom)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pydicom
import pytest
from highdicom import _standard_utils as standard
from pydicom.dataset import Dataset
from pydicom.tag import Tag


def _items(ds: Dataset, path: list[str]) -> Iterator[Dataset]:
    if not path:
        yield ds
    elif path[0] in ds:
        for item in ds[path[0]].value:
            yield from _items(item, path[1:])


def _violations(ds: Dataset) -> list[str]:
    iod = standard.get_sop_class_iod_map()[ds.SOPClassUID]
    attributes = standard.get_module_attribute_map()
    found = []
    for module in standard.get_iod_module_map()[iod]:
        if module["usage"] != "M":
            continue
        for attribute in attributes[module["key"]]:
            # Which functional groups an object needs is not in this table.
            if "FunctionalGroupsSequence" in "".join(attribute["path"]):
                continue
            for item in _items(ds, attribute["path"]):
                keyword, kind = attribute["keyword"], attribute["type"]
                here = f"{module['key']}: {'/'.join([*attribute['path'], keyword])}"
                if kind in {"1", "2"} and keyword not in item:
                    found.append(f"{here} type {kind} absent")
                elif kind == "1" and item[keyword].is_empty:
                    found.append(f"{here} type 1 empty")
    return found


@pytest.mark.parametrize("modality", ["PT", "CT", "NM", "RTSTRUCT", "SEG"])
def test_mandatory_attributes_of_every_module_are_there(all_dialects: Path, modality: str) -> None:
    folders = sorted(all_dialects.glob(f"dicom/*/*/{modality}"))
    assert folders
    for folder in folders:
        first = min(folder.iterdir())
        assert _violations(pydicom.dcmread(first)) == [], folder.parts[-3]


def test_secondary_capture_is_a_valid_object(all_dialects: Path) -> None:
    assert _violations(pydicom.dcmread(all_dialects / "dicom/dirt/screenshot.dcm")) == []


def test_every_person_and_object_says_that_it_is_simulated(all_dialects: Path) -> None:
    for path in sorted(all_dialects.glob("dicom/[A-Z]/*/*/*0001.dcm")):
        ds = pydicom.dcmread(path, stop_before_pixels=True)
        assert str(ds.PatientName).startswith("SIM^")
        assert ds.PatientID.startswith("SIM-")
        assert ds.InstitutionName.startswith("Simulated Centre")
        assert "SIMULATED" in ds.PatientComments


def test_there_is_identity_to_remove(all_dialects: Path) -> None:
    for path in sorted(all_dialects.glob("dicom/[A-Z]/*/*/*0001.dcm")):
        ds = pydicom.dcmread(path, stop_before_pixels=True)
        for keyword in (
            "PatientBirthDate", "AccessionNumber", "ReferringPhysicianName", "OperatorsName",
            "PatientAddress", "PatientTelephoneNumbers", "StationName", "InstitutionAddress",
        ):  # fmt: skip
            assert ds.get(keyword), (path.name, keyword)


def test_private_elements_are_where_the_vendors_put_them(all_dialects: Path) -> None:
    def private(centre: str, group: int, creator: str, element: int) -> object:
        path = next(iter(sorted(all_dialects.glob(f"dicom/{centre}/*/PT/*.dcm"))))
        return pydicom.dcmread(path).private_block(group, creator)[element]

    siemens = private("A", 0x0071, "SIEMENS MED PT", 0x22)
    assert (siemens.tag, siemens.VR) == (Tag(0x0071, 0x1022), "DT")  # type: ignore[attr-defined]
    ge = private("B", 0x0009, "GEMS_PETD_01", 0x0D)
    assert (ge.tag, ge.VR) == (Tag(0x0009, 0x100D), "DT")  # type: ignore[attr-defined]
    philips = private("C", 0x7053, "Philips PET Private Group", 0x09)
    assert philips.tag == Tag(0x7053, 0x1009)  # type: ignore[attr-defined]
    # Implicit VR: the type of an element that pydicom does not know is lost.
    untyped = private("D", 0x0071, "SIEMENS MED PT", 0x22)
    assert untyped.VR == "UN"  # type: ignore[attr-defined]
