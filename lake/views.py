"""SQL of the named views; their columns are declared in `schemas.tables.VIEWS`."""

from __future__ import annotations

from typing import Final

from schemas.tables import TABLES

#: Words in a ROI label that mark it as an organ or reference region, not a lesion. (Labels are
#: cleaned to allow-listed words, so "not known to be an organ" is the safer reading of "lesion".)
#: "uptake" is what an SUV threshold finds: brain and bladder as well as tumours.
REFERENCE_REGIONS: Final = (
    "liver", "aorta", "blood", "background", "reference", "mediastinum", "spleen", "kidney",
    "bladder", "brain", "heart", "body", "external", "couch", "muscle", "marrow", "uptake",
)  # fmt: skip

#: Words that make it a lesion all the same ("liver metastasis").
LESION_WORDS: Final = (
    "lesion", "tumor", "tumour", "metastasis", "metastases", "met", "gtv", "node", "nodule", "mass",
    "cancer", "carcinoma",
)  # fmt: skip

_REFERENCE: Final = "|".join(REFERENCE_REGIONS)
_LESION: Final = "|".join(LESION_WORDS)

_QUARANTINE: Final = (
    f"SELECT {', '.join(TABLES['quarantine'].columns)} FROM files WHERE outcome = 'quarantined'"  # noqa: S608
)

# The series of a study that is measured: one with SUV before one without, one image before frames
# (of dynamic and gated series nothing is measured), attenuation corrected before not, the longest,
# and the uid so that the choice never depends on row order.
# Common table expressions `frames` and `measured`.
MEASURED: Final = """
frames AS (
    SELECT series_instance_uid, any_value(shape_t) AS n_frames
    FROM volumes WHERE zone = 'raw' AND coalesce(part_index, 1) = 1 GROUP BY ALL
),
measured AS (
    SELECT *, CAST(study_datetime AS DATE) AS study_date
    FROM series LEFT JOIN frames USING (series_instance_uid)
    WHERE series_kind = 'image' AND (modality = 'PT' OR is_spect)
    QUALIFY row_number() OVER (
        PARTITION BY patient_key, study_instance_uid
        ORDER BY (suv_status = 'suv') DESC NULLS LAST, (n_frames IS NULL) DESC,
                 attenuation_corrected DESC NULLS LAST,
                 n_instances DESC NULLS LAST, series_instance_uid) = 1
)"""

_CT: Final = """
ct AS (
    SELECT m.series_instance_uid AS measured_uid, c.series_instance_uid AS ct_series_uid
    FROM measured m JOIN series c
      ON c.patient_key = m.patient_key AND c.modality = 'CT' AND c.series_kind = 'image'
     AND (c.referenced_series_uid = m.series_instance_uid
          OR c.frame_of_reference_uid = m.frame_of_reference_uid
          OR c.study_instance_uid = m.study_instance_uid)
    QUALIFY row_number() OVER (
        PARTITION BY m.series_instance_uid
        ORDER BY (c.referenced_series_uid = m.series_instance_uid) DESC NULLS LAST,
                 (c.frame_of_reference_uid = m.frame_of_reference_uid) DESC NULLS LAST,
                 (c.study_instance_uid = m.study_instance_uid) DESC NULLS LAST,
                 abs(epoch(c.acquisition_datetime) - epoch(m.acquisition_datetime)) NULLS LAST,
                 c.n_instances DESC NULLS LAST, c.series_instance_uid) = 1
)"""

# Lesions drawn by a person count before thresholds, and only one extraction profile counts:
# adding up several delineations of one lesion would give volumes that nobody has. All patients are
# measured on one standard, the one with the most series: numbers of two standards do not compare.
_LESIONS: Final = f"""
usual_standard AS (
    SELECT standard_profile FROM features GROUP BY standard_profile
    ORDER BY count(DISTINCT series_instance_uid) DESC, standard_profile LIMIT 1
),
lesion_features AS (
    SELECT f.*
    FROM features f JOIN measured m USING (series_instance_uid)
    JOIN usual_standard u ON u.standard_profile IS NOT DISTINCT FROM f.standard_profile
    WHERE f.feature IN ('suv_max', 'suv_peak_global', 'mtv_ml', 'tlg_g')
      AND (NOT regexp_matches(
               replace(coalesce(f.roi_label, ''), '_', ' '), '\\b({_REFERENCE})\\b', 'i')
           OR regexp_matches(replace(f.roi_label, '_', ' '), '\\b({_LESION})s?\\b', 'i'))
    QUALIFY dense_rank() OVER (
        PARTITION BY f.series_instance_uid
        ORDER BY starts_with(coalesce(f.roi_method, ''), 'threshold'),
                 split_part(coalesce(f.roi_method, ''), ' ', 1), f.feature_profile DESC) = 1
),
lesions AS (
    SELECT series_instance_uid, any_value(standard_profile) AS standard_profile,
           count(DISTINCT roi_id) AS n_lesions,
           max(value) FILTER (feature = 'suv_max') AS suv_max,
           max(value) FILTER (feature = 'suv_peak_global') AS suv_peak,
           sum(value) FILTER (feature = 'mtv_ml') AS mtv_ml,
           sum(value) FILTER (feature = 'tlg_g') AS tlg_g
    FROM lesion_features GROUP BY series_instance_uid
)"""  # noqa: S608

