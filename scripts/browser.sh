#!/bin/sh
# Chromium and what drives it in tests: scripts/browser.sh FOLDER, an environment that scripts/install.sh has set up.
#
# Chromium is the system's. As root on Debian it is installed; else the one command is named that does it.
set -eu

venv=$1
here=$(cd "$(dirname "$0")/.." && pwd)

stop() { # stop WHY
    printf '\ndvidpy: %s. Install what is missing with\n\n    %s\n\nand run make again.\n' \
        "$1" "sudo apt-get install chromium" >&2
    exit 1
}

install_chromium() {
    command -v apt-get >/dev/null && [ "$(id -u)" = 0 ] || stop "there is no Chromium"
    log=$venv/chromium.log
    if ! { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends chromium; } \
        >"$log" 2>&1; then
        stop "Chromium could not be installed (see $log)"
    fi
}

command -v chromium >/dev/null || install_chromium
if [ "$here/pyproject.toml" -nt "$venv/.drives" ] || [ "$here/constraints.txt" -nt "$venv/.drives" ]; then
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check -c "$here/constraints.txt" \
        --editable "$here[browser]"
    touch "$venv/.drives"
fi
