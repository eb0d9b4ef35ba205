#!/bin/sh
# Servers like those of Google Cloud Storage and Azure, for tests of point clouds: scripts/stores.sh FOLDER, an
# environment that scripts/install.sh has set up. Both are made at once: one takes a processor, the other the network.
set -eu

venv=$(cd "$1" && pwd)

for needed in go npm; do
    command -v "$needed" >/dev/null || {
        printf '\ndvidpy: %s is not here, which servers of object stores are made with. Without them (make test, and\n' \
            "$needed" >&2
        printf 'no CI in the environment) the tests of point clouds in Google Cloud Storage and Azure are skipped.\n' >&2
        exit 1
    }
done
GOBIN="$venv/bin" go install github.com/fsouza/fake-gcs-server@v1.40.0 &
google=$!
npm install --loglevel=error --no-audit --no-fund --prefix "$venv/node" azurite@3.35.0
wait "$google" || {
    printf '\ndvidpy: fake-gcs-server cannot be built.\n' >&2
    exit 1
}
