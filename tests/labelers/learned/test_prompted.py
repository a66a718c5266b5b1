"""Box prompts: where they land in the network's input, and that its masks come back on the right pixels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spotlabel.labelers.errors import LabelerError
from spotlabel.labelers.learned import prompted
from spotlabel.labelers.learned.checkpoint import FAMILIES, Checkpoint, Preprocessor
from spotlabel.labelers.learned.prompted import PromptedSegmenter, placed
from tests.helpers.sam_folders import KINDS, sam_folder

torch = pytest.importorskip("torch", reason="needs spotlabel[sam]")
pytest.importorskip("transformers", reason="needs spotlabel[sam]")
SIDE = 64
BOXES = np.array(
    [[3, 4, 40, 30], [60, 0, 96, 48], [-9, 20, 30, 70], [0, 0, 96, 48], [8, 8, 9, 9]], np.float32
)


def noise(height: int = 48, width: int = 96) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (height, width, 3), np.uint8)


def told(readings: list[list[np.ndarray]]) -> list[list[bytes]]:
    return [[one.tobytes() for one in some] for some in readings]


class Spy:
    """Stands for a network: notes what it is given, and says the same mask of every box."""

    def __init__(self, plane: np.ndarray) -> None:
        self.plane = torch.from_numpy(plane)
        self.images: list[Any] = []
        self.prompts: list[list[list[float]]] = []
        self.threads: set[int] = set()

    def get_image_embeddings(self, inputs: Any) -> str:
        self.images.append(inputs)
        self.threads.add(torch.get_num_threads())
        return "embeddings"

    def __call__(self, image_embeddings: str, input_boxes: Any, multimask_output: bool) -> Any:
        assert image_embeddings == "embeddings"
        assert input_boxes.dtype == torch.float32
        assert multimask_output is False
        self.prompts.append(input_boxes[0].tolist())
        masks = self.plane.expand(1, input_boxes.shape[1], 1, *self.plane.shape)
        return type("Output", (), {"pred_masks": masks})


def with_spy(monkeypatch: pytest.MonkeyPatch, kind: str, plane: np.ndarray) -> tuple[PromptedSegmenter, Spy]:
    spy = Spy(plane.astype(np.float32))
    said = Preprocessor(
        size={"longest_edge": SIDE},
        image_mean=(0.5, 0.25, 0.0),
        image_std=(0.5, 0.5, 1.0),
        rescale_factor=1 / 255,
    )
    monkeypatch.setattr(
        prompted, "opened", lambda folder, device: Checkpoint(spy, FAMILIES[kind], said, SIDE)
    )
    return PromptedSegmenter(Path("nowhere")), spy


def sure_of(cells: Any) -> np.ndarray:
    """The network's plane of 16 x 16 cells: sure of some, sure against the rest."""
    plane = np.full((16, 16), -30.0)
    plane[cells] = 30
    return plane


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_answers_each_box_by_its_prompt_and_repeats_itself(kind, tmp_path):
    segmenter = PromptedSegmenter(sam_folder(tmp_path / "network", kind))
    image = noise()
    found = segmenter.readings(image, BOXES)
    assert [[one.shape for one in some] for some in found] == [
        [(26, 37)], [(48, 36)], [(28, 30)], [(48, 96)], [(1, 1)]
    ]  # fmt: skip
    assert all(one.dtype == np.uint8 for some in found for one in some)
    assert all(np.ptp(some[0]) > 20 for some in found[:4])
    # The prompt decides: the same pixels are told apart by which box is asked about.
    assert not np.array_equal(found[3][0][4:30, 3:40], found[0][0])
    assert not np.array_equal(segmenter.readings(255 - image, BOXES)[0][0], found[0][0])
    again = PromptedSegmenter(tmp_path / "network").readings(image, BOXES)
    assert told(again) == told(found)


@pytest.mark.parametrize("kind", ["sam", "sam2"])
def test_bytes_depend_neither_on_batch_nor_on_what_else_is_asked_nor_on_threads(kind, tmp_path):
    folder = sam_folder(tmp_path / "network", kind)
    image = noise()
    found = told(PromptedSegmenter(folder, batch=1).readings(image, BOXES))
    threads = torch.get_num_threads()
    try:
        for count in (1, 2):
            torch.set_num_threads(count)
            assert told(PromptedSegmenter(folder, batch=16).readings(image, BOXES)) == found
            assert torch.get_num_threads() == count
    finally:
        torch.set_num_threads(threads)
    segmenter = PromptedSegmenter(folder)
    assert [told(segmenter.readings(image, box[None]))[0] for box in BOXES] == found
    evidence = np.ones((48, 96), np.bool_)
    assert told(segmenter.readings(image, BOXES, evidence)) == found


def test_boxes_are_cut_at_the_border_and_scaled_to_the_input():
    boxes = np.array([[10, 20, 50, 45], [-5, 30, 300, 60]], np.float32)
    assert placed(boxes, (50, 200), (16, 64)).tolist() == [
        [pytest.approx(value) for value in (3.2, 6.4, 16, 14.4)],
        [pytest.approx(value) for value in (0, 9.6, 64, 16)],
    ]


