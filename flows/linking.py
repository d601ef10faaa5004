"""Which CT was acquired with which PET or SPECT."""

from __future__ import annotations

from typing import Final

from flows.runs import RunLog, author
from lake import Lake

#: Reconstructions of one acquisition begin within so many seconds of each other.
_SAME_ACQUISITION_S: Final = 300

#: For every CT: the PET or SPECT series of the same study and frame of reference that was acquired
#: closest to it. Of the reconstructions of that acquisition an attenuation-corrected one, since
#: that is the one the CT was made for and the one that is measured; then by time and UID, so that
#: the answer never depends on the order of arrival. A dynamic or gated series, of which nothing is
#: measured, leaves the CT to a static image that has no closer one. A CT of another frame of
#: reference is not linked, however close in time: nothing says that the patient lay still between
#: the two.
_LINKS: Final = f"""
WITH pairs AS (
  SELECT ct.series_instance_uid AS ct_uid, emission.series_instance_uid AS emission_uid,
    emission.attenuation_corrected AS is_corrected,
    coalesce(v.shape_t, 1) > 1 AS has_frames,
    abs(epoch(emission.acquisition_datetime) - epoch(ct.acquisition_datetime)) AS distance_s
  FROM series AS ct
  JOIN series AS emission
    ON emission.study_instance_uid = ct.study_instance_uid
   AND emission.frame_of_reference_uid = ct.frame_of_reference_uid
   AND emission.series_kind = 'image' AND emission.modality IN ('PT', 'NM')
  LEFT JOIN volumes AS v
    ON v.series_instance_uid = emission.series_instance_uid AND v.zone = 'raw'
   AND coalesce(v.part_index, 1) = 1
  WHERE ct.modality = 'CT' AND ct.series_kind = 'image'
), owned AS (
  SELECT *, NOT has_frames
      AND distance_s <= min(distance_s) OVER (PARTITION BY emission_uid) AS is_ct_of_image
  FROM pairs
), wanted AS (
  SELECT * FROM owned
  QUALIFY NOT has_frames
    OR NOT coalesce(bool_or(is_ct_of_image) OVER (PARTITION BY ct_uid), false)
), near AS (
  SELECT * FROM wanted
  QUALIFY min(distance_s) OVER (PARTITION BY ct_uid) IS NULL
    OR distance_s <= min(distance_s) OVER (PARTITION BY ct_uid) + {_SAME_ACQUISITION_S}
), chosen AS (
  SELECT ct_uid, emission_uid FROM near
  QUALIFY row_number() OVER (
    PARTITION BY ct_uid
    ORDER BY is_corrected DESC NULLS LAST, distance_s NULLS LAST, emission_uid) = 1
)
SELECT ct.* REPLACE (chosen.emission_uid AS referenced_series_uid)
FROM series AS ct JOIN chosen ON chosen.ct_uid = ct.series_instance_uid
WHERE ct.referenced_series_uid IS DISTINCT FROM chosen.emission_uid
"""  # noqa: S608  a constant


def link_ct(lk: Lake, log: RunLog) -> int:
    """Set `referenced_series_uid` of CT series; return how many changed."""
    changed = lk.sql(_LINKS).to_arrow_table()
    if changed.num_rows:
        lk.commit(
            lambda tx: tx.replace("series", changed, scope=("series_instance_uid",)),
            message=log.message(f"{changed.num_rows} CT series linked"),
            author=author(),
        )
    return int(changed.num_rows)
