#!/usr/bin/env sh
# Real services for the tests: PostgreSQL and Orthanc (the PACS) from Debian packages if they may be
# installed, PostgreSQL from compose if Docker answers; otherwise those tests are skipped (CI fails
# instead).
set -eu
cd "$(dirname "$0")/.."
rm -f .venv/services.env

has_postgresql() {
  command -v initdb >/dev/null 2>&1 && return 0
  ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1
}

has_orthanc() {
  { command -v Orthanc >/dev/null 2>&1 || [ -x /usr/sbin/Orthanc ]; } &&
    ls /usr/share/orthanc/plugins/libOrthancDicomWeb.so* >/dev/null 2>&1
}

install_packages() {
  command -v apt-get >/dev/null 2>&1 || return 1
  if [ "$(id -u)" = 0 ]; then as_root=; elif sudo -n true 2>/dev/null; then as_root="sudo -n"; else return 1; fi
  $as_root apt-get update -qq &&
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "$@" >/dev/null
}

if ! has_orthanc && ! install_packages orthanc orthanc-dicomweb; then
  echo "No Orthanc: install 'orthanc' and 'orthanc-dicomweb' to run its tests; they will be skipped." >&2
fi
has_postgresql && exit 0
if [ -n "${TRACERLAKE_TEST_POSTGRES:-}" ]; then exit 0; fi
if install_packages postgresql; then exit 0; fi
if command -v docker >/dev/null 2>&1 && docker info >/dev/null 2>&1; then
  docker compose -f infra/compose.test.yaml up --detach --wait --quiet-pull
  echo 'export TRACERLAKE_TEST_POSTGRES=postgresql://tracerlake@127.0.0.1:54329/tracerlake' > .venv/services.env
  exit 0
fi
echo "No PostgreSQL: install the package 'postgresql' to run its tests; they will be skipped." >&2
