"""De-identification: what must hold for every patient and every date."""

from __future__ import annotations

import io
from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from tasks.deidentify import Pseudonymiser, clean_label, clean_words, deidentify
from tasks.deidentify.dates import shift_da, shift_dt
from tasks.deidentify.vocabulary import NUCLIDES, WORDS

MOMENTS = st.datetimes(datetime(1950, 1, 1), datetime(2049, 12, 31)).map(  # noqa: DTZ001
    lambda t: t.replace(microsecond=0)
)
SECRETS = st.binary(min_size=16, max_size=32)
NAMES = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=1)


def _parse(dt: str) -> datetime:
    return datetime.strptime(dt, "%Y%m%d%H%M%S")  # noqa: DTZ007


@given(SECRETS, st.text("0123456789ABC", min_size=1), st.lists(MOMENTS, min_size=2, max_size=8))
def test_all_intervals_of_a_patient_survive(
    secret: bytes, patient_id: str, moments: list[datetime]
) -> None:
    pseudonyms = Pseudonymiser(secret)
    shifted = []
    for moment in moments:
        ds = Dataset()
        ds.PatientID = patient_id
        ds.StudyDate = f"{moment:%Y%m%d}"
        ds.StudyTime = f"{moment:%H%M%S}"
        item = Dataset()
        item.RadiopharmaceuticalStartDateTime = f"{moment:%Y%m%d%H%M%S}"
        ds.RadiopharmaceuticalInformationSequence = [item]
        safe = deidentify(ds, pseudonyms)
        day_and_time = _parse(safe.StudyDate + safe.StudyTime)
        inner = safe.RadiopharmaceuticalInformationSequence[0]
        assert _parse(str(inner.RadiopharmaceuticalStartDateTime)) == day_and_time
        shifted.append(day_and_time)
    offsets = {new - old for new, old in zip(shifted, moments, strict=True)}
    assert len(offsets) == 1
    (offset,) = offsets
    assert timedelta(days=-3650) <= offset <= timedelta(days=-30)
    assert offset.days % 7 == 0
    assert offset.seconds == 0


@given(MOMENTS, st.integers(-521, 521).map(lambda weeks: 7 * weeks))
def test_shifting_there_and_back(moment: datetime, days: int) -> None:
    da, dt = f"{moment:%Y%m%d}", f"{moment:%Y%m%d%H%M%S}.25+0130"
    assert shift_da(shift_da(da, days), -days) == da
    assert shift_dt(shift_dt(dt, days), -days) == dt


@given(st.text())
def test_only_vocabulary_comes_out_of_any_text(text: str) -> None:
    nuclides = {f"{symbol}{mass}" for symbol, masses in NUCLIDES.items() for mass in masses}
    for word in clean_words(text):
        assert word in WORDS | nuclides or sum(c.isdigit() for c in word) <= 4
    for part in clean_label(text).split("_"):
        assert part == "roi" or part in WORDS | nuclides or len(part) <= 6


@given(SECRETS, NAMES)
def test_names_never_survive_in_text(secret: bytes, name: str) -> None:
    words = {w for w in name.casefold().split() if len(w) > 3 and w.isalpha() and w not in WORDS}
    ds = Dataset()
    ds.PatientID = "1"
    ds.PatientName = name.replace("\\", " ")
    ds.SeriesDescription = ds.ManufacturerModelName = name.replace("\\", " ")
    ds.SegmentLabel = ds.Radiopharmaceutical = name.replace("\\", " ")
    safe = deidentify(ds, Pseudonymiser(secret))
    buffer = io.BytesIO()
    safe.save_as(buffer, implicit_vr=True, little_endian=True, enforce_file_format=False)
    survivors = buffer.getvalue().decode("utf-8", "replace").casefold().split()
    assert words.isdisjoint(survivors)


@given(st.lists(st.text("0123456789.", min_size=1, max_size=40), max_size=30, unique=True))
def test_uids_do_not_collide(uids: list[str]) -> None:
    pseudonyms = Pseudonymiser(bytes(16))
    mapped = {pseudonyms.uid(u) for u in uids}
    assert len(mapped) == len(uids)
    assert all(len(m) <= 64 for m in mapped)
