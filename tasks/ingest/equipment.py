"""Which scanner made an image, and with which reconstruction: two keys to group by.

Quality control, protocol checks and resolution matching all belong to a scanner and a
reconstruction; both keys are made once, here, so that all of them mean the same.
"""

from __future__ import annotations

from pydicom.dataset import Dataset

from schemas.records import Row
from tasks.deidentify.pseudonyms import Pseudonyms
from tasks.dicom import values


def scanner_key(original: Dataset, pseudonyms: Pseudonyms) -> str | None:
    """Pseudonym of the device: the same for all series of one scanner.

    Parameters
    ----------
    original : Dataset
        A header as it came: vendor, model and serial number (0018,1000), or, without that, station
        (0008,1010) and institution (0008,0080).
    pseudonyms : Pseudonyms
        Keyed, so that the serial number cannot be found by trying.

    Returns
    -------
    str or None
        ``SC-`` and 16 hexadecimal digits; None if neither vendor nor model is named.
    """
    made_by = [values.text(original, k) or "" for k in ("Manufacturer", "ManufacturerModelName")]
    if not any(made_by):
        return None
    serial = values.text(original, "DeviceSerialNumber")
    place = [values.text(original, k) or "" for k in ("StationName", "InstitutionName")]
    parts = [*made_by, *([serial] if serial else place)]
    key = pseudonyms.record_key("scanner", *(part.casefold() for part in parts))
    return f"SC-{key.removeprefix('R-')}"


def reconstruction_key(row: Row) -> str | None:
    """Reconstruction and filter as one readable text.

    Parameters
    ----------
    row : dict
        Row of `series`. What `tasks.ingest.reconstruction` could read of the vendor's texts serves;
        the vendor's own words where it could not name the algorithm.

    Returns
    -------
    str or None
        None if nothing is known.

    Examples
    --------
    >>> reconstruction_key({"reconstruction_algorithm": "OSEM", "is_time_of_flight": True,
    ...     "is_psf_modelled": False, "n_iterations": 2, "n_subsets": 21,
    ...     "post_filter": "gaussian", "post_filter_fwhm_mm": 5.0})
    'OSEM TOF 2i21s gaussian 5 mm'
    >>> reconstruction_key({"reconstruction_method": "XYZ", "convolution_kernel": "FILTER A"})
    'XYZ FILTER A'
    """
    method = row.get("reconstruction_algorithm") or row.get("reconstruction_method")
    counts = [
        f"{row[column]}{letter}"
        for column, letter in (("n_iterations", "i"), ("n_subsets", "s"))
        if row.get(column) is not None
    ]
    beta = row.get("penalty_beta")
    parts = [
        method,
        "TOF" if row.get("is_time_of_flight") else None,
        "PSF" if row.get("is_psf_modelled") else None,
        "".join(counts),
        None if beta is None else f"beta {float(str(beta)):g}",
        _filter(row),
    ]
    return " ".join(str(part) for part in parts if part) or None


def _filter(row: Row) -> object:
    name, width = row.get("post_filter"), row.get("post_filter_fwhm_mm")
    if name is None:
        return row.get("ct_kernel") or row.get("convolution_kernel")
    return name if name == "none" or width is None else f"{name} {float(str(width)):g} mm"
