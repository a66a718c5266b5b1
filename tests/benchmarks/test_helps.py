"""Whether masks help detectors: the comparison's tables, and what is trained and tested on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.helps import train
from benchmarks.helps.material import Places, frames_to_test, frames_to_train
from benchmarks.helps.report import page, section, write_page
from benchmarks.helps.settings import DEFAULTS, EXACT, NONE, SCENES, VARIANTS, Scene, Settings
from benchmarks.paired.runs import Job
from benchmarks.quality.tables import Data, Split
from spotlabel.detector.data.samples import FOREGROUND
from spotlabel.pipeline.measures.quality import true_frame

torch.set_num_threads(1)
TINY = Settings(canvas=(64, 96), batch=2)
STREET = Data(
    "toy", Split.REPORT, 1,
    {"reader": "synthetic", "scenes": [{"name": "toy", "seed": 3, "frames": 12, "width": 160, "height": 96}]},
)  # fmt: skip
TOY = Scene("Toy", (STREET,), STREET, range(8), range(8, 12), 2, 1, 1, True)


def test_frames_are_split_in_time_and_exact_masks_are_the_truth(tmp_path: Path) -> None:
    exact = frames_to_train(Places(tmp_path, tmp_path), TOY, VARIANTS[EXACT])
    made = frames_to_train(Places(tmp_path, tmp_path), TOY, VARIANTS[DEFAULTS])
    tested = frames_to_test(Places(tmp_path, tmp_path), TOY)
    assert [exact.place(k)[1] for k in range(len(exact))] == [0, 2, 4, 6]
    assert [tested.place(k)[1] for k in range(len(tested))] == [8, 9, 10, 11]
    for frames, positions in ((exact, [0, 2, 4, 6]), (tested, [8, 9, 10, 11])):
        for k, position in enumerate(positions):
            video = frames.place(k)[0].video
            truth = true_frame(video.sequence, video.sequence.load().regions, position)  # type: ignore[attr-defined]
            np.testing.assert_array_equal(frames[k].mask == FOREGROUND, truth.foreground)
    assert any((exact[k].mask != made[k].mask).any() for k in range(4))
    for k in range(4):
        np.testing.assert_array_equal(exact[k].boxes, made[k].boxes)
        np.testing.assert_array_equal(exact[k].image, made[k].image)


def test_a_run_repeats_and_depends_on_the_masks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SCENES, "toy", TOY)
    places, cpu = Places(tmp_path, tmp_path), torch.device("cpu")
    runs = {
        (variant, turn): train.run(TINY, "toy", places, Job(7, variant), cpu)
        for variant, turn in [(EXACT, 0), (EXACT, 1), (DEFAULTS, 0), (NONE, 0)]
    }
    assert runs[EXACT, 0].losses == runs[EXACT, 1].losses != runs[DEFAULTS, 0].losses
    assert runs[EXACT, 0].figures == runs[EXACT, 1].figures
    assert set(runs[NONE, 0].figures) == {"ap50", "ap70"}
    assert set(runs[EXACT, 0].figures) == {"ap50", "ap70", "seg_iou"}


def records(figures: dict[str, list[dict[str, float]]]) -> dict[tuple[str, int], dict[str, object]]:
    return {(v, 41 + k): {"figures": f} for v, rows in figures.items() for k, f in enumerate(rows)}


def test_seeds_are_compared_in_pairs_and_incomplete_ones_left_out() -> None:
    found = records(
        {
            NONE: [{"ap70": 50.0, "ap50": 80.0}, {"ap70": 60.0, "ap50": 80.0}],
            DEFAULTS: [
                {"ap70": 52.0, "ap50": 80.0, "seg_iou": 70.0},
                {"ap70": 64.0, "ap50": 81.0, "seg_iou": 72.0},
                {"ap70": 9.0, "ap50": 9.0, "seg_iou": 9.0},
            ],
        }
    )
    text = section(found)
    assert "over seeds 41, 42," in text
    assert "| boxes alone (CenterNet) | 55.0 ± 7.1 | 80.0 ± 0.0 |  |" in text
    assert "| default − no-masks | +3.00 ± 1.00 (2/2; p=0.205) | +0.50 ± 0.50 (1/2; p=0.500) |  |" in text
    assert "| 42 | 60.0 | 64.0 |" in text
    assert section({}) == "Not measured: no seed has a run of every variant."


def test_the_page_needs_every_scene(tmp_path: Path) -> None:
    found = dict.fromkeys(SCENES, records({NONE: [{"ap70": 50.0, "ap50": 80.0}]}))
    assert "# Do better masks" in page(found, Settings())
    assert not write_page(tmp_path / "page.md", {"streets": {}}, Settings())
    assert not (tmp_path / "page.md").exists()
    assert write_page(tmp_path / "page.md", found, Settings())
    assert "| 41 | 50.0 |" in (tmp_path / "page.md").read_text("utf-8")
