#!/bin/sh
# Chromium and what drives it in tests: scripts/browser.sh FOLDER, an environment that scripts/install.sh has set up.
#
# Chromium is the system's. On Debian root installs it; else the one command is named that does it.
set -eu

venv=$1
here=$(cd "$(dirname "$0")/.." && pwd)

stop() { # stop WHY
    printf '\ndvidpy: %s. Install what is missing with\n\n    %s\n\nand run make again.\n' \
        "$1" "sudo apt-get install chromium" >&2
    exit 1
}

install_chromium() { # as root, or where root asks no password
    command -v apt-get >/dev/null || stop "there is no Chromium"
    as_root=
    [ "$(id -u)" = 0 ] || as_root="sudo -n"
    log=$venv/chromium.log
    if ! { $as_root apt-get update && $as_root apt-get install -y --no-install-recommends chromium; } \
        >"$log" 2>&1 </dev/null; then
        stop "Chromium could not be installed (see $log)"
    fi
}

command -v chromium >/dev/null || install_chromium
drives=$venv/.drives
if [ ! -e "$drives" ] || [ "$here/pyproject.toml" -nt "$drives" ] || [ "$here/constraints.txt" -nt "$drives" ]; then
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check -c "$here/constraints.txt" \
        --editable "$here[browser]"
    touch "$drives"
fi
