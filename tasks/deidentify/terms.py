"""Defined terms of the coded strings (CS) that reach tables and volumes.

A coded string can hold 16 letters of anything. Where it ends up in the lake, only the terms that
the standard defines (and those that vendors are known to add) stay.

References
----------
DICOM PS3.3, the attributes' modules: C.7.1.1, C.7.3.1, C.8.4, C.8.8.6, C.8.9.
"""

from __future__ import annotations

from typing import Final

from pydicom.datadict import tag_for_keyword

#: What any other term becomes: that there was one is itself information.
OTHER_TERM: Final = "UNKNOWN"

_TERMS: Final = {
    "Modality": "AR AS ASMT AU BDUS BI BMD CF CFM CR CT CTPROTOCOL CS DD DF DG DM DMS DOC DS DX EC "
    "ECG EEG EMG EOG EPS ES FA FID FS GM HC HD IO IOL IVOCT IVUS KER KO LEN LP LS M3D MA MG MR MS "
    "NM OAM OCT OP OPM OPR OPT OPTBSV OPTENF OPV OSS OT PA PLAN POS PR PT PX REG RESP RF RG RTDOSE "
    "RTIMAGE RTINTENT RTPLAN RTRAD RTRECORD RTSEGANN RTSTRUCT RWV SC SEG SM SMR SR SRF ST STAIN "
    "TEXTUREMAP TG US VA VF XA XAPROTOCOL XC",
    "PatientSex": "M F O",
    "Units": "CNTS NONE CM2 CM2ML PCNT CPS BQML MGMINML UMOLMINML MLMING MLG 1CM UMOLML PROPCNTS "
    "PROPCPS MLMINML MLML GML STDDEV SUV SUVBW HU",
    "SUVType": "BSA LBM LBMJAMES128 LBMJANMA BW IBW",
    "DecayCorrection": "NONE START ADMIN",
    "CorrectedImage": "DECY ATTN SCAT DTIM MOTN PMOT CLN RAN RADL DCAL NORM SLSENS UNIF COR NCO "
    "NRGY LIN PSF TOF FLEX GEOM",
    "SeriesType": "STATIC DYNAMIC GATED WHOLE_BODY IMAGE REPROJECTION",
    "CollimatorType": "PARA PINH FANB CONE SLNT ASTG DIVG NONE UNKN RING",
    "RotationDirection": "CW CC",
    "ContourGeometricType": "POINT OPEN_PLANAR CLOSED_PLANAR OPEN_NONPLANAR CLOSEDPLANAR_XOR",
    "SegmentationType": "BINARY FRACTIONAL LABELMAP",
    "SegmentAlgorithmType": "AUTOMATIC SEMIAUTOMATIC MANUAL",
    "WholeBodyTechnique": "1PS 2PS PCN MSP",
}  # fmt: skip
#: Defined terms by tag; an underscore stands for a blank in the standard's spelling.
TERMS: Final[dict[int, frozenset[str]]] = {
    tag: frozenset(names.split())
    for tag, names in ((tag_for_keyword(k), v) for k, v in _TERMS.items())
    if tag is not None
}


def defined_term(tag: int, text: str) -> str | None:
    """Return a term as it is if it is defined for an attribute, otherwise ``UNKNOWN``.

    Returns
    -------
    str or None
        None if the attribute has no closed list here.

    Examples
    --------
    >>> defined_term(0x00080060, "PT"), defined_term(0x00080060, "MEIER")
    ('PT', 'UNKNOWN')
    """
    terms = TERMS.get(tag)
    if terms is None:
        return None
    return text if text.upper().replace(" ", "_") in terms else OTHER_TERM
