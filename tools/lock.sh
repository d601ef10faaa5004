#!/usr/bin/env sh
# Re-resolve the lock files (one version of every package for Python 3.11 to 3.13, hashed, no index URLs).
# Needs `uv` on PATH; used by maintainers only, never by `make setup`.
set -eu
cd "$(dirname "$0")/.."
common="--universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --fork-strategy fewest --no-header"
# shellcheck disable=SC2086
uv pip compile $common --group build -o requirements-build.lock "$@"
# shellcheck disable=SC2086
uv pip compile $common pyproject.toml -o requirements.lock "$@"
# shellcheck disable=SC2086
uv pip compile $common pyproject.toml --group dev -o requirements-dev.lock "$@"
