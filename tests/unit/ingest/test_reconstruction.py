"""Vendors' texts on reconstruction, filters, kernels and attenuation to terms and numbers."""

from __future__ import annotations

import pytest
from pydicom.config import IGNORE
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset

from tasks.ingest.attenuation import attenuation_correction
from tasks.ingest.kernels import FILTERS, ct_kernel, post_filter
from tasks.ingest.reconstruction import ALGORITHMS, reconstruction_columns


def header(modality: str = "PT", /, **elements: object) -> Dataset:
    ds = Dataset()
    ds.Modality = modality
    for keyword, value in elements.items():
        element = DataElement(keyword, dictionary_VR(keyword), value, validation_mode=IGNORE)
        ds[element.tag] = element
    return ds


@pytest.mark.parametrize(
    ("method", "algorithm", "tof", "psf", "iterations", "subsets"),
    [
        # Siemens
        ("PSF+TOF 4i5s", "OSEM", True, True, 4, 5),
        ("PSF+TOF 2i21s", "OSEM", True, True, 2, 21),
        ("PSF 4i21s", "OSEM", False, True, 4, 21),
        ("TOF 3i24s", "OSEM", True, False, 3, 24),
        ("OSEM3D 4i8s", "OSEM", False, False, 4, 8),
        ("OSEM2D 2i8s", "OSEM", False, False, 2, 8),
        ("OSEM 2i8s", "OSEM", False, False, 2, 8),
        ("OP-OSEM3i24s", "OSEM", False, False, 3, 24),
        ("OSEM3D+TOF 4i5s", "OSEM", True, False, 4, 5),
        ("TrueX + TOF (ultraHD-PET) 3i21s", "OSEM", True, True, 3, 21),
        ("TrueX 4i21s", "OSEM", False, True, 4, 21),
        ("OSCGMM", "OSCGM", False, True, None, None),
        ("Flash3D 8i8s", "OSEM", False, True, 8, 8),
        ("BP 2D", "FBP", False, False, None, None),
        # GE
        ("OSEM", "OSEM", False, False, None, None),
        ("3D IR", "OSEM", None, None, None, None),
        ("VPHD", "OSEM", False, False, None, None),
        ("VPHDS", "OSEM", False, True, None, None),
        ("VPFX", "OSEM", True, False, None, None),
        ("VPFXS", "OSEM", True, True, None, None),
        ("Q.Clear", "BSREM", None, True, None, None),
        ("QCFX", "BSREM", True, True, None, None),
        ("QCHD", "BSREM", False, True, None, None),
        ("3D Kinahan - Rogers", "3DRP", False, False, None, None),
        # Philips
        ("BLOB-OS-TF", "OSEM", True, None, None, None),
        ("LOR-RAMLA", "LOR-RAMLA", False, None, None, None),
        ("3D-RAMLA", "RAMLA", None, None, None, None),
        # others
        ("OSEM TOF PSF 2i 20s", "OSEM", True, True, 2, 20),
        ("DRAMA", "DRAMA", False, False, None, None),
        ("MLEM 60 iterations", "MLEM", False, False, 60, None),
        ("FBP", "FBP", False, False, None, None),
        ("something of our own", None, None, None, None, None),
        ("", None, None, None, None, None),
    ],
)
def test_reconstruction_method(
    method: str, algorithm: str | None, tof: bool | None, psf: bool | None,
    iterations: int | None, subsets: int | None,
) -> None:  # fmt: skip
    row = reconstruction_columns(header(ReconstructionMethod=method))
    assert (
        row["reconstruction_algorithm"], row["is_time_of_flight"], row["is_psf_modelled"],
        row["n_iterations"], row["n_subsets"],
    ) == (algorithm, tof, psf, iterations, subsets)  # fmt: skip
    assert algorithm is None or algorithm in ALGORITHMS


