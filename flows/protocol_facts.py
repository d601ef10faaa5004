"""What the lake knows of every PET and SPECT series, as the rules of a protocol ask for it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from lake import Lake
from lake.views import MEASURED
from schemas.records import Row
from schemas.tables import TABLES
from tasks.clinical.model import NUMBERS
from tasks.segment.references import LIVER, reference_tissue

#: Clinical items that protocols look at: all numbers.
ITEMS: Final = tuple(NUMBERS)

#: Columns of the first visit that are compared with.
_FIRST: Final = (
    "uptake_time_s", "injected_activity_bq", "patient_weight_kg", "patient_size_m", "patient_sex",
    "scanner_key", "reconstruction_key",
)  # fmt: skip
_LIVER: Final = ("liver_suv_mean", "liver_suv_sd", "liver_volume_ml")

_LIVER_ROIS: Final = """
SELECT DISTINCT f.roi_id, f.roi_label, g.property_code
FROM features f
LEFT JOIN rois r ON r.roi_id = f.roi_id
LEFT JOIN segments g ON g.segmentation_series_uid = r.segmentation_series_uid
                    AND g.segment_number = r.segment_number
WHERE f.feature = 'suv_mean'
"""

# One liver ROI per series: drawn before thresholded; one of about a sphere of 3 cm, in which its
# limits are defined, before the whole organ; then the largest.
_LIVERS: Final = """
livers AS (
    SELECT series_instance_uid, roi_id,
           max(value) FILTER (feature = 'suv_mean') AS liver_suv_mean,
           max(value) FILTER (feature = 'suv_sd') AS liver_suv_sd,
           max(value) FILTER (feature = 'mtv_ml') AS liver_volume_ml
    FROM features
    WHERE feature IN ('suv_mean', 'suv_sd', 'mtv_ml') AND list_contains($livers, roi_id)
    GROUP BY series_instance_uid, roi_id, roi_method
    QUALIFY row_number() OVER (
        PARTITION BY series_instance_uid
        ORDER BY starts_with(coalesce(roi_method, ''), 'threshold'),
                 NOT coalesce(liver_volume_ml BETWEEN 5 AND 30, false), liver_volume_ml DESC,
                 roi_id) = 1
)"""

# The first visit is the patient's first study with the tracer (or nuclide) and the method. Another
# study of the same day is a later image of the same visit, not a follow-up.
_VISITS: Final = """
visits AS (
    SELECT *, first_value(series_instance_uid) OVER earlier AS of_first,
           first_value(study_date) OVER earlier AS first_date
    FROM measured
    WINDOW earlier AS (
        PARTITION BY patient_key, coalesce(radiopharmaceutical, radionuclide), is_spect, modality
        ORDER BY study_datetime NULLS LAST, study_instance_uid
        ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)
)"""

# Of each item the value nearest to the study; dated before undated, and always the same of two.
_NEAREST: Final = """
nearest AS (
    SELECT m.series_instance_uid, i.item, i.value_number,
           CAST(abs(date_diff('day', m.study_date, i.item_date)) AS INTEGER) AS days
    FROM measured m JOIN clinical_items i USING (patient_key)
    WHERE i.value_number IS NOT NULL
    QUALIFY row_number() OVER (
        PARTITION BY m.series_instance_uid, i.item
        ORDER BY abs(date_diff('day', m.study_date, i.item_date)) NULLS LAST, i.item_date,
                 i.record_key) = 1
)"""

_CLINICAL: Final = """
clinical AS (
    SELECT series_instance_uid, {items}
    FROM nearest GROUP BY series_instance_uid
)"""


# The current phantom scans: calibration belongs to the scanner, recovery to its reconstruction too.
_QUALITY: Final = """
calibrated AS (
    SELECT scanner_key, calibration_factor AS scanner_calibration_factor
    FROM phantom_scans
    WHERE phantom_kind = 'cylinder' AND calibration_factor IS NOT NULL
    QUALIFY row_number() OVER (
        PARTITION BY scanner_key ORDER BY measured_on DESC NULLS LAST, phantom_scan_id) = 1
),
recovered AS (
    SELECT scanner_key, reconstruction_key, standards_met
    FROM phantom_scans
    WHERE phantom_kind = 'iq' AND phantom_verdict != 'no_limit'
    QUALIFY row_number() OVER (
        PARTITION BY scanner_key, reconstruction_key
        ORDER BY measured_on DESC NULLS LAST, phantom_scan_id) = 1
)"""


def _facts_query() -> str:
    items = ", ".join(
        f"max(value_number) FILTER (item = '{i}') AS clinical_{i}, "
        f"max(days) FILTER (item = '{i}') AS clinical_{i}_days"
        for i in ITEMS
    )
    clinical = ", ".join(f"c.clinical_{i}, c.clinical_{i}_days" for i in ITEMS)
    first = ", ".join(
        [f"f.{c} AS first_{c}" for c in _FIRST] + [f"fl.{c} AS first_{c}" for c in _LIVER]
    )
    series = ", ".join(f"s.{c}" for c in _SERIES)
    return f"""
