"""The comparison of attentions: its figures and verdicts follow their rules, its runs are kept."""

import dataclasses
import json
import math

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from benchmarks.attentions import __main__ as command
from benchmarks.attentions import train
from benchmarks.attentions.comparison import (
    CLAIMS,
    PAIRS,
    Verdict,
    difference,
    gain_by_masks,
    judge,
)
from benchmarks.attentions.hidden import hide, patch_of
from benchmarks.attentions.metrics import FIGURES, measure, once_per_place
from benchmarks.attentions.report import said, state
from benchmarks.attentions.settings import (
    PRESETS,
    QUICK_SEEDS,
    SEEDS,
    TEST_SEED,
    Settings,
    build_network,
)
from benchmarks.paired.runs import Job
from benchmarks.paired.scenes import PILLAR, Scene, make_scene, make_scenes
from spotlabel.pipeline.errors import SpotlabelError

torch.set_num_threads(1)

TINY = Settings(train_images=4, test_images=2, iterations=2, batch=2)
CPU = torch.device("cpu")


def test_two_classes_change_nothing_but_windows():
    plain, two = make_scene(7, 3), make_scene(7, 3, 2)
    for field in ("boxes", "twins", "silhouettes", "twin_silhouettes", "road", "mask"):
        np.testing.assert_array_equal(getattr(plain, field), getattr(two, field))
    assert not plain.kinds.any()
    changed = (plain.image != two.image).any(axis=2)
    for kind, (x0, y0, x1, y1) in zip(two.kinds, two.boxes.astype(int), strict=True):
        columns = np.flatnonzero(changed[y0:y1, x0:x1].any(axis=0))
        assert len(columns) == pytest.approx(kind * PILLAR * (x1 - x0), abs=1.5)
    kinds = np.concatenate([scene.kinds for scene in make_scenes(7, 40, 2)])
    assert 0.35 < kinds.mean() < 0.65


@pytest.mark.parametrize("index", range(4))
def test_patches_hide_a_part_of_every_vehicle_and_nothing_else(index):
    scene = make_scene(TEST_SEED, index, 2)
    covered = hide(scene, TEST_SEED, index)
    np.testing.assert_array_equal(covered, hide(scene, TEST_SEED, index))
    changed = (covered != scene.image).any(axis=2)
    outside = changed.copy()
    for x0, y0, x1, y1 in np.concatenate([scene.boxes, scene.twins]).astype(int):
        assert 0.2 < changed[y0:y1, x0:x1].mean() < 0.6  # boxes of neighbours may overlap
        outside[y0:y1, x0:x1] = False
    assert not outside.any()


def test_a_patch_covers_one_side():
    rng = np.random.default_rng(0)
    patches = {patch_of(rng, (10, 20, 30, 30)) for _ in range(200)}
    assert all(10 <= x0 < x1 <= 30 and 20 <= y0 < y1 <= 30 for x0, y0, x1, y1 in patches)
    shares = [(x1 - x0) * (y1 - y0) / 200 for x0, y0, x1, y1 in patches]
    assert (min(shares), max(shares)) == (0.3, 0.45)
    assert {(x0 > 10, y0 > 20, x1 < 30, y1 < 30) for x0, y0, x1, y1 in patches} == {
        tuple(k == side for k in range(4)) for side in range(4)
    }


def _scene(boxes, kinds, twins):
    blank = np.zeros((128, 128), np.uint8)
    return Scene(
        image=np.zeros((128, 128, 3), np.uint8), boxes=np.array(boxes, np.float32).reshape(-1, 4),
        twins=np.array(twins, np.float32).reshape(-1, 4), silhouettes=blank[None] > 0,
        twin_silhouettes=blank[None] > 0, road=blank > 0, mask=blank, kinds=np.array(kinds, np.int64),
    )  # fmt: skip


def test_figures_of_literal_detections():
    first, second, twin = [10, 10, 30, 20], [40, 40, 60, 50], [70, 70, 90, 80]
    scenes = [_scene([first, second], [0, 1], [twin, [0, 50, 20, 60]])]
    found = np.array([[
        [*first, 0.9, 0], [*first, 0.8, 1],  # both classes on one place
        [*twin, 0.5, 0], [42, 40, 62, 50, 0.4, 1],  # moved by a tenth: IoU 0.82
        [0, 50, 20, 60, 0.3, 0], [0, 0, 0, 0, 0, 0],
    ]])  # fmt: skip
    nothing = np.zeros_like(found)
    figures = measure(scenes, found, nothing)
    assert tuple(figures) == FIGURES
    after_one_miss = pytest.approx(50 + 50 * 2 / 3)
    assert (figures["ap50"], figures["ap70"], figures["ap75"]) == (after_one_miss,) * 3
    assert figures["twin_rate"] == 50  # the second twin is met after 80 % of the vehicles are
    assert figures["ap50_hidden"] == 0
    # Class 0: found first. Class 1: found after a false one (the double of the first vehicle).
    assert figures["ap50_alike"] == pytest.approx((100 + 50) / 2)
    found[0, 3, 4] = 0
    assert measure(scenes, found, found)["twin_rate"] == 100  # 80 % never reached: all detections count
    assert measure(scenes, found, found)["ap50_hidden"] == 50


