#!/bin/sh
# Make or update the Python environment of this checkout where that is due, then run a command in it.
#
#   HOST=openmmlab|onedl [PYTHON=python3.12] tools/dev/environment.sh [COMMAND ...]
#
# The environment is the first of: the one PYTHON belongs to, or .venv-<its version> made from it; the active
# one (VIRTUAL_ENV); .venv. Folders made for onedl end in -onedl, as the two stacks exclude each other.
set -eu
trap 'exit 130' INT TERM
cd "$(dirname "$0")/../.."
root=$(pwd -P)
HOST=${HOST:-openmmlab}

fail() {
    echo "mmdrl: $1" >&2
    exit 1
}

# True if $1 is Python 3.10 or newer; it is run, because a shim may be on PATH for a Python that is not there.
recent() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 10))' >/dev/null 2>&1
}

# The interpreter behind $1 (other than $1 if that lies in an environment), if it can make environments.
base_of() {
    recent "$1" && "$1" -c 'import ensurepip, sys, venv; print(sys._base_executable)' 2>/dev/null
}

find_base() {
    for candidate in python3 python3.13 python3.12 python3.11 python3.10; do
        base_of "$candidate" && return
    done
    fail 'expected Python 3.10 or newer with venv, found none on PATH: install it, or give PYTHON=/path/to/python.'
}

case $HOST in
openmmlab) suffix='' other=onedl rival=onedl-mmengine ;;
onedl) suffix=-onedl other=openmmlab rival=mmengine ;;
*) fail "expected HOST=openmmlab or HOST=onedl, got HOST=$HOST." ;;
esac

base=
if [ -n "${PYTHON:-}" ]; then
    recent "$PYTHON" || fail "expected PYTHON to run Python 3.10 or newer, got PYTHON=$PYTHON, which does not."
    environment=$("$PYTHON" -c 'import sys; print(sys.prefix if sys.prefix != sys.base_prefix else "")')
    if [ -z "$environment" ]; then
        base=$(base_of "$PYTHON") || fail "expected PYTHON=$PYTHON to have its venv module: install that."
        environment=$root/.venv-$("$PYTHON" -c 'import sys; print("%d.%d" % sys.version_info[:2])')$suffix
    fi
elif [ -n "${VIRTUAL_ENV:-}" ]; then
    environment=$VIRTUAL_ENV
    recent "$environment/bin/python" ||
        fail "expected Python 3.10 or newer in the active environment $environment: deactivate it."
else
    environment=$root/.venv$suffix
fi
python=$environment/bin/python
made=$environment/.mmdrl-made           # we made it, for the checkout named inside
installed=$environment/.mmdrl-installed # everything in it stems from the files summed up inside

has() {
    "$python" -c 'import sys; from importlib.metadata import version; version(sys.argv[1])' "$1" >/dev/null 2>&1
}

make_environment() {
    [ -n "$base" ] || base=$(find_base)
    echo "mmdrl: making $environment with $("$base" --version)"
    rm -rf "$environment"
    mkdir -p "$environment"
    echo "$root" >"$made"
    "$base" -m venv "$environment"
}

install_all() {
    extras=dev
    [ "$HOST" = onedl ] || extras=dev,docs # the site is built on the default stack alone
    set -- -e ".[$HOST,$extras]"
    if has mmcv; then # the full mmcv is as good as mmcv-lite, and must not be overwritten by it
        grep -v '^mmcv-lite' requirements/openmmlab.txt >"$environment/.mmdrl-host.txt"
        set -- -e ".[$extras]" -r "$environment/.mmdrl-host.txt"
    fi
    echo "mmdrl: installing into $environment, which takes some minutes and 6 GB the first time"
    before=$(cat "$installed" 2>/dev/null || true)
    rm -f "$installed"
    # One command: pip must see torch, the host and the pin of setuptools together.
    if ! "$python" -m pip install 'setuptools>=77.0.3,<82' "$@"; then
        [ -z "$before" ] || echo "$before" >"$installed"
        fail "pip could not install into $environment: see above."
    fi
}

wanted="$HOST $root $(cat setup.py pyproject.toml mmdrl/version.py requirements/*.txt | cksum)"
case $environment in
"$root"/.venv*) inside=yes ;; # only what lies in this checkout is ever made anew
*) inside=no ;;
esac
if [ ! -e "$environment" ]; then
    make_environment
elif [ -e "$made" ] && [ "$inside" = no ] && [ "$(cat "$made")" != "$root" ]; then
    fail "expected an environment for this checkout, found that of $(cat "$made"): deactivate it."
elif [ -e "$made" ] && [ "$inside" = yes ]; then # was it interrupted, or moved, or has it lost its interpreter?
    if [ ! -e "$installed" ] || [ "$(cat "$made")" != "$root" ] || ! recent "$python"; then
        make_environment
    fi
fi
if [ "$(cat "$installed" 2>/dev/null)" != "$wanted" ] || [ ! -e mmdrl/.mim/model-index.yml ]; then
    if has "$rival"; then
        fail "expected the $HOST packages in $environment, found those of $other: deactivate it, or use HOST=$other."
    fi
    "$python" -m pip --version >/dev/null 2>&1 ||
        fail "expected pip in $environment, found none: run $python -m ensurepip."
    install_all
    rm -rf mmdrl.egg-info # left by the build; Python started in this folder would take it for the installation
    echo "$wanted" >"$installed"
fi

if [ $# -eq 0 ]; then
    echo "mmdrl: $environment is ready"
    exit
fi
unset PYTHONHOME
export VIRTUAL_ENV="$environment" PATH="$environment/bin:$PATH"
exec "$@"
