#!/usr/bin/env sh
# Make .venv from the hashed lock. Usage: tools/setup.sh run|dev
set -eu
cd "$(dirname "$0")/.."
kind=${1:-run}
case $kind in
  run) lock=requirements.lock ;;
  dev) lock=requirements-dev.lock ;;
  *) echo "usage: tools/setup.sh run|dev" >&2; exit 2 ;;
esac

stamp=.venv/.installed-$kind
want=$(cat requirements-build.lock "$lock" pyproject.toml | cksum)
for have in "$stamp" .venv/.installed-dev; do
  # the development lock holds everything of the other one
  [ -f "$have" ] && [ "$(cat "$have")" = "$(cat requirements-build.lock requirements-dev.lock pyproject.toml | cksum)" ] && exit 0
  [ -f "$have" ] && [ "$have" = "$stamp" ] && [ "$(cat "$have")" = "$want" ] && exit 0
done

find_python() {
  for name in "${PYTHON:-}" python3.12 python3.13 python3.11 python3; do
    [ -n "$name" ] || continue
    "$name" -c 'import sys; raise SystemExit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
      2>/dev/null && { echo "$name"; return; }
  done
  echo "tracerlake needs Python 3.11, 3.12 or 3.13; set PYTHON=/path/to/python3" >&2
  exit 1
}

python=$(find_python)
if ! "$python" -c 'import ensurepip' 2>/dev/null; then
  # Debian ships venv without pip in a package of its own
  package=$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
  if [ "$(id -u)" = 0 ]; then as_root=; elif sudo -n true 2>/dev/null; then as_root="sudo -n"; else
    echo "Python cannot make environments here; run: sudo apt-get install $package" >&2; exit 1
  fi
  $as_root apt-get update -qq && $as_root apt-get install -y -qq "$package" >/dev/null
fi

if [ ! -x .venv/bin/python ] || ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
  echo "Making .venv with $("$python" --version) ..."
  "$python" -m venv --clear .venv
fi
echo "Installing the locked packages (a minute or two) ..."
# --no-compile: files are compiled on first use, which is quicker than compiling all of them
pip=".venv/bin/python -m pip install --quiet --disable-pip-version-check --no-compile"
# --no-deps: the locks are complete, and pip must not look for anything beside them
$pip --require-hashes --no-deps -r requirements-build.lock
$pip --require-hashes --no-deps --no-build-isolation -r "$lock"
$pip --no-deps --no-build-isolation --editable .
echo "$want" > "$stamp"
