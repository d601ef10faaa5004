"""Which CT was acquired with which PET or SPECT."""

from __future__ import annotations

from typing import Final

from flows.runs import RunLog, author
from lake import Lake

#: For every CT: the PET or SPECT series of the same study and frame of reference; of several
#: (reconstructions) the one closest in time, then by UID, so that the answer never depends on
#: the order of arrival.
_LINKS: Final = """
SELECT ct.* REPLACE (emission.series_instance_uid AS referenced_series_uid)
FROM series AS ct
JOIN series AS emission
  ON emission.study_instance_uid = ct.study_instance_uid
 AND emission.frame_of_reference_uid = ct.frame_of_reference_uid
 AND emission.series_kind = 'image' AND emission.modality IN ('PT', 'NM')
WHERE ct.modality = 'CT' AND ct.series_kind = 'image'
QUALIFY row_number() OVER (
  PARTITION BY ct.series_instance_uid
  ORDER BY abs(epoch(emission.acquisition_datetime) - epoch(ct.acquisition_datetime)) NULLS LAST,
           emission.series_instance_uid) = 1
   AND ct.referenced_series_uid IS DISTINCT FROM emission.series_instance_uid
"""


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
