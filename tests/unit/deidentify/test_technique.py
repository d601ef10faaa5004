"""Text that a device sets: known spellings stay, everything else goes."""

from __future__ import annotations

import pytest

from tasks.deidentify.actions import RULES, Action
from tasks.deidentify.technique import clean_technique
from tasks.deidentify.version import PROFILE_NUMBER, profile_version


@pytest.mark.parametrize(
    "text",
    [
        "PSF+TOF 4i5s", "OSEM3D 4i8s", "OP-OSEM3i24s", "VPFXS", "3D IR", "Q.Clear", "QCFX",
        "BLOB-OS-TF", "LOR-RAMLA", "OSCGMM,48i,1s", "XYZ Gauss5.00", "XYZG=7.00", "Gauss,0.00mm",
        "CT-derived mu-map", "measured,, 0.096000 cm-1,", "Model-based", "Convolution subtraction",
        "measured,/MAR^CT Breast  3.0  B30f", "STANDARD", "BODY FILTER", "B30f", "Br38d", "FC08",
        "TrueX + TOF (ultraHD-PET)", "Butterworth 0.48/10", "All-pass", "LEHR", "TEW",
    ],
)  # fmt: skip
def test_vendors_own_words_keep_their_spelling(text: str) -> None:
    assert clean_technique(text) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("OSEM for Mrs Doe 12.03.65", "OSEM"),
        ("Meier", "other"),
        ("24706.0.55088189@", "other"),
        ("OSEM 19650312", "OSEM"),
        ("OSEM 12.03.1965", "OSEM"),
        ("Gauss/Müller", "Gauss"),
    ],
)
def test_unknown_words_go_and_take_the_numbers_along(text: str, expected: str) -> None:
    assert clean_technique(text) == expected


def test_the_version_follows_the_list(monkeypatch: pytest.MonkeyPatch) -> None:
    before = profile_version()
    assert before.startswith(f"{PROFILE_NUMBER}-")
    assert profile_version() == before
    tag, rule = next(iter(RULES.items()))
    for changed in ({tag: rule._replace(action=Action.EMPTY)}, {}):
        monkeypatch.setattr(
            "tasks.deidentify.version.RULES",
            {t: changed.get(t, r) for t, r in RULES.items() if changed or t != tag},
        )
        profile_version.cache_clear()
        assert profile_version() != before
    monkeypatch.undo()
    profile_version.cache_clear()
    assert profile_version() == before
