#!/usr/bin/env sh
# The main job once, on a simulated cohort: DICOM -> lake -> harmonised SQL answer and report.
set -eu
cd "$(dirname "$0")/.."
out=${DEMO_DIR:-demo}
rm -rf "$out"
mkdir -p "$out"
# Everything the demo makes stays in this folder, keys and Prefect's database too.
out=$(cd "$out" && pwd)
export PREFECT_HOME="$out/prefect"
unset PREFECT_API_URL TRACERLAKE_KEY_DIR || true
tracerlake() {
  printf '\n$ tracerlake %s\n' "$(printf '%s' "$*" | sed "s|$out|$(basename "$out")|g")"
  .venv/bin/tracerlake "$@"
}

echo "The cohort is simulated: digital phantoms with known lesions, no real patients."
tracerlake simulate "$out/cohort"
tracerlake init "$out/lake" --key-dir "$out/keys" \
  --centre "Simulated Centre A=A" --centre "Simulated Centre B=B" \
  --centre "Simulated Centre C=C" --centre "Simulated Centre S=S"
tracerlake nightly "$out/lake" --source "$out/cohort/dicom" \
  --redcap "$out/cohort/clinical/redcap.csv" --fhir "$out/cohort/clinical/fhir.ndjson"
tracerlake sql "$out/lake" "
  SELECT outcome, reason_code AS reason, count(*) AS objects,
         count(DISTINCT series_instance_uid) AS series
  FROM files GROUP BY ALL ORDER BY outcome, objects DESC"
tracerlake sql "$out/lake" "
  SELECT feature, centre, count(*) AS lesions, round(avg(value), 3) AS unharmonised_mean,
         round(avg(value_harmonised), 3) AS harmonised_mean
  FROM features_harmonised WHERE feature IN ('suv_mean', 'suv_max', 'suv_peak_global')
  GROUP BY ALL ORDER BY feature, centre"
echo
echo "Report with pictures: $out/lake/reports/latest.html"
echo "Go on:  .venv/bin/tracerlake sql $(basename "$out")/lake"