@pytest.mark.parametrize(
    ("text", "kind", "fwhm_mm"),
    [
        ("XYZ Gauss5.00", "gaussian", 5.0),
        ("XYZ Gauss2.00", "gaussian", 2.0),
        ("XYZG=7.00", "gaussian", 7.0),
        ("XYZGAUSSIAN4.00", "gaussian", 4.0),
        ("Gaussian 6 mm", "gaussian", 6.0),
        ("OSCGMM,48i,1s\\Gauss,0.00mm", "none", 0.0),
        ("Gauss", "gaussian", None),
        ("Gauss 99", "gaussian", None),  # no filter is that wide: a misread number
        ("All-pass", "none", 0.0),
        ("Allpass", "none", 0.0),
        ("none", "none", 0.0),
        ("Butterworth 0.48/10", "butterworth", None),
        ("Hann", "hann", None),
        ("Hanning 1.2", "hann", None),
        ("METZ", "metz", None),
        ("B30f", None, None),
        ("", None, None),
    ],
)
def test_filter(text: str, kind: str | None, fwhm_mm: float | None) -> None:
    found = post_filter(text, is_kernel=True)
    assert (found.kind if found else None, found.fwhm_mm if found else None) == (kind, fwhm_mm)
    assert kind is None or kind in FILTERS


@pytest.mark.parametrize("text", ["PET none given", "PET 1 POST therapy", "Dr. Gerd Hannemann"])
def test_a_description_is_believed_less(text: str) -> None:
    assert post_filter(text) is None


def test_what_descriptions_tell() -> None:
    row = reconstruction_columns(header(SeriesDescription="PET  7S 6IT 6 POST"))
    assert (row["n_iterations"], row["n_subsets"]) == (6, 7)
    assert (row["post_filter"], row["post_filter_fwhm_mm"]) == ("gaussian", 6.0)
    assert row["is_time_of_flight"] is None  # a description may just be short
    row = reconstruction_columns(header(SeriesDescription="WB Q.Clear beta 350 Meier"))
    assert (row["reconstruction_algorithm"], row["penalty_beta"]) == ("BSREM", 350.0)
    assert row["reconstruction_sources"] == [
        "reconstruction_algorithm: SeriesDescription", "is_psf_modelled: SeriesDescription",
        "penalty_beta: SeriesDescription",
    ]  # fmt: skip


def test_the_method_goes_before_the_description() -> None:
    row = reconstruction_columns(
        header(ReconstructionMethod="OSEM3D 4i8s", SeriesDescription="PET PSF+TOF 2i21s Gauss 4")
    )
    assert (row["n_iterations"], row["n_subsets"], row["is_psf_modelled"]) == (4, 8, False)
    assert row["post_filter_fwhm_mm"] == 4.0


def test_ge_private_numbers() -> None:
    ds = header(ReconstructionMethod="OSEM")
    block = ds.private_block(0x0009, "GEMS_PETD_01", create=True)
    for element, vr, value in ((0xB2, "SL", 6), (0xB3, "SL", 7), (0xBA, "SL", 1)):
        block.add_new(element, vr, value)
    block.add_new(0xBB, "FL", 6.0)
    row = reconstruction_columns(ds)
    assert (row["n_iterations"], row["n_subsets"], row["post_filter_fwhm_mm"]) == (6, 7, 6.0)
    assert "n_iterations: GEMS_PETD_01 (0009,xxB2)" in str(row["reconstruction_sources"])
    del ds[0x0009, 0x10BA], ds[0x0009, 0x10B2]
    block.add_new(0xB2, "LO", "Doe")
    row = reconstruction_columns(ds)
    assert (row["post_filter"], row["n_iterations"]) == (None, None)


def test_enhanced_pet_says_it_in_attributes_of_its_own() -> None:
    inner, shared = Dataset(), Dataset()
    inner.ReconstructionAlgorithm, inner.NumberOfIterations, inner.NumberOfSubsets = "MLEM", 40, 1
    inner.TimeOfFlightInformationUsed = "TRUE"
    shared.PETReconstructionSequence = [inner]
    row = reconstruction_columns(header(SharedFunctionalGroupsSequence=[shared]))
    assert (row["reconstruction_algorithm"], row["n_iterations"], row["n_subsets"]) == (
        "MLEM", 40, 1,
    )  # fmt: skip
    assert row["is_time_of_flight"] is True


