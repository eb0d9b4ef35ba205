#!/bin/sh
# Sets up a virtual environment with dvidpy and its tools: scripts/install.sh FOLDER
#
# PYTHON names the interpreter; without it, the first of python3.11, python3.12 and python3 that runs, fits and can
# make environments. plyvel (LevelDB) comes as a ready wheel for Python 3.11 and 3.12 on Linux. Elsewhere it is built
# against the system's LevelDB. What is missing is named with the one command that installs it.
set -eu

venv=$1
here=$(cd "$(dirname "$0")/.." && pwd)
system=$(uname -s)

stop() { # stop WHY COMMAND
    printf '\ndvidpy: %s. Install what is missing with\n\n    %s\n\nand run make again.\n' "$1" "$2" >&2
    exit 1
}

version_of() { # 3.11 of a command that runs; nothing of one that does not (a shim without its Python fails here)
    "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null || true
}

makes_environments() {
    "$1" -c 'import venv, ensurepip' 2>/dev/null
}

is_new_enough() { # 3.11 and later
    case $1 in 3.1[1-9] | 3.[2-9][0-9]) true ;; *) false ;; esac
}

pick_python() { # sets python and version; has_wheel first, then any that is new enough
    candidates=${PYTHON:-python3.11 python3.12 python3 python3.13 python3.14}
    lame=""
    newer=""
    for python in $candidates; do
        version=$(version_of "$python")
        is_new_enough "$version" || continue
        if ! makes_environments "$python"; then
            lame=${lame:-$version}
        elif has_wheel "$version"; then
            return
        else
            newer=${newer:-$python}
        fi
    done
    python=$newer
    [ -n "$python" ] || stop_without_python
    version=$(version_of "$python")
}

has_wheel() {
    [ "$system" = Linux ] && case $1 in 3.11 | 3.12) true ;; *) false ;; esac
}

stop_without_python() {
    if [ "$system" = Darwin ]; then
        stop "there is no Python 3.11 or later" "brew install python@3.12 leveldb"
    elif [ -n "$lame" ]; then
        stop "Python $lame cannot make environments" "sudo apt-get install python3-venv"
    elif [ -n "${PYTHON:-}" ]; then
        stop "$PYTHON is no Python 3.11 or later that runs" "sudo apt-get install python3 python3-venv"
    fi
    stop "there is no Python 3.11 or later that runs" "sudo apt-get install python3 python3-venv"
}

find_leveldb() { # tells the compiler where LevelDB is; stops where there is none
    for prefix in "$(brew --prefix leveldb 2>/dev/null || true)" /opt/homebrew /usr/local /usr; do
        [ -n "$prefix" ] && [ -f "$prefix/include/leveldb/db.h" ] || continue
        export CPATH="$prefix/include${CPATH:+:$CPATH}" LIBRARY_PATH="$prefix/lib${LIBRARY_PATH:+:$LIBRARY_PATH}"
        return
    done
    stop_without_leveldb "LevelDB's headers are not there"
}

stop_without_leveldb() {
    case $system in
        Darwin) stop "$1, and plyvel has no wheel for this system" "brew install python@3.12 leveldb" ;;
        *) stop "$1, and plyvel has no wheel for Python $version" \
            "sudo apt-get install libleveldb-dev g++ python3-dev" ;;
    esac
}

need_wheel_or_leveldb() {
    has_wheel "$version" && return
    find_leveldb
    c++ --version >/dev/null 2>&1 || stop_without_leveldb "there is no C++ compiler"
}

install() { # install LOG PACKAGES...: quietly; the log is kept
    log=$1
    shift
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check -c "$here/constraints.txt" "$@" >"$log" 2>&1
}

pick_python
need_wheel_or_leveldb
echo "dvidpy: Python $version ($python), environment in $venv"
[ -n "$(version_of "$venv/bin/python")" ] || "$python" -m venv --clear "$venv"
log=$venv/install.log
if ! has_wheel "$version"; then
    install "$log" plyvel || stop_without_leveldb "plyvel could not be built (see $log)"
fi
if ! install "$log" --editable "$here[client,meshes,pointclouds,test,dev,volumes]"; then
    grep -E '^ *(ERROR|error):' "$log" | tail -n 3 >&2 || true
    echo "dvidpy: the packages could not be installed; all that was said is in $log" >&2
    exit 1
fi
# As pip does for packages that are not editable: without it the first start, or each where Python may not write, compiles.
env -u PYTHONDONTWRITEBYTECODE "$venv/bin/python" -m compileall -q "$here/dvidpy"
