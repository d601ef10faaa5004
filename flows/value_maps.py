"""SUV as a Real World Value Mapping gives it, held against the SUV derived here."""

from __future__ import annotations

from typing import Final

from flows.runs import RunLog, author
from lake import Lake, Transaction
from schemas.records import Row
from tasks.findings.row import finding_row

RULE_ID: Final = "ingest.suv_mapping_differs"
#: Largest difference of the two SUVs that is rounding rather than another formula.
TOLERANCE_PERCENT: Final = 1.0
#: Mappings to SUVbw whose slope is not what the slices of their image series have. A mapping of all
#: images must fit the smallest and the largest of their slopes, one of some must lie between.
_DIFFERING: Final = """
SELECT map.mapping_series_uid, map.patient_key, s.centre, map.mapped_series_uid,
       map.real_world_slope AS slope,
       s.suv_per_stored_min AS lowest, s.suv_per_stored_max AS highest,
       map.real_world_intercept AS intercept,
       map.n_mapped_frames IS NULL AND map.n_mapped_instances >= s.n_instances AS is_of_all,
       CASE WHEN is_of_all THEN highest ELSE lowest END * (1 - $tolerance / 100) AS least,
       CASE WHEN is_of_all THEN lowest ELSE highest END * (1 + $tolerance / 100) AS most
FROM real_world_values AS map
JOIN series AS s ON s.series_instance_uid = map.mapped_series_uid
WHERE s.suv_per_stored_min IS NOT NULL AND map.real_world_slope IS NOT NULL
  AND (map.unit_code = '{SUVbw}g/ml' OR map.quantity_code = 'DCM:126401'
       OR list_contains(map.measurement_method_codes, 'DCM:126410'))
  AND (coalesce(map.real_world_intercept, 0) != 0
       OR slope < least OR slope > most)
ORDER BY map.mapping_series_uid, map.mapping_index
"""


def check_value_maps(lk: Lake, log: RunLog) -> int:
    """Renew the findings about mappings whose SUV is not ours; return how many there are.

    Runs after everything is published, since image and mapping may come in any order. Nothing is
    written if the findings stay the same.
    """
    differing = lk.sql(_DIFFERING, {"tolerance": TOLERANCE_PERCENT}).fetchall()
    made = [_finding(*row) for row in differing]
    findings = {str(f["finding_id"]): f | {"run_id": log.run_id} for f in made}
    known = lk.sql("SELECT finding_id FROM findings WHERE rule_id = $rule", {"rule": RULE_ID})
    if {row[0] for row in known.fetchall()} != set(findings):

        def renew(tx: Transaction) -> None:
            tx.delete("findings", {"rule_id": [RULE_ID]})
            tx.insert("findings", list(findings.values()))

        message = log.message(f"{len(findings)} value maps differ in SUV")
        lk.commit(renew, message=message, author=author())
    return len(findings)


def _finding(
    mapping: str, patient: str, centre: str, image: str, slope: float, low: float, high: float,
    intercept: float | None, is_of_all: bool, *_: float,
) -> Row:  # fmt: skip
    held_against = (low, high) if is_of_all else (min(max(slope, low), high),)
    percent = max(100 * abs(slope / ours - 1) for ours in held_against)
    if intercept:
        what = f"has intercept {intercept:.6g}, where SUV is proportional to the stored value"
    else:
        what = f"gives {slope:.6g} g/ml per stored unit, derived here are {low:.6g} to {high:.6g}"
    return finding_row(
        rule_id=RULE_ID,
        severity="warn",
        subject_kind="series",
        subject_id=mapping,
        message=f"The SUVbw mapping of image series {image} {what}.",
        patient_key=patient,
        centre=centre,
        observed_value=percent,
        limit_text=f"{TOLERANCE_PERCENT:g} %",
        finding_source="tracerlake SUV rules; DICOM PS3.3 C.7.6.16.2.11",
    )
