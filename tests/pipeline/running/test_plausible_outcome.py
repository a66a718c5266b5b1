"""From files to what a run says of them: unannotated frames, shifted numbers, boxes that cannot be meant."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spotlabel.pipeline.names import mask_path
from spotlabel.pipeline.recipes.recipe import build_recipe
from spotlabel.pipeline.running.job import Outcome, run_sequence
from spotlabel.pipeline.running.labelling import LabellingError, label
from spotlabel.pipeline.store import FrameState, MaskReader
from spotlabel.pipeline.upkeep.freshness import State
from spotlabel.pipeline.upkeep.labelled import labelled_sequences
from spotlabel.pipeline.upkeep.plan import items, plan_item
from tests.helpers.frame_files import write_video
from tests.helpers.recipes import spotlabel, write

SIZE = (72, 128)
EMPTY, COUNT = 12, 40


def box(t: int) -> tuple[int, int, int, int]:
    """The car of frame ``t``, which enters after the labeler has seen the empty road."""
    x = 6 + 3 * (t - EMPTY)
    return x, 40, x + 24, 56


def scene() -> list[np.ndarray]:
    random = np.random.default_rng(0)
    ground = random.integers(60, 100, (*SIZE, 3), np.uint8)
    car = random.integers(0, 2, (16, 24, 1), np.uint8) * np.uint8(90) + np.uint8(150)
    frames = [ground.copy() for _ in range(COUNT)]
    for t in range(EMPTY, COUNT):
        x0, y0, x1, y1 = box(t)
        frames[t][y0:y1, x0:x1] = car
    return frames


@pytest.fixture(scope="session")
def video(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = write_video(tmp_path_factory.mktemp("scene") / "gate.mp4", scene())
    return path.read_bytes()


def csv(frames: Any = range(EMPTY, COUNT), change: Callable[..., Any] = lambda t, *xyxy: (t, *xyxy)) -> str:
    rows = [",".join(f"{v:g}" for v in change(t, *box(t))) + ",car,1\n" for t in frames]
    return "frame,x0,y0,x1,y1,class,track\n" + "".join(rows)


def coco(frames: Any) -> str:
    images = [{"id": t + 1, "file_name": f"frame_{t:06}.PNG"} for t in frames]
    annotations = [
        {"id": t + 1, "image_id": t + 1, "category_id": 1, "bbox": [x0, y0, x1 - x0, y1 - y0]}
        for t in frames if t >= EMPTY for x0, y0, x1, y1 in [box(t)]
    ]  # fmt: skip
    document = {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "car"}]}
    return json.dumps(document)


class Bench:
    """One video with its boxes, and what a run makes of them."""

    def __init__(self, root: Path, video: bytes) -> None:
        self.root = root
        (root / "data").mkdir()
        (root / "data/gate.mp4").write_bytes(video)

    def tree(self, **dataset: Any) -> dict[str, Any]:
        return {
            "data": str(self.root / "data"), "out": str(self.root / "out"),
            "dataset": {"reader": "video", "camera": "fixed", **dataset},
            "labeler": "mog2", "evidence": {"mog2": {"warm_up_frames": 3}},
        }  # fmt: skip

    def write(self, text: str, suffix: str = ".csv") -> Bench:
        for path in (self.root / "data").glob("gate.[!m]*"):
            path.unlink()
        (self.root / f"data/gate{suffix}").write_text(text)
        return self

    def run(self, **dataset: Any) -> Outcome:
        return run_sequence(build_recipe(self.tree(**dataset)), "gate", False, lambda *_: None)

    def masks(self) -> MaskReader:
        return MaskReader(mask_path(self.root / "out", "gate"))


@pytest.fixture
def bench(tmp_path: Path, video: bytes) -> Bench:
    return Bench(tmp_path, video)


def test_right_boxes_are_not_talked_about(bench: Bench) -> None:
    outcome = bench.write(csv()).run()
    assert (outcome.error, outcome.findings, outcome.remarks) == ("", [], [])


def test_filled_boxes_are_no_moving_camera(bench: Bench) -> None:
    tree = {**bench.write(csv()).tree(), "labeler": "filled-box", "evidence": {}}
    outcome = run_sequence(build_recipe(tree), "gate", False, lambda *_: None)
    assert (outcome.error, outcome.findings) == ("", [])


def test_every_fifth_frame_is_told_and_the_advice_mends_it(bench: Bench) -> None:
    bench.write(csv(range(EMPTY, COUNT, 5)))
    (line,) = bench.run().findings
    assert line.endswith("set dataset.annotated=every-5")
    assert not (bench.masks().read(EMPTY + 1) == 255).any()
    outcome = bench.run(annotated="every-5")
    assert (outcome.error, outcome.findings, outcome.evidence, outcome.masks) == ("", [], "fresh", "made")
    masks = bench.masks()
    looked_at = [t for t in range(COUNT) if masks.state[t] != FrameState.UNANNOTATED]
    assert looked_at == list(range(EMPTY % 5, COUNT, 5))
    assert (masks.read(EMPTY + 1) == 255).all()
    x0, y0, x1, y1 = box(EMPTY)
    assert (masks.read(EMPTY)[y0:y1, x0:x1] == 1).mean() > 0.8
    assert (masks.read(EMPTY)[:30] == 0).all()


def test_frames_that_coco_does_not_list_are_unknown_and_make_old_masks_stale(bench: Bench) -> None:
    bench.write(coco(range(0, COUNT, 4)), ".json")
    assert bench.run(annotated="all").findings == []  # who says that all were looked at is believed
    recipe = build_recipe(bench.tree())
    plan = plan_item(recipe, items(recipe)[0])
    assert (plan.evidence.state, plan.masks.state) == (State.FRESH, State.STALE)
    outcome = bench.run()
    assert "30 of 40 frames are not listed" in outcome.remarks[0]
    assert (bench.masks().read(13) == 255).all()
    assert bench.masks().state.tolist().count(FrameState.UNANNOTATED) == 30
    assert bench.run().masks == "fresh"
    assert labelled_sequences(recipe)[0].masks == bench.masks().path


def test_masks_of_fully_listed_frames_depend_on_what_they_always_did(bench: Bench) -> None:
    bench.write(coco(range(COUNT)), ".json").run()
    stored = bench.masks().path.read_bytes()
    assert "annotated" not in bench.masks().fingerprint
    assert "annotated" not in bench.masks().fingerprint["reader options"]
    assert bench.run(annotated="all").masks == "fresh"
    bench.masks().path.unlink()
    bench.run(annotated="all")
    assert bench.masks().path.read_bytes() == stored


def test_a_file_of_numbers_counts_by_its_content(bench: Bench) -> None:
    bench.write(csv())
    numbers = bench.root / "looked-at"
    numbers.write_text("12-30")
    assert bench.run(annotated=str(numbers)).masks == "made"
    assert bench.run(annotated=str(numbers)).masks == "fresh"
    assert str(bench.root) not in json.dumps(bench.masks().fingerprint)
    numbers.write_text("12-31")
    outcome = bench.run(annotated=str(numbers))
    assert (outcome.evidence, outcome.masks) == ("fresh", "made")


@pytest.mark.parametrize(("by", "first"), [(1, 1), (-1, -1)])
def test_boxes_a_frame_off_that_all_have_an_image_are_told_by_the_evidence(
    bench: Bench, by: int, first: int
) -> None:
    bench.write(csv(range(EMPTY + 1, COUNT - 1), lambda t, *xyxy: (t + by, *xyxy)))
    (line,) = bench.run().findings
    assert f"(dataset.first_frame={first} would put that right)" in line
    assert bench.run(first_frame=first).findings == []


def test_mirrored_boxes(bench: Bench) -> None:
    bench.write(
        csv(change=lambda t, x0, y0, x1, y1: (t, SIZE[1] - x1, SIZE[0] - y1, SIZE[1] - x0, SIZE[0] - y0))
    )
    assert "if these were turned by 180 degrees" in " ".join(bench.run().findings)


def test_percent_of_the_image(bench: Bench) -> None:
    width, height = SIZE[1] / 100, SIZE[0] / 100
    change = lambda t, x0, y0, x1, y1: (t, x0 / width, y0 / height, x1 / width, y1 / height)  # noqa: E731
    outcome = bench.write(csv(range(EMPTY + 16, COUNT), change)).run()
    assert "if these were taken for per cent of the image" in " ".join(outcome.findings)


def test_fractions_of_the_image(bench: Bench) -> None:
    bench.write(csv(change=lambda t, x0, y0, x1, y1: (t, x0 / 128, y0 / 72, x1 / 128, y1 / 72)))
    assert "lie within 0 to 1, expected pixels" in bench.run().error


def test_a_file_of_a_header_alone_is_told_and_one_of_nothing_refused(bench: Bench) -> None:
    assert bench.write(csv([])).run().findings == [
        "no box in any of 40 frames: all that is known is background"
    ]
    assert "gate.csv: is empty (0 bytes)" in bench.write("").run().error


def test_warm_up_to_the_end(bench: Bench) -> None:
    recipe = build_recipe({**bench.write(csv()).tree(), "evidence": {"mog2": {"warm_up_frames": 99}}})
    outcome = run_sequence(recipe, "gate", False, lambda *_: None)
    assert outcome.findings == ["all 40 frames are warm-up: their masks are unknown, none is usable"]


def test_what_was_found_is_said_again_of_masks_that_are_up_to_date(bench: Bench) -> None:
    bench.write(csv(range(EMPTY, COUNT, 5)))
    recipe = build_recipe(bench.tree())
    found = [label(recipe, jobs=1)[0].findings for _ in range(2)]
    assert found[0] == found[1] != []
    for path in (bench.root / "out/.digests").iterdir():
        path.unlink()
    assert label(recipe, jobs=1)[0].findings == found[0]
    with pytest.raises(LabellingError, match="gate: can hardly be meant: only every 5th frame"):
        label(recipe, jobs=1, strict=True)


def test_strict_fails_the_video_and_keeps_what_was_made(bench: Bench) -> None:
    recipe = write(bench.root / "r.yaml", bench.write(csv(range(EMPTY, COUNT, 5))).tree())
    done = spotlabel("label", recipe, "--jobs", "1", "--json")
    (outcome,) = json.loads(done.stdout)
    assert done.returncode == 0
    assert len(outcome["findings"]) == 1
    assert "gate: WARNING: only every 5th frame has boxes" in done.stderr
    stored = bench.masks().path.read_bytes()
    for command in ("label", "relabel"):
        done = spotlabel(command, recipe, "--jobs", "1", "--strict", "--quiet")
        assert done.returncode == 1
        assert "WARNING: only every 5th frame" in done.stderr
        assert bench.masks().path.read_bytes() == stored
    done = spotlabel("label", recipe, "--jobs", "1", "--strict", "--set", "dataset.annotated=every-5")
    assert done.returncode == 0, done.stderr
