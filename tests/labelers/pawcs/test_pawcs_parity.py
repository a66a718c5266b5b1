"""Parity with pybgs, mask by mask, where it is installed."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from spotlabel.labelers.pawcs import PawcsSettings
from spotlabel.labelers.pawcs.engine import PawcsEngine

REFERENCE = """
import ctypes, sys
import numpy as np, pybgs
ctypes.CDLL(None).srand(int(sys.argv[3]))
subtractor = pybgs.PAWCS()
masks = [subtractor.apply(frame).copy() for frame in np.load(sys.argv[1])]
np.save(sys.argv[2], np.array(masks))
"""


def reference_masks(images: np.ndarray, seed: int, folder: Path) -> np.ndarray:
    """Masks of pybgs in a fresh process, in an empty working directory."""
    frames, masks, empty = folder / "frames.npy", folder / "masks.npy", folder / "empty"
    empty.mkdir()
    np.save(frames, images)
    command = [sys.executable, "-c", REFERENCE, str(frames), str(masks), str(seed)]
    subprocess.run(command, cwd=empty, capture_output=True, check=True)
    return np.load(masks)


@pytest.mark.pybgs
@pytest.mark.realdata
@pytest.mark.skipif(
    importlib.util.find_spec("pybgs") is None, reason="pybgs is not installed (make setup PYBGS=1)"
)
@pytest.mark.parametrize("seed", [1, 7])
def test_parity_mode_gives_the_masks_of_pybgs(shared_data: Path, tmp_path: Path, seed: int) -> None:
    files = sorted((shared_data / "cdnet/baseline/highway/input").glob("*.jpg"))[:60]
    images = np.array([cv2.imread(str(path))[:100, 160:290] for path in files])
    expected = reference_masks(images, seed, tmp_path)
    engine = PawcsEngine(images[0], PawcsSettings(parity=True, seed=seed))
    masks = [engine.apply(image) for image in images]
    assert np.count_nonzero(expected) > 1000
    np.testing.assert_array_equal(masks, expected)
