#!/usr/bin/env bash
# Gather the wheels that `python -m benchmarks.gpu` needs beside torch, numba, h5py and OpenCV: gpu-wheels.sh FOLDER
#
# For a machine with a GPU, Python 3.12 and no network. There:
#   python -m pip install --no-index --no-deps --target site FOLDER/*.whl && PYTHONPATH=site python -m benchmarks.gpu
set -euo pipefail

folder=${1:?usage: gpu-wheels.sh FOLDER}
root=$(cd "$(dirname "$0")/.." && pwd)
python=${PYTHON:-python3}
[ ! -x "$root/.venv/bin/python" ] || python=${PYTHON:-$root/.venv/bin/python}
most=60 # MB in all: they travel with the checkout

packages=(
    annotated-types av click defusedxml joblib markdown-it-py mdurl pydantic pydantic_core Pygments PyYAML rich
    safetensors simplejpeg typing-inspection typing_extensions
)
platforms=()
for name in manylinux_2_28 manylinux_2_27 manylinux_2_24 manylinux_2_17 manylinux2014 manylinux_2_12 manylinux2010 manylinux1; do
    platforms+=(--platform "${name}_x86_64")
done

mkdir -p "$folder"
for package in "${packages[@]}"; do # two versions of one stop the installation
    "$python" -m pip download --quiet --no-deps --only-binary=:all: --python-version 3.12 --implementation cp \
        "${platforms[@]}" --constraint "$root/constraints.txt" --dest "$folder" "$package"
done
size=$(du -cm "$folder"/*.whl | tail -n 1 | cut -f 1)
echo "$(ls "$folder"/*.whl | wc -l) wheels, $size MB in $folder"
[ "$size" -le "$most" ] || { echo "gpu-wheels: more than $most MB" >&2; exit 1; }
