"""No name, number, date of birth, UID or free text of a test file occurs outside the keys.

Two lakes are searched, every file of them decompressed: that of a nightly run over the simulated
cohort (images, clinical data, harmonisation, report), and one of all real objects and of hostile
ones with identifiers planted wherever they could stand. So are all logs and Prefect's database.
"""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import warnings
import zipfile
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import pydicom
import pytest
from pydicom.dataset import Dataset

import lake
from tasks.deidentify.pseudonyms import Pseudonymiser
from tests.cohorts import Cohort
from tests.support.hostile import BIRTH_DATE, KNOWN, MARK, STRAY, write_hostile
from tests.support.searching import Found, lake_contents, prefect_contents
from tests.support.secrets import Secrets, collect, is_identifying

pytestmark = pytest.mark.xdist_group("prefect")

#: Folders of real DICOM objects; all of them.
REAL = (
    "dicom-seg", "ibsi-suv-dro", "ibsi-validation-sts", "ibsi1-ct-phantom", "nm-planar",
    "pet-ge-sts001", "pet-nema-iq-1", "pet-rwvm-seg-sr", "pet-siemens-qinhn0024",
    "pet-single-slices", "spect-lu177-scan1",
)  # fmt: skip
#: Simulated series that identifiers are planted in: PET, contours, masks, SPECT, CT.
HOSTILE = (
    "A/SIM-A-001/PT", "A/SIM-A-001/RTSTRUCT", "B/SIM-B-001/PT", "B/SIM-B-001/SEG",
    "S/SIM-S-001/NM", "S/SIM-S-001/RTSTRUCT", "S/SIM-S-001/CT",
)  # fmt: skip


#: Days of studies go back by up to this.
_LONGEST_SHIFT_DAYS = 3650


class Searched(NamedTuple):
    """A lake, the output of the commands that filled it, and what must not be found in either."""

    lake: Path
    log: str
    secrets: Secrets
    n_objects: int


def _contents(path: Path) -> Iterator[bytes]:
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                yield archive.read(name)
    else:
        yield path.read_bytes()


def _headers(folders: list[Path]) -> Iterator[Dataset]:
    for path in sorted(p for folder in folders for p in folder.rglob("*") if p.is_file()):
        for data in _contents(path):
            if data[128:132] == b"DICM":
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # what planted values deserve
                    yield pydicom.dcmread(io.BytesIO(data), stop_before_pixels=True, force=True)