WITH {MEASURED}, {_LIVERS}, {_VISITS}, {_NEAREST}, {_CLINICAL.format(items=items)},
     {_QUALITY}
SELECT {series}, v.frame_kind, v.shape_z, v.spacing_z_mm, v.spacing_y_mm, v.spacing_x_mm,
       m.series_instance_uid IS NOT NULL AS is_measured,
       {", ".join(f"l.{c}" for c in _LIVER)}, {clinical},
       q.scanner_calibration_factor, r.standards_met,
       f.series_instance_uid AS first_series_uid, {first}
FROM series s
LEFT JOIN volumes v ON v.series_instance_uid = s.series_instance_uid AND v.zone = 'raw'
                   AND coalesce(v.part_index, 1) = 1
LEFT JOIN visits m ON m.series_instance_uid = s.series_instance_uid
LEFT JOIN series f ON f.series_instance_uid = m.of_first AND m.study_date > m.first_date
LEFT JOIN livers l ON l.series_instance_uid = s.series_instance_uid
LEFT JOIN livers fl ON fl.series_instance_uid = f.series_instance_uid
LEFT JOIN clinical c ON c.series_instance_uid = s.series_instance_uid
LEFT JOIN calibrated q ON q.scanner_key = s.scanner_key
LEFT JOIN recovered r ON r.scanner_key = s.scanner_key
                     AND r.reconstruction_key = s.reconstruction_key
WHERE s.series_kind = 'image' AND s.modality IN ('PT', 'NM')
  AND NOT EXISTS (SELECT 1 FROM phantom_scans p
                  WHERE p.series_instance_uid = s.series_instance_uid)
"""  # noqa: S608


#: Columns of `series` that have nothing to do with any rule, or change with every run.
_UNASKED: Final = frozenset(
    {"suv_derivation", "suv_reason_text", "run_id", "input_digest", "deidentification",
     "deidentification_version", "reconstruction_sources", "series_description_words"}
)  # fmt: skip
_SERIES: Final = tuple(c for c in TABLES["series"].columns if c not in _UNASKED)
_FACTS: Final = _facts_query()
#: What the facts are made of. Hashing it costs a fiftieth of joining it.
_INGREDIENTS: Final = (
    f"SELECT {', '.join(_SERIES)} FROM series WHERE modality IN ('PT', 'NM')",  # noqa: S608
    "SELECT * EXCLUDE (run_id) FROM clinical_items WHERE value_number IS NOT NULL",
    """SELECT series_instance_uid, part_index, frame_kind, shape_t, shape_z, spacing_z_mm,
              spacing_y_mm, spacing_x_mm FROM volumes WHERE zone = 'raw'""",
    """SELECT roi_id, series_instance_uid, roi_method, feature, value FROM features
       WHERE feature IN ('suv_mean', 'suv_sd', 'mtv_ml') AND list_contains($livers, roi_id)""",
    """SELECT phantom_scan_id, series_instance_uid, scanner_key, reconstruction_key, phantom_kind,
              measured_on, phantom_verdict, standards_met, calibration_factor FROM phantom_scans""",
)
_DIGEST: Final = " UNION ALL ".join(
    f"SELECT {i}, count(*), coalesce(bit_xor(h), 0), coalesce(sum(h % 1000003), 0) "  # noqa: S608
    f"FROM (SELECT hash(*COLUMNS(*)) AS h FROM ({query}))"
    for i, query in enumerate(_INGREDIENTS)
)


#: Series whose facts are unpacked at a time: memory does not grow with the lake.
_BATCH: Final = 2000


def protocol_facts(lk: Lake) -> Iterator[list[Row]]:
    """Yield facts about every PET and SPECT image series of a patient, in the order of their UIDs.

    What quality control has found to be a phantom is left out: it has neither uptake nor weight.
    """
    query = f"SELECT * FROM ({_FACTS}) ORDER BY series_instance_uid"  # noqa: S608
    table = lk.sql(query, {"livers": _livers(lk)}).to_arrow_table()
    for start in range(0, table.num_rows, _BATCH):
        yield table.slice(start, _BATCH).to_pylist()


def facts_digest(lk: Lake) -> str:
    """Digest of everything that the facts are made of, whatever the order of rows."""
    rows = sorted(lk.sql(_DIGEST, {"livers": _livers(lk)}).fetchall())
    return "-".join(f"{int(value):x}" for row in rows for value in row)


def _livers(lk: Lake) -> list[str]:
    """ROIs that are liver by label or code, and no lesion in it."""
    rois = lk.sql(_LIVER_ROIS).fetchall()
    return sorted(roi for roi, label, code in rois if reference_tissue(label, code) == LIVER)