def test_the_surest_box_of_a_place_stays():
    found = np.array([[[0, 0, 10, 10, 0.4, 1], [0, 0, 10, 9, 0.6, 0], [50, 50, 60, 60, 0.1, 0]]], np.float64)
    assert once_per_place(found)[0, :, 4].tolist() == [0, 0.6, 0.1]


def _records(figures):
    """Records from values per variant; every figure has the same ones."""
    return {
        (v, seed): {"figures": dict.fromkeys(FIGURES, value), "parameters": 1, "seconds": 1, "device": "cpu"}
        for v, values in figures.items()
        for seed, value in enumerate(values)
    }


def test_verdicts_need_four_seeds_a_small_p_and_the_sign():
    clear = _records({"als": [5, 6.1, 7, 8.2], "als-split": [1, 2, 3, 4]})
    found = difference(clear, "als", "als-split", "ap50")
    assert found.mean == pytest.approx(4.075)
    assert (found.count, found.positive) == (4, 4)
    assert judge(found, 1) is Verdict.HOLDS
    assert judge(found, -1) is Verdict.CONTRADICTED
    short = {key: record for key, record in clear.items() if key != ("als", 2)}
    assert difference(short, "als", "als-split", "ap50").count == 3
    assert judge(difference(short, "als", "als-split", "ap50"), 1) is Verdict.OPEN
    noisy = _records({"als": [5, 1, 7, 0], "als-split": [1, 2, 3, 4]})
    assert judge(difference(noisy, "als", "als-split", "ap50"), 1) is Verdict.OPEN
    equal = _records({"als": [1] * 4, "als-split": [1] * 4})
    assert math.isnan(difference(equal, "als", "als-split", "ap50").p)
    assert judge(difference(equal, "als", "als-split", "ap50"), 1) is Verdict.OPEN
    assert difference({}, "als", "als-split", "ap50") is None
    assert judge(None, 1) is Verdict.OPEN


def test_the_gain_by_masks_is_a_difference_of_differences():
    records = _records({
        "centernet": [1, 2], "spotnet": [5, 7], "als-split": [2, 2], "als": [4, 5],
        "faster-rcnn": [3, 3], "ia": [4, 4], "lga": [6, 3],
    })  # fmt: skip
    found = gain_by_masks(records, "ap70")
    # seed 0: (4 + 2) / 2 - (1 + 3) / 2 = 1; seed 1: (5 + 3) / 2 - (1 + 0) / 2 = 3.5
    assert (found.mean, found.count) == (2.25, 2)
    del records["lga", 1]
    assert gain_by_masks(records, "ap70").mean == 1
    del records["lga", 0]
    assert gain_by_masks(records, "ap70") is None
    assert sum("no seed has both" in line for line in said(records)) == 1
    assert not any("holds" in line for line in said(records))


def test_the_page_says_what_is_not_done():
    wanted = [Job(s, v) for s in SEEDS for v in PRESETS]
    assert f"None of the {len(wanted)} runs is done" in state({}, Settings(), wanted)
    one = state({("als", SEEDS[0]): {}}, Settings(), wanted)
    assert f"1 of {len(wanted)} runs are done" in one
    assert f"Not done: centernet-{SEEDS[0]}" in one
    assert f"als-{SEEDS[0]}," not in one
    whole = state({(j.variant, j.seed): {} for j in wanted}, Settings(), wanted)
    assert whole == f"All {len(wanted)} runs are done."
    assert "mean nothing" in state({}, TINY, wanted)


