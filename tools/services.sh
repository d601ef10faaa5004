#!/usr/bin/env sh
# Real services for the tests: PostgreSQL from Debian packages if they may be installed, from
# compose if Docker answers; otherwise those tests are skipped (CI fails instead).
set -eu
cd "$(dirname "$0")/.."
rm -f .venv/services.env

has_postgresql() {
  command -v initdb >/dev/null 2>&1 && return 0
  ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1
}

has_postgresql && exit 0
if [ -n "${TRACERLAKE_TEST_POSTGRES:-}" ]; then exit 0; fi
if command -v apt-get >/dev/null 2>&1; then
  if [ "$(id -u)" = 0 ]; then as_root=; elif sudo -n true 2>/dev/null; then as_root="sudo -n"; else as_root=no; fi
  if [ "$as_root" != no ] && $as_root apt-get update -qq &&
     DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq postgresql >/dev/null; then
    exit 0
  fi
fi
if command -v docker >/dev/null 2>&1 && docker info >/dev/null 2>&1; then
  docker compose -f infra/compose.test.yaml up --detach --wait --quiet-pull
  echo 'export TRACERLAKE_TEST_POSTGRES=postgresql://tracerlake@127.0.0.1:54329/tracerlake' > .venv/services.env
  exit 0
fi
echo "No PostgreSQL: install the package 'postgresql' to run its tests; they will be skipped." >&2