# What describes the patient at the study is taken nearest to it; an outcome is the latest known.
_CLINICAL: Final = """
items AS (
    SELECT m.patient_key, m.study_instance_uid, i.item, i.value_number,
           coalesce(i.value_text, CAST(i.value_number AS VARCHAR)) AS text
    FROM measured m JOIN clinical_items i USING (patient_key)
    WHERE i.item IN ('glucose', 'stage', 'age', 'outcome_event', 'outcome_days')
    QUALIFY row_number() OVER (
        PARTITION BY m.patient_key, m.study_instance_uid, i.item
        ORDER BY CASE WHEN starts_with(i.item, 'outcome') THEN 0
                      ELSE abs(date_diff('day', m.study_date, i.item_date)) END NULLS LAST,
                 i.item_date DESC NULLS LAST, i.record_key) = 1
),
clinical AS (
    SELECT patient_key, study_instance_uid,
           max(value_number) FILTER (item = 'glucose') AS glucose_mmol_l,
           max(value_number) FILTER (item = 'age') AS age_years,
           max(text) FILTER (item = 'stage') AS stage,
           max(text) FILTER (item = 'outcome_event') AS outcome_event,
           max(value_number) FILTER (item = 'outcome_days') AS outcome_days
    FROM items GROUP BY patient_key, study_instance_uid
)"""

# The latest word counts; of two of the same day, and where the day is unknown, "deny" counts.
_CONSENT: Final = """
consent AS (
    SELECT patient_key, consent_status
    FROM consents
    WHERE purpose = 'research'
    QUALIFY row_number() OVER (
        PARTITION BY patient_key
        ORDER BY (consent_status = 'deny' AND valid_from IS NULL) DESC NULLS LAST,
                 valid_from DESC NULLS LAST, (consent_status = 'deny') DESC NULLS LAST,
                 record_key) = 1
)"""

_COHORT: Final = f"""
WITH {MEASURED}, {_CT}, {_LESIONS}, {_CLINICAL}, {_CONSENT}
SELECT m.patient_key,
       dense_rank() OVER (PARTITION BY m.patient_key ORDER BY m.study_date NULLS LAST) AS timepoint,
       m.centre, m.study_instance_uid, m.study_date,
       m.series_instance_uid AS pet_series_uid, ct.ct_series_uid,
       m.modality, m.is_spect, m.n_frames, m.radiopharmaceutical, m.radionuclide,
       m.injected_activity_bq,
       m.uptake_time_s / 60 AS uptake_time_min, m.suv_status, m.suv_reason_code,
       l.standard_profile,
       coalesce(l.n_lesions, 0) AS n_lesions, l.suv_max, l.suv_peak, l.mtv_ml, l.tlg_g,
       coalesce(c.age_years, m.patient_age_years) AS age_years,
       coalesce(p.sex, m.patient_sex) AS sex,
       m.patient_weight_kg AS weight_kg, c.glucose_mmol_l, c.stage,
       c.outcome_event, c.outcome_days,
       coalesce(consent.consent_status, 'unknown') AS consent_status
FROM measured m
LEFT JOIN ct ON ct.measured_uid = m.series_instance_uid
LEFT JOIN lesions l ON l.series_instance_uid = m.series_instance_uid
LEFT JOIN clinical c ON c.patient_key = m.patient_key
                    AND c.study_instance_uid = m.study_instance_uid
LEFT JOIN patients p ON p.patient_key = m.patient_key
LEFT JOIN consent ON consent.patient_key = m.patient_key
WHERE consent.consent_status IS DISTINCT FROM 'deny'
"""  # noqa: S608

# A study counts once per rule, by the worst of its series; it cannot be checked only if none of
# them can. Series without a centre count together.
_COVERAGE: Final = """
WITH ranked AS (
    SELECT coalesce(centre, 'unknown') AS centre, rule_id,
           coalesce(study_instance_uid, series_instance_uid) AS study,
           min_by(check_outcome, (rank, not_checkable_reason, series_instance_uid)) AS outcome,
           min_by(not_checkable_reason, (rank, not_checkable_reason, series_instance_uid)) AS reason
    FROM (SELECT *, list_position(['fail', 'warn', 'info', 'passed', 'not_checkable'],
                                  check_outcome) AS rank FROM protocol_checks)
    GROUP BY ALL
),
reasons AS (
    SELECT centre, rule_id, reason, count(*) AS n FROM ranked
    WHERE outcome = 'not_checkable' GROUP BY ALL
),
because AS (
    SELECT centre, rule_id,
           list(reason || ': ' || n ORDER BY n DESC, reason) AS not_checkable_because
    FROM reasons GROUP BY ALL
)
SELECT r.centre, r.rule_id, count(*) AS n_studies,
       count(*) FILTER (outcome = 'passed') AS n_passed,
       count(*) FILTER (outcome = 'info') AS n_info,
       count(*) FILTER (outcome = 'warn') AS n_warn,
       count(*) FILTER (outcome = 'fail') AS n_fail,
       count(*) FILTER (outcome = 'not_checkable') AS n_not_checkable,
       any_value(b.not_checkable_because) AS not_checkable_because
FROM ranked r LEFT JOIN because b ON b.centre = r.centre AND b.rule_id = r.rule_id
GROUP BY r.centre, r.rule_id
"""

#: SQL of every view by name.
SQL: Final[dict[str, str]] = {
    "quarantine": _QUARANTINE, "cohort": _COHORT, "protocol_coverage": _COVERAGE,
}  # fmt: skip
