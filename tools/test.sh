#!/usr/bin/env sh
# All tests on all cores; arguments go to pytest.
set -eu
cd "$(dirname "$0")/.."
[ -f .venv/services.env ] && . ./.venv/services.env
exec .venv/bin/python -m pytest -q -n auto --dist loadgroup "$@"