@pytest.mark.parametrize(
    ("kernel", "expected"),
    [
        (["B30f"], "B30f"), (["H31s"], "H31s"), (["Br38d", "3"], "Br38d/3"),
        (["I31f", "2"], "I31f/2"), (["Bv36"], "Bv36"), (["FC08"], "FC08"), (["B"], "B"),
        (["YA"], "YA"), (["STANDARD"], "STANDARD"), (["Bone"], "BONE"), (["LUNG"], "LUNG"),
        (["B_SOFT_B"], "B_SOFT_B"), (["Br38d", "Doe"], "Br38d"), (["Meier"], None), ([], None),
    ],
)  # fmt: skip
def test_ct_kernel(kernel: list[str], expected: str | None) -> None:
    assert ct_kernel(kernel) == expected


def test_ct_has_no_emission_filter() -> None:
    row = reconstruction_columns(
        header("CT", ConvolutionKernel=["Br38d", "3"], SeriesDescription="CT 3.0 ADMIRE Gauss 5")
    )
    assert row["ct_kernel"] == "Br38d/3"
    assert row["reconstruction_algorithm"] == "ADMIRE"
    assert row["post_filter"] is None


@pytest.mark.parametrize(
    ("elements", "expected"),
    [
        ({"CorrectedImage": ["NORM", "ATTN"]}, (True, "CorrectedImage")),
        ({"CorrectedImage": ["NORM"]}, (False, "CorrectedImage")),
        ({"CorrectedImage": ["NORM"], "SeriesDescription": "AC"}, (False, "CorrectedImage")),
        ({"CorrectedImage": [], "AttenuationCorrected": "YES"}, (True, "AttenuationCorrected")),
        ({"AttenuationCorrected": "NO"}, (False, "AttenuationCorrected")),
        ({"AttenuationCorrectionMethod": "CT-derived mu-map"},
         (True, "AttenuationCorrectionMethod")),
        ({"AttenuationCorrectionMethod": "NONE"}, (False, "AttenuationCorrectionMethod")),
        ({"SeriesDescription": "PET WB AC"}, (True, "SeriesDescription")),
        ({"SeriesDescription": "[WB_CTAC] Body"}, (True, "SeriesDescription")),
        ({"SeriesDescription": "[WB_NAC] Body"}, (False, "SeriesDescription")),
        ({"SeriesDescription": "PET WB uncorrected"}, (False, "SeriesDescription")),
        ({"SeriesDescription": "PET no AC"}, (False, "SeriesDescription")),
        ({"SeriesDescription": "PET WB ohne AC"}, (False, "SeriesDescription")),
        ({"SeriesDescription": "PET ACRIN protocol"}, (None, None)),
        ({}, (None, None)),
    ],
)  # fmt: skip
def test_attenuation(elements: dict[str, object], expected: tuple[bool | None, str | None]) -> None:
    assert attenuation_correction(header("PT", **elements)) == expected


def test_attenuation_is_a_matter_of_emission_images() -> None:
    assert attenuation_correction(header("CT", SeriesDescription="CT AC")) == (None, None)


def test_no_text_of_the_header_comes_out() -> None:
    """Only terms of closed lists, truth values, numbers, and sources without values."""
    planted = "Zwiebel 4711 OSEM 4i8s Gauss 5 B30f AC"
    keywords = ("ReconstructionMethod", "SeriesDescription", "ProtocolName", "ConvolutionKernel")
    row = reconstruction_columns(header("PT", **dict.fromkeys(keywords, planted)))
    assert row["reconstruction_algorithm"] == "OSEM"
    assert "zwiebel" not in str(row).lower()
    assert "4711" not in str(row)