@pytest.mark.parametrize(("kind", "prompt"), [("sam", [10, 4, 40, 20]), ("sam2", [10, 8, 40, 40])])
def test_the_network_is_given_the_image_once_and_each_box_in_the_inputs_pixels(monkeypatch, kind, prompt):
    segmenter, spy = with_spy(monkeypatch, kind, sure_of(np.s_[:]))
    boxes = np.array([[20, 8, 80, 40], [0, 0, 128, 64]], np.float32)
    segmenter.readings(noise(64, 128), boxes)
    (given,) = spy.images
    assert given.shape == (1, 3, SIDE, SIDE)
    assert spy.prompts == [[prompt], [[0, 0, 64, 32 if kind == "sam" else 64]]]
    assert spy.threads == {1}


def test_sam_is_given_the_image_in_its_shape_and_the_others_a_stretched_one(monkeypatch):
    image = np.zeros((64, 128, 3), np.uint8)
    image[:] = (255, 128, 0)  # blue, green, red
    colours = [(0 - 0.5) / 0.5, (128 / 255 - 0.25) / 0.5, 1.0]
    for kind, filled in (("sam", 32), ("sam2", 64)):
        segmenter, spy = with_spy(monkeypatch, kind, sure_of(np.s_[:]))
        segmenter.readings(image, BOXES[:1])
        (plane,) = spy.images[0].numpy()
        for channel, value in zip(plane, colours, strict=True):
            assert np.allclose(channel[:filled], value, atol=1e-6)
            assert (channel[filled:] == 0).all()


def test_the_input_is_what_transformers_makes_of_the_image(monkeypatch):
    from transformers.models.sam.image_processing_pil_sam import SamImageProcessorPil

    segmenter, spy = with_spy(monkeypatch, "sam", sure_of(np.s_[:]))
    image = noise(150, 201)
    segmenter.readings(image, BOXES[:1])
    theirs = SamImageProcessorPil(
        size={"longest_edge": SIDE}, pad_size={"height": SIDE, "width": SIDE}, image_mean=[0.5, 0.25, 0.0],
        image_std=[0.5, 0.5, 1.0],
    )(image[..., ::-1].copy(), return_tensors="np")  # fmt: skip
    difference = np.abs(spy.images[0].numpy() - theirs["pixel_values"])
    assert difference.max() <= 2.01 / 255 / 0.5
    assert difference.mean() < 0.1 / 255


@pytest.mark.parametrize(
    ("kind", "cells", "pixels"),
    [
        ("sam", np.s_[2:4, :], np.s_[16:32, :]),
        ("sam", np.s_[:, 3:9], np.s_[:, 24:72]),
        ("sam2", np.s_[2:4, :], np.s_[8:16, :]),
        ("sam2", np.s_[:, 3:9], np.s_[:, 24:72]),
    ],
)
def test_a_mask_comes_back_on_the_pixels_that_it_covers(monkeypatch, kind, cells, pixels):
    """A cell of the plane is 4 px of the input, 8 of the image, but 4 of its rows where it is stretched."""
    segmenter, _ = with_spy(monkeypatch, kind, sure_of(cells))
    truth = np.zeros((64, 128), np.bool_)
    truth[pixels] = True
    boxes = np.array([[20, 4, 80, 40], [0, 0, 128, 64], [40, -9, 140, 20], [90, 40, 120, 60]], np.float32)
    found = segmenter.readings(noise(64, 128), boxes)
    for (probability,), (x0, y0, x1, y1) in zip(found, boxes.astype(int).clip(0), strict=True):
        assert np.array_equal(probability > 127, truth[y0:y1, x0:x1])
    assert sorted({0, 255} & {*np.unique(found[1][0])}) == [0, 255]


def test_no_box_no_question(monkeypatch):
    segmenter, spy = with_spy(monkeypatch, "sam2", sure_of(np.s_[:]))
    assert segmenter.readings(noise(), BOXES[:0]) == []
    assert segmenter.readings(noise(), np.array([[200, 0, 210, 9], [5, 5, 5, 9]], np.float32)) == [[], []]
    assert spy.images == []
    found = segmenter.readings(noise(), np.array([[200, 0, 210, 9], [3, 3, 8, 8]], np.float32))
    assert [[one.shape for one in some] for some in found] == [[], [(5, 5)]]
    assert spy.prompts == [[[pytest.approx(value) for value in (2, 4, 16 / 3, 32 / 3)]]]


@pytest.mark.parametrize(
    ("plane", "problem"),
    [
        (np.full((16, 16), np.nan), "network: its output is not finite"),
        (np.zeros((2, 16, 16)), r"network: expected one mask of each of 1 boxes, got .*2, 16, 16"),
    ],
)
def test_what_is_no_mask_is_refused_in_a_line(monkeypatch, plane, problem):
    segmenter, _ = with_spy(monkeypatch, "sam", plane)
    with pytest.raises(LabelerError, match=problem):
        segmenter.readings(noise(), BOXES[:1])


def test_what_fails_within_the_network_is_told_in_a_line(monkeypatch):
    segmenter, spy = with_spy(monkeypatch, "sam", sure_of(np.s_[:]))

    def fails(inputs: Any) -> None:
        raise RuntimeError("out of memory:\n  tried to allocate 9 GB")

    spy.get_image_embeddings = fails
    with pytest.raises(LabelerError, match=r"^network: out of memory: tried to allocate 9 GB$"):
        segmenter.readings(noise(), BOXES[:1])
