"""The series that a person means: by its UID, the beginning of one, or the key of a patient."""

from __future__ import annotations

from typing import Final

from lake import Lake
from schemas.errors import InvalidInputError, NotFoundInLakeError

_SERIES: Final = """
SELECT series_instance_uid, patient_key, centre, modality, series_kind, is_spect,
       radiopharmaceutical, radionuclide, study_instance_uid, frame_of_reference_uid,
       referenced_series_uid, attenuation_corrected, n_instances
FROM series
"""


def find_series(lk: Lake, wanted: str) -> dict[str, object]:
    """Return the row of a series by its UID, the beginning of one, or a patient's key.

    Raises
    ------
    NotFoundInLakeError
        Nothing fits.
    InvalidInputError
        Several series fit.
    """
    prefixes = [wanted, f"2.25.{wanted}"]
    found = series_rows(
        lk, "starts_with(series_instance_uid, $a) OR starts_with(series_instance_uid, $b)",
        a=prefixes[0], b=prefixes[1],
    )  # fmt: skip
    exact = [row for row in found if row["series_instance_uid"] in prefixes]
    if not found:
        found = series_rows(lk, "patient_key = $a", a=wanted)
        if not found:
            raise NotFoundInLakeError(f"no series and no patient {wanted!r}; see table 'series'")
        exact = [r for r in found if r["modality"] in {"PT", "NM"} and r["series_kind"] == "image"]
        corrected = [r for r in exact if r["attenuation_corrected"]]
        exact = corrected if len(corrected) == 1 else exact
        exact = exact or found
    chosen = exact if len(exact) == 1 else found
    if len(chosen) > 1:
        raise InvalidInputError(
            f"{wanted!r} fits {len(chosen)} series; name one of:\n" + _listed(chosen)
        )
    return chosen[0]


def series_rows(lk: Lake, condition: str, **values: str) -> list[dict[str, object]]:
    """Rows of table ``series`` that meet a condition of ours with values for ``$name``."""
    query = f"{_SERIES} WHERE {condition} ORDER BY modality DESC, series_instance_uid"
    rows: list[dict[str, object]] = lk.sql(query, values).to_arrow_table().to_pylist()
    return rows


def _listed(rows: list[dict[str, object]], most: int = 12) -> str:
    lines = [
        f"  {str(r['series_instance_uid'])[:18]}  {r['modality']:<8} {r['series_kind']:<12} "
        f"{r['n_instances']} objects"
        for r in rows[:most]
    ]
    return "\n".join([*lines, f"  and {len(rows) - most} more"] if len(rows) > most else lines)


def title_of(series: dict[str, object]) -> str:
    """Return the pseudonym, centre, kind of image and tracer of a series."""
    kind = "SPECT" if series["is_spect"] else {"PT": "PET"}.get(str(series["modality"]))
    tracer = series["radiopharmaceutical"] or series["radionuclide"]
    parts = (series["patient_key"], series["centre"], kind or series["modality"], tracer)
    return "  ".join(str(part) for part in parts if part)
