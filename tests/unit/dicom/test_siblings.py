"""Templates find in a sibling what a complete walk finds; patched headers are the parsed ones."""

from __future__ import annotations

import random

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from tasks.dicom import tags
from tasks.dicom.elements import RawElements, find_elements
from tasks.dicom.encoding import Layout, read_layout
from tasks.dicom.parse import parse_dataset
from tasks.dicom.siblings import Template
from tasks.dicom.slices import read_sibling_header, read_slice_header
from tasks.dicom.variants import overlay, patched_header, without
from tasks.ingest.assembled import QUANTITY_TAGS
from tests.support.dicom_objects import implicit_bytes, pet_series, to_bytes


def walk(content: bytes) -> tuple[Layout, RawElements]:
    layout = read_layout(content)
    assert layout is not None
    return layout, RawElements(content, find_elements(content, layout))


def series(*, implicit: bool) -> list[bytes]:
    """Slices whose values differ in length, in two beds, with private and nested elements."""
    write = implicit_bytes if implicit else to_bytes
    contents = []
    for i, ds in enumerate(pet_series(12)):
        ds.ImagePositionPatient = ["-10", "-20", f"{-9.5 + 3 * i:g}"]
        ds.AcquisitionTime = "101000" if i < 6 else "101230.5"
        ds.AcquisitionNumber = str(10**i % 997)
        ds.add_new(0x00290010, "LO", "SIEMENS CSA HEADER")
        ds.add_new(0x00291010, "OB", random.Random(i).randbytes(2 * (i % 3) + 40))
        item = Dataset()
        item.CodeValue = f"{i}" * (1 + i % 4)
        ds.PatientOrientationCodeSequence = Sequence([item])
        contents.append(write(ds))
    return contents


@pytest.mark.parametrize("implicit", [False, True])
def test_every_element_of_a_sibling(implicit: bool) -> None:
    contents = series(implicit=implicit)
    layout, base = walk(contents[0])
    template = Template(layout, base)
    base_header, n_matched = read_slice_header(base), 0
    for content in contents[1:] * 2:
        layout, complete = walk(content)
        sibling = template.match(content, layout)
        if sibling is None:
            assert template.learn(complete)
            continue
        n_matched += 1
        for tag in complete.found:
            if tag != tags.PIXEL_DATA:
                assert sibling.value(tag) == complete.value(tag)
        assert sibling.found[tags.PIXEL_DATA] == complete.found[tags.PIXEL_DATA]
        assert sibling.key(QUANTITY_TAGS) == complete.key(QUANTITY_TAGS)
        header = read_sibling_header(sibling, sibling.found, base_header)
        assert header == read_slice_header(complete)
    assert n_matched > 11  # all in the second round, and some before


@pytest.mark.parametrize("implicit", [False, True])
def test_other_elements_and_cut_objects_do_not_match(implicit: bool) -> None:
    contents = series(implicit=implicit)
    layout, base = walk(contents[0])
    template = Template(layout, base)
    write = implicit_bytes if implicit else to_bytes
    longer = pet_series(12)[1]
    longer.IntervalsRejected = 3
    content = write(longer)
    other_layout, other = walk(content)
    assert template.match(content, other_layout) is None
    assert not template.learn(other)
    for cut in range(132, len(contents[0]) - 60, 7):
        cut_layout = read_layout(contents[0][:cut])
        if cut_layout is not None:
            found = template.match(contents[0][:cut], cut_layout)
            assert found is None or found.found[tags.PIXEL_DATA][0] <= cut


def test_a_sequence_of_undefined_length_that_differs_is_not_learned() -> None:
    contents = []
    for meaning in ("supine", "a much longer meaning", "prone"):
        ds = pet_series(1)[0]
        item = Dataset()
        item.CodeMeaning = meaning
        ds.PatientOrientationCodeSequence = Sequence([item])
        ds["PatientOrientationCodeSequence"].is_undefined_length = True
        contents.append(to_bytes(ds))
    walks = [walk(content) for content in contents]
    template = Template(*walks[0])
    for content, (layout, complete) in zip(contents[1:], walks[1:], strict=True):
        assert template.match(content, layout) is None
        assert not template.learn(complete)
    assert template.match(contents[0], walks[0][0]) is not None


def test_a_sibling_with_other_structure_is_read_completely() -> None:
    first, second = pet_series(2)
    layout, base = walk(to_bytes(first))
    template = Template(layout, base)
    second.PixelSpacing = ["3.5", "3.5"]
    content = to_bytes(second)
    template.learn(walk(content)[1])
    sibling = template.match(content, walk(content)[0])
    assert sibling is not None
    header = read_sibling_header(sibling, sibling.found, read_slice_header(base))
    assert header.pixel_spacing == (3.5, 3.5)


@pytest.mark.parametrize("implicit", [False, True])
def test_patched_header_is_the_parsed_one(implicit: bool) -> None:
    contents = series(implicit=implicit)
    first, other = parse_dataset(contents[0]), parse_dataset(contents[8])
    header = patched_header(first, walk(contents[0])[1], walk(contents[8])[1], QUANTITY_TAGS)
    assert header is not None
    assert header.own is not None
    assert [int(tag) for tag in header.own.keys()] == [tags.ACQUISITION_TIME]  # noqa: SIM118
    for tag in QUANTITY_TAGS:
        assert header.dataset.get(tag) == other.get(tag)
    assert first.AcquisitionTime == "101000"  # the first header itself is as it was


def test_what_cannot_be_patched_is_parsed() -> None:
    first, second, third = pet_series(3)
    second.PatientWeight = "80"
    del third.ActualFrameDuration
    layouts = [walk(to_bytes(ds))[1] for ds in (first, second, third)]
    for other in layouts[1:]:
        assert patched_header(first, layouts[0], other, QUANTITY_TAGS) is None


def test_overlay_and_without_leave_their_sources_alone() -> None:
    base, own = Dataset(), Dataset()
    base.PatientWeight, base.PatientSex, own.PatientWeight = "70", "F", "80"
    merged, shorter = overlay(base, own), without(base, ["PatientSex"])
    assert (merged.PatientWeight, merged.PatientSex) == (80, "F")
    assert "PatientSex" not in shorter
    assert (base.PatientWeight, base.PatientSex) == (70, "F")


def test_stored_values_are_views_of_the_object() -> None:
    """Reading a slice does not copy its pixels."""
    from tasks.dicom.pixels import native_pixels

    content = to_bytes(pet_series(1)[0])
    _, elements = walk(content)
    form = read_slice_header(elements).pixels
    frames = native_pixels(content, *elements.found[tags.PIXEL_DATA], form)
    assert np.shares_memory(frames, np.frombuffer(content, np.uint8))
