"""The questions that the report asks the lake."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import pyarrow as pa

from lake import Lake

#: Features whose distributions are drawn, in this order, where the lake has them.
SHOWN_FEATURES: Final = (
    "suv_mean", "suv_max", "suv_peak_global", "mtv_ml", "stat_skewness", "glcm_joint_entropy",
)  # fmt: skip


@dataclass(frozen=True)
class Section:
    """A heading, a sentence and the table below it."""

    title: str
    sentence: str
    table: pa.Table


_SECTIONS: Final[tuple[tuple[str, str, str], ...]] = (
    (
        "Input objects",
        "Every object that was looked at ended in exactly one of these.",
        "SELECT outcome, reason_code AS reason, any_value(reason_text) AS what_to_do, "
        "count(*) AS objects FROM files GROUP BY outcome, reason_code "
        "ORDER BY outcome, objects DESC",
    ),
    (
        "Series",
        "SUV where the rules allow it; otherwise the values stay in the unit they came in.",
        "SELECT s.centre, s.modality, coalesce(v.value_unit, '') AS raw_unit, s.suv_status, "
        "s.suv_reason_code AS suv_refused_because, count(*) AS series, "
        "sum(s.n_instances) AS objects "
        "FROM series s LEFT JOIN volumes v "
        "ON v.series_instance_uid = s.series_instance_uid AND v.zone = 'raw' "
        "AND coalesce(v.part_index, 1) = 1 "
        "GROUP BY ALL ORDER BY ALL",
    ),
    (
        "Features by centre, before and after harmonisation",
        "Means over the drawn lesions. Equal means are no proof: judge by the distributions, and "
        "do not harmonise away what is biology.",
        "SELECT feature, centre, count(*) AS rois, avg(value) AS mean_before, "
        "stddev_samp(value) AS sd_before, avg(value_harmonised) AS mean_after, "
        "stddev_samp(value_harmonised) AS sd_after FROM features_harmonised "
        "WHERE feature IN ({features}) GROUP BY ALL ORDER BY feature, centre",
    ),
    (
        "Harmonisation model",
        "One model per feature profile; its estimates are in harmonisation_models.",
        "SELECT model_id, harmonisation_method AS method, batch_column AS batch, covariates, "
        "reference_batch, n_rows AS rois, n_features AS features, n_batches AS batches "
        "FROM harmonisation_models",
    ),
    (
        "Phantom scans",
        "Earlier scans are superseded by later ones of the same scanner and reconstruction. Limits "
        "are verified where they were read in their source, recalled where they were not.",
        "SELECT centre, scanner_key, reconstruction_key, phantom_kind AS kind, measured_on, "
        "valid_until_day, is_superseded, phantom_verdict AS verdict, standards_met, limit_status, "
        "calibration_factor, background_cov_percent AS cov_percent, psf_fwhm_z_mm, psf_fwhm_y_mm, "
        "psf_fwhm_x_mm, truth_source FROM phantom_scans "
        "ORDER BY centre, scanner_key, reconstruction_key, kind, measured_on LIMIT 60",
    ),
    (
        "Findings",
        "What a physicist should look at.",
        "SELECT severity, rule_id AS rule, centre, count(*) AS times, "
        "any_value(message ORDER BY finding_id) AS example FROM findings GROUP BY ALL "
        "ORDER BY severity, times DESC LIMIT 60",
    ),
    (
        "Runs",
        "The last ten.",
        "SELECT run_id, flow_name AS flow, run_state AS state, started_at, finished_at, n_files, "
        "n_unchanged, n_ingested, n_duplicate, n_quarantined, n_ignored, n_written FROM runs "
        "ORDER BY started_at DESC LIMIT 10",
    ),
)


def sections(lk: Lake) -> list[Section]:
    """Ask the lake everything; questions without an answer are left out."""
    quoted = ", ".join(f"'{name}'" for name in SHOWN_FEATURES)
    asked = (
        Section(title, sentence, lk.sql(query.replace("{features}", quoted)).to_arrow_table())
        for title, sentence, query in _SECTIONS
    )
    return [section for section in asked if section.table.num_rows]


def distributions(lk: Lake) -> dict[str, pa.Table]:
    """Values before and after, by feature: columns centre, value, value_harmonised."""
    found = {}
    for feature in SHOWN_FEATURES:
        table = lk.sql(
            "SELECT centre, value, value_harmonised FROM features_harmonised "
            "WHERE feature = $feature AND value_harmonised IS NOT NULL ORDER BY centre, roi_id",
            {"feature": feature},
        ).to_arrow_table()
        if table.num_rows:
            found[feature] = table
    return found


#: One row per volume to draw; newest studies first, then stable.
PATIENTS: Final = """
SELECT s.patient_key, s.centre, s.modality, s.is_spect, s.radiopharmaceutical, s.radionuclide,
       v.volume_path, v.volume_id,
       list(struct_pack(path := m.volume_path, label := r.roi_label, code := g.property_code)
            ORDER BY m.volume_path)
         FILTER (m.volume_path IS NOT NULL) AS masks,
       (SELECT min(c.volume_path) FROM series ct JOIN volumes c USING (series_instance_uid)
        WHERE ct.modality = 'CT' AND ct.series_kind = 'image'
          AND ct.referenced_series_uid = v.series_instance_uid
          AND c.zone = 'raw' AND c.shape_t IS NULL AND coalesce(c.part_index, 1) = 1) AS ct_path
FROM volumes v
JOIN series s USING (series_instance_uid)
LEFT JOIN rois r ON r.parent_volume_id = v.volume_id
LEFT JOIN volumes m ON m.volume_id = r.volume_id
LEFT JOIN segments g ON g.segmentation_series_uid = r.segmentation_series_uid
  AND g.segment_number = r.segment_number
WHERE v.zone = 'standard' AND s.modality IN ('PT', 'NM')
  AND v.profile_id = (SELECT min(o.profile_id) FROM volumes o
                      WHERE o.zone = 'standard' AND o.series_instance_uid = s.series_instance_uid)
GROUP BY ALL
ORDER BY s.centre, s.patient_key, v.volume_id
LIMIT $limit
"""