def test_the_settings_are_fixed_and_every_claim_names_what_is_run():
    assert len(SEEDS) >= 4
    assert not {*SEEDS, TEST_SEED} & {*QUICK_SEEDS}
    data = Settings().as_data()
    assert data == json.loads(json.dumps(data))
    assert {v for claim in CLAIMS for v in (claim.attention, claim.base)} == set(PRESETS)
    assert {(claim.attention, claim.base) for claim in CLAIMS} < set(PAIRS)
    assert {claim.figure for claim in CLAIMS} <= set(FIGURES)
    networks = {variant: build_network(variant, Settings()) for variant in PRESETS}
    assert {v for v, network in networks.items() if _learns_masks(network)} == {"spotnet", "als"}
    counts = [sum(p.numel() for p in network.parameters()) for network in networks.values()]
    assert max(counts) < 4 * min(counts)


def _learns_masks(network):
    return any(attention.foreground for attention in network.attentions.values())


@pytest.mark.parametrize("variant", PRESETS)
def test_two_steps_of_every_variant(variant):
    result, again = (train.run(variant, 1, TINY, CPU) for _ in range(2))
    assert result.figures == again.figures
    assert result.losses == again.losses
    assert np.isfinite(result.losses).all()
    assert len(result.losses) == 2
    assert result.arrays["found"].shape == result.arrays["found_hidden"].shape == (2, 100, 6)
    assert all(0 <= value <= 100 for value in result.figures.values())
    assert train.run(variant, 2, TINY, CPU).losses != result.losses


def test_a_loss_that_is_no_number_stops_a_run(monkeypatch):
    monkeypatch.setattr(train, "train_step", lambda *_: {"total": torch.tensor(float("nan"))})
    with pytest.raises(train.TrainingError, match="loss is nan at step 1"):
        train.run("centernet", 1, TINY, CPU)


def _invoke(folder, *more):
    arguments = ["--quick", "--jobs", "1", "--device", "cpu", "--out", str(folder), *more]
    return CliRunner().invoke(command.main, arguments)


def test_finished_runs_are_not_made_again(tmp_path, monkeypatch):
    monkeypatch.setattr(command, "QUICK", TINY)
    made = []
    original = train.run
    monkeypatch.setattr(train, "run", lambda *args: made.append(args[:2]) or original(*args))
    some = ("--variants", "faster-rcnn,ia", "--seeds", "1")
    assert _invoke(tmp_path, *some).exit_code == 0
    assert made == [("faster-rcnn", 1), ("ia", 1)]
    page = (tmp_path / "quick" / "attentions.md").read_text(encoding="utf-8")
    assert "2 of 14 runs are done" in page
    assert "Not the settings of the campaign" in page
    assert page.count("no seed has both") == 3
    assert "**holds**" not in page
    result = _invoke(tmp_path)
    assert result.exit_code == 0, result.output
    assert "14 runs, 2 finished before" in result.output
    assert len(made) == len(set(made)) == 14
    files = {path.name: path.read_bytes() for path in (tmp_path / "quick").glob("attentions.*")}
    assert set(files) == {"attentions.md", "attentions.png"}
    assert "All 14 runs are done." in files["attentions.md"].decode()
    assert "$" not in files["attentions.md"].decode()
    assert _invoke(tmp_path, "--page-only").exit_code == 0
    assert {path.name: path.read_bytes() for path in (tmp_path / "quick").glob("attentions.*")} == files
    (tmp_path / "quick" / "runs" / "als-2.json").write_text('{"variant": "als", "seed"')
    assert _invoke(tmp_path).exit_code == 0
    assert made[14:] == [("als", 2)]
    assert not list(tmp_path.rglob("*.partial"))


def test_runs_under_other_settings_are_made_anew(tmp_path, monkeypatch):
    monkeypatch.setattr(command, "QUICK", TINY)
    some = ("--variants", "centernet", "--seeds", "1")
    assert "1 runs, 0 finished before" in _invoke(tmp_path, *some).output
    assert "1 runs, 1 finished before" in _invoke(tmp_path, *some).output
    monkeypatch.setattr(command, "QUICK", dataclasses.replace(TINY, iterations=1))
    assert "1 runs, 0 finished before" in _invoke(tmp_path, *some).output


def test_a_failed_run_does_not_stop_the_others(tmp_path, monkeypatch):
    monkeypatch.setattr(command, "QUICK", TINY)
    original = train.run

    def sometimes(variant, *rest):
        if variant == "centernet":
            raise SpotlabelError("no luck")
        return original(variant, *rest)

    monkeypatch.setattr(train, "run", sometimes)
    result = _invoke(tmp_path, "--variants", "centernet,spotnet", "--seeds", "1")
    assert result.exit_code == 1
    assert "centernet-1 FAILED: no luck" in result.output
    assert "1 of 14 runs are done" in (tmp_path / "quick" / "attentions.md").read_text(encoding="utf-8")
