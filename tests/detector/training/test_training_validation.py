"""What validation counts: boxes by the benchmarks' rule, the segmentation on known pixels."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from spotlabel.detector.contract import Attention
from spotlabel.detector.data.labelled import RawFrame
from spotlabel.detector.data.loader import held_frames
from spotlabel.detector.prediction.predictor import Prediction, PredictOptions
from spotlabel.detector.training.validation import Tally, _tally_frame, tally
from spotlabel.pipeline.errors import FrameError


def frame(mask: np.ndarray) -> RawFrame:
    boxes = np.array([[10, 10, 30, 30]], np.float32)
    return RawFrame(np.zeros((*mask.shape, 3), np.uint8), mask, boxes, np.zeros(1, np.int64))


def prediction(boxes: list[list[float]], scores: list[float], logits: np.ndarray | None = None) -> Prediction:
    maps = {} if logits is None else {"seg": logits}
    return Prediction(
        np.array(boxes, np.float64).reshape(-1, 4), np.array(scores), np.zeros(len(scores), np.int64), maps
    )


def tallied(raw: RawFrame, found: Prediction) -> Tally:
    return _tally_frame(raw, found, {"seg": Attention("attention", logits=True, foreground=True)})


def test_the_truth_itself_scores_everything() -> None:
    mask = np.zeros((40, 60), np.uint8)
    mask[10:30, 10:30] = 1
    logits = np.where(mask == 1, 5.0, -5.0).astype(np.float32)
    counted = Tally()
    counted.add(tallied(frame(mask), prediction([[10, 10, 30, 30]], [0.9], logits)))
    assert counted.figures() == {"ap50": 1.0, "ap70": 1.0, "seg_iou": 1.0}


def test_detections_in_ignore_regions_are_left_out() -> None:
    mask = np.zeros((40, 60), np.uint8)
    mask[:, 40:] = 255
    boxes = [[42, 5, 58, 20], [35, 5, 45, 20], [34, 5, 44, 20], [10, 10, 30, 30]]
    counted = Tally()
    counted.add(tallied(frame(mask), prediction(boxes, [0.9, 0.8, 0.7, 0.6])))
    # The first two lie wholly and half inside and vanish; the third does not: precision 1/2 at full recall.
    assert counted.figures() == {"ap50": 0.5, "ap70": 0.5}


def test_unknown_pixels_do_not_count_for_the_segmentation() -> None:
    mask = np.zeros((40, 60), np.uint8)
    mask[10:20, 10:20], mask[0:10, 0:10] = 1, 255
    logits = np.full(mask.shape, -1, np.float32)
    logits[0:20, 0:20] = 1
    counted = Tally()
    counted.add(tallied(frame(mask), prediction([], [], logits)))
    assert counted.figures()["seg_iou"] == pytest.approx(100 / 300)


def test_maps_in_0_to_1_are_cut_in_the_middle_and_others_are_no_masks() -> None:
    mask = np.zeros((40, 60), np.uint8)
    mask[10:20, 10:20] = 1
    share = np.where(mask == 1, 0.6, 0.4).astype(np.float32)
    found = Prediction(np.zeros((0, 4)), np.zeros(0), np.zeros(0, np.int64), {"loc": share, "cls": share})
    attentions = {"loc": Attention("where", foreground=True), "cls": Attention("what")}
    assert _tally_frame(frame(mask), found, attentions).figures() == {"ap50": 0, "ap70": 0, "loc_iou": 1}


class Finder:
    """Finds in every frame one box, further to the right by the frame's own grey level."""

    def __init__(self, batch: int) -> None:
        self.options, self.attentions = PredictOptions(batch=batch), {}
        self.seen: list[list[int]] = []

    def predict(self, images: list[np.ndarray]) -> list[Prediction]:
        shifts = [int(image[0, 0, 0]) for image in images]
        self.seen.append(shifts)
        return [prediction([[10 + shift, 10, 30 + shift, 30]], [0.9]) for shift in shifts]


class Drawer:
    """Held-out frames, made when they are asked for; from ``broken`` on there are none."""

    def __init__(self, broken: int = 99) -> None:
        self.broken, self.threads = broken, set[str]()

    def __getitem__(self, index: int) -> RawFrame:
        self.threads.add(threading.current_thread().name)
        if index >= self.broken:
            raise FrameError(f"frame {index} cannot be read")
        made = frame(np.zeros((40, 80), np.uint8))
        made.image[:] = index
        return made


@pytest.mark.parametrize("batch", [1, 2, 5])
def test_frames_are_read_ahead_and_counted_in_their_order(batch: int) -> None:
    finder, frames, indices = Finder(batch), Drawer(), [0, 9, 3, 30, 1]
    counted = tally(finder, held_frames(frames, indices, batch))  # type: ignore[arg-type]
    assert [shift for shifts in finder.seen for shift in shifts] == indices
    assert counted.frames == 5
    met: list[bool] = [bool(matches.hit.all()) for matches in counted.matches[0.7]]
    assert met == [shift * 20 <= 0.3 / 1.7 * 400 for shift in indices]  # IoU of boxes of 20 px so far apart
    assert frames.threads == {"prefetch"}
    assert not [thread for thread in threading.enumerate() if thread.name == "prefetch"]


def test_a_frame_that_cannot_be_read_ends_the_validation() -> None:
    finder = Finder(2)
    with pytest.raises(FrameError, match="frame 5 cannot be read"):
        tally(finder, held_frames(Drawer(broken=5), [0, 1, 2, 5, 6], 2))  # type: ignore[arg-type]
    assert finder.seen == [[0, 1]]
