#!/usr/bin/env bash
# Make a virtual environment and install spotlabel with everything it needs: setup.sh FOLDER
#
# TORCH=auto  a CPU build of torch if pip finds one, else the default build (default)
# TORCH=cpu   a CPU build or an error      TORCH=cuda  the default build      TORCH=none  no torch
# PYBGS=1     also build pybgs, the reference PAWCS (labeler pawcs-pybgs): needs a compiler and OpenCV's headers
set -euo pipefail

venv=${1:?usage: setup.sh FOLDER}
torch=${TORCH:-auto}
pybgs=${PYBGS:-0}
python=${PYTHON:-python3}
torch_pin=$(sed -n 's/^torch==//p' constraints.txt)

say() { printf 'setup: %s\n' "$*"; }
die() { printf 'setup: error: %s\n' "$*" >&2; exit 1; }

make_venv() {
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null ||
        die "Python 3.11 or newer is needed, '$python' is $("$python" --version 2>&1 || true); set PYTHON=/path/to/python3"
    # A venv without pip (made before python3-venv was there) or with another Python is made anew.
    "$venv/bin/python" -m pip --version >/dev/null 2>&1 &&
        "$venv/bin/python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
        "$python" -m venv --clear "$venv" ||
        die "'$python -m venv' failed; ask the administrator for the package python3-venv"
    "$venv/bin/python" -m pip install --quiet --upgrade pip
}

# pybgs (the reference PAWCS) is built from source against the system's OpenCV.
have_build_tools() {
    command -v cmake >/dev/null && command -v g++ >/dev/null && have_python_headers &&
        { [ -e /usr/include/opencv4/opencv2/core.hpp ] || pkg-config --exists opencv4 2>/dev/null; }
}

have_python_headers() {
    [ -e "$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("include"))')/Python.h" ]
}

install_build_tools() {
    have_build_tools && return 0
    local packages=(libopencv-dev cmake g++)
    have_python_headers || packages+=(python3-dev)
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        say "installing system packages for pybgs: ${packages[*]} (about 150 MB to fetch)"
        apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
            apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null && return 0
        say "apt-get could not install them (see its message above)."
    fi
    say "pybgs, the reference PAWCS, needs the system packages ${packages[*]}."
    say "Ask the administrator for:  apt-get install --no-install-recommends ${packages[*]}"
    say "then run 'make setup PYBGS=1' again. Until then everything but the labeler pawcs-pybgs works."
    return 1
}

install_torch() {
    case $torch in
        none) say "leaving torch out (TORCH=none)" ;;
        cuda) pip_install "torch==$torch_pin" ;;
        cpu | auto)
            local problem
            problem=$(pip_install "torch==$torch_pin+cpu" 2>&1) || {
                say "$(printf '%s' "$problem" | tail -n 1)"
                [ "$torch" = auto ] || die "no CPU build of torch $torch_pin found; name an index with PIP_EXTRA_INDEX_URL"
                say "no CPU build of torch $torch_pin at hand: taking the default build"
                pip_install "torch==$torch_pin"
            } ;;
        *) die "TORCH=$torch: expected auto, cpu, cuda or none" ;;
    esac
}

pip_install() { "$venv/bin/python" -m pip install --quiet --constraint constraints.txt "$@"; }

install_pybgs() {
    "$venv/bin/python" -c 'import pybgs' 2>/dev/null && return 0
    install_build_tools || return 1
    say "building pybgs (two to five minutes, once)"
    local again=()
    # Installed but not importable: the system's OpenCV has changed under it.
    "$venv/bin/python" -m pip show --quiet pybgs 2>/dev/null && again=(--force-reinstall --no-deps --no-cache-dir)
    { pip_install "${again[@]}" pybgs >/dev/null && "$venv/bin/python" -c 'import pybgs'; } || {
        say "pybgs could not be built; everything but the labeler pawcs-pybgs works. To see why:"
        say "  $venv/bin/python -m pip install --constraint constraints.txt pybgs"
        return 1
    }
}

make_venv
say "installing spotlabel and its packages into $venv"
install_torch
extras=dev,cluster,dask,export,learned
[ "$torch" = none ] || extras+=,train,tensorboard,onnx,ablation,teach,sam
pip_install --editable ".[$extras]"
[ "$pybgs" != 1 ] || install_pybgs || die "pybgs was asked for (PYBGS=1) and is not installed"
say "done: $venv/bin/spotlabel"
