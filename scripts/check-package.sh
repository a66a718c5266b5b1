#!/usr/bin/env bash
# Build wheel and sdist, install the wheel into a fresh environment and use it there: check-package.sh PYTHON
#
# PYTHON is the interpreter of the development environment. What spotlabel needs is not installed a second time:
# a .pth file puts that environment's packages behind those of the fresh one. It names folders, and .pth files in
# such folders are not read, so the development environment's own (editable) spotlabel does not come with them.
set -euo pipefail

python=${1:?usage: check-package.sh PYTHON}
cd "$(dirname "$0")/.."
scratch=$(mktemp -d)
unset PYTHONPATH
trap 'rm -rf "$scratch"' EXIT
say() { printf 'check-package: %s\n' "$*"; }
die() { say "error: $*" >&2; exit 1; }
quietly() { "$@" >"$scratch/log" 2>&1 || { cat "$scratch/log" >&2; die "failed: $*"; }; }

build_both() {
    local source=$scratch/source
    mkdir "$source"
    # A copy: a build leaves files behind, and takes in those that an older one has left.
    cp -a spotlabel pipeline labelers detector workflows docs tests benchmarks ./*.md LICENSE MANIFEST.in CITATION.cff \
        pyproject.toml setup.py constraints.txt "$source"
    # First the sdist, then the wheel from it; then a wheel from the checkout, to compare.
    quietly "$python" -m build --no-isolation --outdir "$scratch/dist" "$source"
    quietly "$python" -m build --no-isolation --wheel --outdir "$scratch/direct" "$source"
    "$python" scripts/check_wheel.py . "$scratch"/dist/*.whl "$scratch"/direct/*.whl "$scratch"/dist/*.tar.gz
}

make_environment() {
    "$python" -m venv --without-pip "$scratch/venv"
    fresh=$scratch/venv/bin/python
    local site
    site=$("$fresh" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
    "$python" -c 'import sys; print(*(p for p in sys.path if p.endswith("-packages")), sep="\n")' >"$site/development.pth"
    pip_in_fresh install --no-deps --no-index "$scratch"/dist/*.whl
    cd "$scratch"  # Python looks for modules in the folder it is started in, first of all
    "$fresh" -c "import spotlabel, sys; sys.exit(not spotlabel.__file__.startswith('$site/'))" ||
        die "the fresh environment imports another spotlabel than its own"
}

pip_in_fresh() { quietly "$python" -m pip --python "$fresh" --disable-pip-version-check "$@"; }

# A user's own modules with the names of our folders, in the folder that the command is run in.
make_decoys() {
    mkdir -p "$scratch/work/workflows"
    cd "$scratch/work"
    local name
    for name in pipeline.py detector.py labelers.py workflows/__init__.py; do
        echo "raise SystemExit('a decoy was imported: $name')" >"$name"
    done
}

use_it() {
    local small='dataset.scenes=[{name: street, frames: 24, width: 160, height: 96},
        {name: drone, camera: moving, frames: 12, width: 160, height: 96}]'
    local spotlabel=$scratch/venv/bin/spotlabel
    say "the demo, small"
    quietly "$spotlabel" demo --out plain --set "$small"
    say "the same beside the user's own modules on the import path"
    quietly env PYTHONPATH=. "$spotlabel" demo --out with-path --set "$small"
    cmp plain/masks/street.h5 with-path/masks/street.h5 && cmp plain/masks/drone.h5 with-path/masks/drone.h5 ||
        die "the demo's masks differ between the two"
    quietly "$fresh" -m spotlabel recipes template
    quietly "$fresh" -c "
from spotlabel import UNKNOWN, MaskReader
masks = MaskReader('plain/masks/street.h5')
assert len(masks) == 24 and masks.read(20).shape == (96, 160) and UNKNOWN == 255"
    local folder
    folder=$("$spotlabel" recipes --path)
    cmp "$folder/recipe.schema.json" <("$spotlabel" schema) || die "the installed schema is not the program's"
    bash -n "$folder/slurm/label.sbatch" || die "no Slurm scripts in $folder"
    "$spotlabel" --version | grep -qx "spotlabel, version .*" || die "spotlabel --version says nothing of a version"
}

# Two distributions on PyPI install a module `workflows`; here is another.
live_beside_workflows() {
    say "beside another distribution's module workflows"
    local other=$scratch/other
    mkdir -p "$other/workflows"
    printf '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n[project]\nname = "other-workflows"\nversion = "1"\n[tool.setuptools]\npackages = ["workflows"]\n' >"$other/pyproject.toml"
    echo 'WHOSE = "other"' >"$other/workflows/__init__.py"
    cd "$scratch"
    local theirs='import workflows; assert workflows.WHOSE == "other"'
    local ours='import spotlabel.workflows; from spotlabel import load_recipe; load_recipe("demo")'
    pip_in_fresh install --no-deps --no-index --no-build-isolation "$other"
    quietly "$fresh" -c "$theirs"
    quietly "$fresh" -c "$ours"
    pip_in_fresh uninstall --yes other-workflows
    quietly "$fresh" -c "$ours"
    pip_in_fresh install --no-deps --no-index --no-build-isolation "$other"
    pip_in_fresh uninstall --yes spotlabel
    quietly "$fresh" -c "$theirs"
}

build_both
make_environment
make_decoys
use_it
live_beside_workflows
say "wheel and sdist are whole, and install and run beside others"
