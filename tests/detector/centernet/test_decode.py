"""Decoder, geometry, flip test and soft-NMS."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spotlabel.detector.centernet.decode import (
    decode,
    decode_outputs,
    flip_average,
    peaks,
)
from spotlabel.detector.centernet.losses import clamped_sigmoid
from spotlabel.detector.geometry import (
    inverse,
    letterbox_matrix,
    padded_size,
    padding_matrix,
    transform_boxes,
)
from tests.helpers import hash_tensors
from tests.helpers.centre_targets import centre_targets
from tests.helpers.detectors import mini


def test_decode_golden():
    scores = clamped_sigmoid(hash_tensors.tensor("hm", (2, 4, 32, 48), -4, 2))
    wh = hash_tensors.tensor("wh", (2, 2, 32, 48), 0, 30)
    reg = hash_tensors.tensor("reg", (2, 2, 32, 48), 0, 1)
    found = decode(scores, wh, reg)
    assert found.shape == (2, 100, 6)
    rows = {
        (0, 0): (14.36211, 18.995098, 38.343689, 33.214644, 0.880222, 2),
        (0, 99): (-10.476987, 31.013996, 16.718216, 32.306812, 0.867867, 3),
        (1, 0): (5.17096, 0.704615, 32.648555, 15.536266, 0.880722, 3),
        (1, 50): (1.129788, 18.322765, 19.4302, 29.851818, 0.874488, 2),
    }
    for place, row in rows.items():
        assert found[place].tolist() == pytest.approx(row, abs=1e-6)
    assert found.sum().item() == pytest.approx(15663.07736960361, rel=1e-9)


def test_plateaus_keep_all_their_cells():
    scores = torch.zeros(1, 1, 4, 5)
    scores[0, 0, 1, 1:3] = 0.5
    scores[0, 0, 3, 4] = 0.3
    scores[0, 0, 2, 3] = 0.4
    expected = torch.zeros_like(scores)
    expected[0, 0, 1, 1:3] = 0.5
    assert torch.equal(peaks(scores), expected)


def test_without_offsets_centres_are_the_middle_of_cells():
    scores = torch.zeros(1, 2, 4, 4)
    scores[0, 1, 2, 1] = 0.9
    found = decode(scores, torch.full((1, 2, 4, 4), 2.0), count=1)
    assert found.tolist() == [[[0.5, 1.5, 2.5, 3.5, pytest.approx(0.9), 1]]]
    assert decode(scores, torch.ones(1, 2, 4, 4), count=1000).shape == (1, 32, 6)


@pytest.mark.parametrize(
    ("size", "padded"),
    [
        ((540, 960), (640, 1024)),
        ((540, 1024), (640, 1152)),
        ((240, 320), (256, 384)),
        ((480, 640), (512, 768)),
        ((512, 512), (640, 640)),
        ((127, 128), (128, 256)),
    ],
)
def test_padding(size, padded):
    assert padded_size(*size) == padded
    assert padded_size(60, 64, multiple=32) == (64, 96)


def test_matrices_of_the_reference_frame():
    assert padding_matrix((540, 960), (640, 1024)).tolist() == [[1, 0, 32], [0, 1, 50]]
    letterbox = letterbox_matrix((480, 270), 960, (512, 512))
    assert letterbox == pytest.approx(np.array([[0.53333, 0, 0], [0, 0.53333, 112]]), abs=1e-5)
    boxes = np.array([[1.0, 2, 300, 400]])
    assert transform_boxes(transform_boxes(boxes, letterbox), inverse(letterbox)) == pytest.approx(boxes)


@settings(max_examples=50)
@given(st.integers(0, 2**31), st.integers(1, 12))
def test_decoding_the_targets_gives_back_the_boxes(seed, count):
    rng = np.random.default_rng(seed)
    matrix = letterbox_matrix((480, 270), 960 * rng.uniform(0.6, 1.3), (512, 512)) / 4
    # One object in each of some 32-cell squares: centres that share a cell or a peak cannot be told apart.
    squares = rng.permutation(16)[:count]
    middle = np.stack([squares % 4, squares // 4], 1) * 32 + rng.uniform(12, 20, (count, 2))
    half = rng.uniform(0.6, 11, (count, 2))
    grid_boxes = np.concatenate([middle - half, middle + half], 1)
    boxes = transform_boxes(grid_boxes, inverse(matrix))
    targets = centre_targets(transform_boxes(boxes, matrix), np.arange(count) % 3, 3, (128, 128))
    wh, reg = np.zeros((2, 128 * 128)), np.zeros((2, 128 * 128))
    wh[:, targets.ind[:count]] = targets.wh[:count].T
    reg[:, targets.ind[:count]] = targets.reg[:count].T
    planes = [torch.from_numpy(a.reshape(1, 2, 128, 128)) for a in (wh, reg)]
    found = decode(torch.from_numpy(targets.hm).unsqueeze(0), *planes, count=count)[0].numpy()
    found[:, :4] = transform_boxes(found[:, :4], inverse(matrix))
    assert found[:, 4] == pytest.approx(1)
    key = np.lexsort(found[:, :2].T), np.lexsort(boxes[:, :2].T)
    assert found[key[0], :4] == pytest.approx(boxes[key[1]], abs=0.01)
    assert found[key[0], 5].tolist() == (np.arange(count) % 3)[key[1]].tolist()


class Symmetric(torch.nn.Module):
    """Makes a network equivariant to mirroring by averaging it with its own mirror image."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, image):
        plain, mirrored = self.model.outputs(image)[-1], self.model.outputs(image.flip(3))[-1]
        return {k: (plain[k] + mirrored[k].flip(3)) / 2 for k in ("hm", "wh", "reg")}


def test_flip_average_of_a_symmetric_network_changes_nothing_and_is_symmetric():
    model = Symmetric(mini("spotnet-paper"))
    image = hash_tensors.tensor("image", (2, 3, 64, 64), -2, 2)
    image = image + image.flip(3)
    with torch.no_grad():
        plain, mirrored = model(image), model(image.flip(3))
    scores, wh, reg = flip_average(plain, mirrored)
    torch.testing.assert_close(scores, plain["hm"].sigmoid(), rtol=1e-12, atol=0)
    torch.testing.assert_close(scores, scores.flip(3), rtol=1e-12, atol=0)
    torch.testing.assert_close(wh, wh.flip(3), rtol=1e-12, atol=0)
    assert reg is plain["reg"]
    torch.testing.assert_close(decode(scores, wh, reg)[..., 4], decode_outputs(plain)[..., 4])


def test_flip_average_turns_the_mirrored_half_back():
    plain = {"hm": torch.zeros(1, 1, 1, 4), "wh": torch.tensor([[[[0.0, 2, 4, 6]]]]).repeat(1, 2, 1, 1)}
    plain["reg"] = torch.full((1, 2, 1, 4), 0.25)
    mirrored = {"hm": torch.full((1, 1, 1, 4), 100.0), "wh": plain["wh"], "reg": torch.zeros(1, 2, 1, 4)}
    scores, wh, reg = flip_average(plain, mirrored)
    assert scores.flatten().tolist() == [0.75] * 4
    assert wh[0, 0].tolist() == [[3, 3, 3, 3]]
    assert reg.unique().tolist() == [0.25]
