"""Cleaning descriptions and labels to allowed words."""

from __future__ import annotations

import pytest

from tasks.deidentify import clean_label, clean_words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("PET WB_0", "pet wb"),
        ("PET AC", "pet ac"),
        ("WB NAC", "wb nac"),
        ("C2S1D0 [xSPECT48iNOFILT - AC ]", "spect nofilt ac"),
        ("OSEM3D 4i21s", "osem3d 4i21s"),
        ("18F-FDG", "f18 fdg"),
        ("[68Ga]Ga-PSMA-11", "ga68 psma11"),
        ("F-18 PSMA-1007", "f18 psma1007"),
        ("Lu 177 DOTATATE", "lu177 dotatate"),
        ("Tc-99m", "tc99m"),
        ("Ganzkörper", "ganzkoerper"),
        ("WholeBodyCT", "whole body ct"),
        ("", ""),
        ("Mustermann, Hans *12.03.1965", ""),
        ("für Dr. Müller, Tel. 06221-564711", ""),
        ("PET 4711 2024-03-01 12 03 65", "pet"),
        ("Hans-Peter_PET_Wurst", "pet"),
        ("HansPET", "pet"),
        ("petersen", ""),  # an allowed word inside another word is not a word
        ("山田太郎 PET", "pet"),
        ("F-19 I-99", ""),
    ],
)
def test_words(text: str, expected: str) -> None:
    assert " ".join(clean_words(text)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("GTV_Mass", "gtv_mass"),
        ("GTV-1", "gtv_1"),
        ("GTV1", "gtv_1"),
        ("Lesion 003", "lesion_3"),
        ("LESION_12", "lesion_12"),
        ("Lesion 123", "lesion"),
        ("Leber", "leber"),
        ("gtv 12.03.65", "gtv"),
        ("Tumor Meyer 3", "tumor"),
        ("Hans", "roi"),
        ("4711", "roi"),
        ("7", "roi"),
        ("", "roi"),
    ],
)
def test_labels(text: str, expected: str) -> None:
    assert clean_label(text) == expected


def test_cleaning_twice_changes_nothing() -> None:
    for text in ("PET WB 18F-FDG AC 4i21s", "OSEM3D PSMA-1007 Leber"):
        once = " ".join(clean_words(text))
        assert " ".join(clean_words(once)) == once