@pytest.fixture(scope="module")
def searched(
    prefect_server: None,
    tiny_cohort: Cohort,
    reference_data: Callable[[str], Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Searched:
    """All real and hostile objects in a lake, by the command, with everything it says at DEBUG."""
    root = tmp_path_factory.mktemp("identities")
    files = [p for f in HOSTILE for p in sorted((tiny_cohort.dicom / f).rglob("*.dcm"))]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        write_hostile(files, root / "hostile")
    lake.create(root / "lake").close()
    folders = [root / "hostile", *(reference_data(name) for name in REAL)]
    # The folder that is named on the command line identifies too.
    named = next(p for p in (root / "hostile").iterdir() if p.is_dir())
    done = subprocess.run(
        [sys.executable, "-m", "flows.cli.main", "ingest", str(root / "lake"), str(named),
         *map(str, folders), "--workers", "2"],
        env={**os.environ, "PREFECT_LOGGING_LEVEL": "DEBUG", "COLUMNS": "160"},
        capture_output=True, text=True, timeout=280, check=False,
    )  # fmt: skip
    assert done.returncode == 0, "the command failed"
    headers = list(_headers(folders))
    secrets = collect(headers)
    secrets.birth_dates = _before_all_shifted_days(secrets.birth_dates, headers)
    return Searched(root / "lake", done.stdout + done.stderr, secrets, len(headers))


def _before_all_shifted_days(birth_dates: set[str], headers: list[Dataset]) -> set[str]:
    """Birth dates that mean something if found: later ones equal the shifted day of somebody's
    study by chance. Each patient's own is looked for in `test_no_original_day_of_a_study`.
    """
    studies = [date for h in headers if re.fullmatch(r"\d{8}", date := str(h.get("StudyDate", "")))]
    first = datetime.strptime(min(studies), "%Y%m%d") - timedelta(days=_LONGEST_SHIFT_DAYS)  # noqa: DTZ007
    return {date for date in birth_dates if date < f"{first:%Y%m%d}"}


def _assert_clean(found: Iterator[Found], secrets: Secrets, at_least: int) -> None:
    n_searched, n_characters = 0, 0
    for where, text in found:
        leaked = secrets.leaks(text)
        assert not leaked, f"{', '.join(leaked)} in {where}"
        assert MARK not in text.casefold(), f"a planted word in {where}"
        n_searched, n_characters = n_searched + 1, n_characters + len(text)
    assert n_searched >= at_least
    assert n_characters > 500


@pytest.mark.timeout(600)
def test_the_search_means_something(searched: Searched) -> None:
    assert searched.n_objects > 1700
    assert len(searched.secrets.uids) > 3000
    assert len(searched.secrets.texts) > 200
    assert BIRTH_DATE in searched.secrets.birth_dates
    with lake.open(searched.lake, read_only=True) as lk:
        series = lk.sql("SELECT modality, count(*) FROM series GROUP BY ALL").fetchall()
        reasons = lk.sql("SELECT count(DISTINCT reason_code) FROM quarantine").fetchall()
    assert {m for m, _ in series} >= {"PT", "CT", "MR", "NM", "RTSTRUCT", "SEG", "UNKNOWN"}
    assert reasons[0][0] >= 4  # messages of many kinds were written


def test_what_would_be_found() -> None:
    ds = Dataset()
    ds.PatientName, ds.PatientID, ds.PatientBirthDate = "Zwiebel^Zora", "0815-4711", "19210307"
    ds.StudyInstanceUID, ds.StudyDescription = "1.2.826.0.1.99", "PET of Aunt Zora"
    ds.Manufacturer, ds.SeriesDescription = "SIEMENS", "PET WB AC"
    secrets = collect([ds])
    for text in (
        "x ZWIEBEL y",
        "id 0815-4711.",
        "1921-03-07",
        "a 1.2.826.0.1.99",
        "pet of aunt zora",
    ):
        assert len(secrets.leaks(text)) == 1
    for text in ("Zwiebelkuchen", "10815-47112", "1.2.826.0.1.991", "siemens pet wb ac"):
        assert secrets.leaks(text) == []
    assert is_identifying("kuckuck")
    assert not is_identifying("patient")


@pytest.mark.timeout(600)
def test_nothing_in_a_lake_of_real_and_hostile_objects(searched: Searched) -> None:
    _assert_clean(lake_contents(searched.lake), searched.secrets, at_least=500)


@pytest.mark.timeout(600)
def test_nothing_in_what_the_command_says(searched: Searched) -> None:
    assert "Input objects" in searched.log
    _assert_clean(iter([("output", searched.log)]), searched.secrets, at_least=1)


@pytest.mark.timeout(600)
def test_nothing_in_prefect(searched: Searched, built_lake: Path, tiny_cohort: Cohort) -> None:
    home = Path(os.environ["PREFECT_HOME"])
    _assert_clean(prefect_contents(home), searched.secrets, at_least=10)
    _assert_clean(prefect_contents(home), collect(_headers([tiny_cohort.dicom])), at_least=10)


@pytest.mark.timeout(600)
def test_nothing_in_the_lake_of_a_nightly_run(built_lake: Path, tiny_cohort: Cohort) -> None:
    secrets = collect(_headers([tiny_cohort.dicom]))
    assert len(secrets.uids) > 1000
    patient_id = str(next(_headers([tiny_cohort.dicom / "A"])).PatientID)
    assert patient_id in tiny_cohort.redcap.read_text(encoding="utf-8")
    assert patient_id.lower() in secrets.texts
    _assert_clean(lake_contents(built_lake), secrets, at_least=100)


def test_no_original_day_of_a_study(searched: Searched) -> None:
    """Shifted days of one patient may be real ones of another; so by series."""
    with lake.open(searched.lake, read_only=True) as lk:
        keys = lk.keys()
        rows = lk.sql(
            "SELECT series_instance_uid, patient_key, unnest([study_datetime, series_datetime, "
            "acquisition_datetime, injection_datetime])::DATE AS day FROM series"
        ).fetchall()
    shift = Pseudonymiser(keys.secret).shift_days
    days: dict[str | None, set[str]] = {}
    for uid, patient, day in rows:
        if day is not None:
            assert shift(patient) <= -35
            days.setdefault(keys.original_uid(uid), set()).add(f"{day:%Y%m%d}")
    checked = 0
    for header in _headers([searched.lake.parent / "hostile"]):
        known = days.get(str(header.get("SeriesInstanceUID")), set())
        assert str(header.get("StudyDate")) not in known
        assert str(header.get("PatientBirthDate")) not in known
        checked += bool(known)
    assert checked > 200


def test_planted_words_reached_the_objects(searched: Searched) -> None:
    files = sorted((searched.lake.parent / "hostile").rglob("*.dcm"))[:100]
    data = b"".join(path.read_bytes() for path in files)
    assert data.count(KNOWN.encode()) > 100
    assert data.count(STRAY.encode()) > 100


def test_the_key_holder_can_go_back(built_lake: Path, tiny_cohort: Cohort) -> None:
    with lake.open(built_lake, read_only=True) as lk:
        keys = lk.keys()
        (patient,) = lk.sql("SELECT patient_key FROM series LIMIT 1").fetchall()[0]
        (file_key,) = lk.sql("SELECT file_key FROM quarantine LIMIT 1").fetchall()[0]
        (series,) = lk.sql("SELECT series_instance_uid FROM series LIMIT 1").fetchall()[0]
    known = keys.patient(patient)
    assert known is not None
    assert known[1].startswith("SIM-")
    location = keys.location(file_key)
    assert location is not None
    assert location.startswith(tiny_cohort.dicom.resolve().as_uri())
    assert keys.original_uid(series) is not None
