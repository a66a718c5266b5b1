"""The ablation: its figures and verdicts follow their rules, its runs are repeatable and kept."""

import dataclasses
import json

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from benchmarks.ablation import __main__ as command
from benchmarks.ablation import train
from benchmarks.ablation.comparison import acceptance, paper_order
from benchmarks.ablation.metrics import FIGURES, measure
from benchmarks.ablation.pictures import RIGHT, TWIN, WRONG, colours
from benchmarks.ablation.settings import QUICK_SEEDS, SEEDS, TEST_SEED, VARIANTS, Settings, build_network
from benchmarks.paired import scenes
from benchmarks.paired.order import batches
from benchmarks.paired.runs import Job, Keeping
from benchmarks.paired.statistics import compare, summarise
from spotlabel.detector.centernet.gate import GateMode
from spotlabel.detector.networks.hourglass import HourglassSize
from spotlabel.pipeline.errors import SpotlabelError

torch.set_num_threads(1)

# 16 channels: oneDNN's backward pass crashes on 8 of them in channels-last order (torch 2.13, CPU).
TINY = Settings(
    train_images=4, test_images=2, iterations=2, batch=2, size=HourglassSize(16, (16, 16), (1, 1), stacks=1)
)
CPU = torch.device("cpu")


def test_every_image_is_seen_once_before_any_is_seen_twice():
    drawn = torch.cat(list(batches(3, 10, 4, 5))).tolist()
    assert sorted(drawn[:10]) == sorted(drawn[10:]) == list(range(10))
    assert drawn[:10] != drawn[10:]
    assert drawn == torch.cat(list(batches(3, 10, 4, 5))).tolist()
    assert drawn != torch.cat(list(batches(4, 10, 4, 5))).tolist()
    assert [len(b) for b in batches(0, 3, 8, 2)] == [8, 8]


def test_figures_of_literal_detections():
    boxes = [np.array([[10, 10, 30, 20]], np.float32), np.array([[40, 40, 60, 50]], np.float32)]
    twins = [np.array([[70, 70, 90, 80], [0, 50, 20, 60]], np.float32), np.zeros((0, 4), np.float32)]
    found = np.array([
        [[10, 10, 30, 20, 0.9, 0], [70, 70, 90, 80, 0.5, 0], [0, 50, 20, 60, 0.3, 0]],
        [[45, 40, 65, 50, 0.8, 0], [0, 0, 9, 9, 0.1, 0], [0, 0, 9, 9, 0.0, 0]],
    ])  # fmt: skip
    # The third box is moved by a quarter of its width: IoU 0.6. A score of 0.3 is not above 0.3.
    assert measure(boxes, twins, found) == {"ap70": 50.0, "ap50": 100.0, "recall": 100.0, "twin_rate": 50.0}
    found[1, 0, 4] = 0.3
    assert measure(boxes, twins, found) == {
        "ap70": 50.0,
        # found third or fourth (equal scores keep the order of frames), at a precision of 2 in 4
        "ap50": pytest.approx(50 + 25),
        "recall": 50.0,
        "twin_rate": 50.0,
    }


def test_paired_statistics():
    change = compare([3, 5, 7], [1, 2, 3])  # 2, 3, 4
    assert (change.mean, change.positive, change.count) == (3, 3, 3)
    assert change.error == pytest.approx(1 / np.sqrt(3))
    t = 3 * np.sqrt(3)
    assert change.p == pytest.approx(
        1 - t / np.sqrt(t**2 + 2)
    )  # Student's distribution, 2 degrees of freedom
    alone, equal = compare([2], [1]), compare([2, 3], [1, 2])
    assert np.isnan([alone.error, alone.p, equal.p, summarise([1]).spread]).all()
    assert summarise([1, 3]).spread == pytest.approx(np.sqrt(2))


GOOD = {
    "centernet": {"ap70": [80, 81, 82, 83], "recall": [85] * 4, "twin_rate": [3] * 4},
    "multitask": {"ap70": [81, 82, 83, 84], "recall": [86] * 4, "twin_rate": [3] * 4},
    "attention-sigmoid": {"ap70": [82, 83, 84, 85], "recall": [87] * 4, "twin_rate": [2] * 4},
}


@pytest.mark.parametrize(
    ("variant", "name", "values", "failing"),
    [
        ("centernet", "ap70", [80, 81, 82, 83], None),
        ("attention-sigmoid", "ap70", [82, 83, 84, 84], 1),
        ("attention-sigmoid", "recall", [86] * 4, 2),
        ("multitask", "recall", [84.5] * 4, 3),
        ("attention-sigmoid", "twin_rate", [2.2] * 4, 4),
    ],
)
def test_the_acceptance_rule_fails_by_each_of_its_parts(variant, name, values, failing):
    table = {v: {**figures, name: values} if v == variant else figures for v, figures in GOOD.items()}
    holds = [check.holds for check in acceptance(table, "attention-sigmoid")]
    assert holds == [i != failing for i in range(5)]


def test_the_acceptance_rule_needs_four_seeds_and_the_order_is_strict():
    short = {v: {k: values[:3] for k, values in figures.items()} for v, figures in GOOD.items()}
    assert [c.holds for c in acceptance(short, "attention-sigmoid")] == [False, True, True, True, True]
    order = paper_order(GOOD, "attention-sigmoid")
    assert order.holds
    assert "in 4 of 4 seeds" in order.text
    flat = {**GOOD, "multitask": GOOD["centernet"]}
    assert not paper_order(flat, "attention-sigmoid").holds


def test_the_gates_differ_in_nothing_else():
    gates = {name: preset.gate for name, preset in VARIANTS.items()}
    assert gates["attention-logit"].mode is GateMode.MUL_LOGIT
    assert (
        dataclasses.replace(gates["attention-logit"], mode=GateMode.MUL_SIGMOID) == gates["attention-sigmoid"]
    )
    assert gates["attention-sigmoid"].targets == {"hm"}
    assert len({VARIANTS[v].seg_head for v in VARIANTS if v != "centernet"}) == 1
    states = []
    for variant in VARIANTS:
        torch.manual_seed(0)
        states.append(build_network(variant, TINY.size).state_dict())
    for state in states[1:]:
        assert all(torch.equal(state[name], tensor) for name, tensor in states[0].items())


def test_the_full_settings_are_those_of_the_specification():
    full = Settings()
    assert (full.train_images, full.test_images, full.iterations, full.batch) == (300, 300, 800, 16)
    assert (full.rate, full.milestones, full.decay) == (2e-3, (0.7, 0.9), 0.2)
    assert full.as_data() == json.loads(json.dumps(full.as_data()))
    count = sum(p.numel() for p in build_network("centernet", full.size).parameters())
    assert count == pytest.approx(348_469, rel=0.05)
    assert not {*SEEDS, TEST_SEED} & {*QUICK_SEEDS}


@pytest.mark.parametrize("variant", VARIANTS)
def test_two_steps_of_every_variant(variant):
    result, again = (train.run(variant, 1, TINY, CPU) for _ in range(2))
    assert result.figures == again.figures
    assert result.losses == again.losses
    assert len(result.losses) == 2
    assert np.isfinite(result.losses).all()
    assert result.arrays["found"].shape == (2, 100, 6)
    assert result.arrays["attention"].shape == ((0, 1, 1) if variant == "centernet" else (2, 128, 128))
    assert train.run(variant, 2, TINY, CPU).losses != result.losses


def test_a_loss_that_is_no_number_stops_a_run(monkeypatch):
    monkeypatch.setattr(train, "detection_loss", lambda *_: {"total": torch.tensor(float("nan"))})
    with pytest.raises(train.TrainingError, match="loss is nan at step 1"):
        train.run("centernet", 1, TINY, CPU)


def test_colours_of_detections():
    scene = scenes.make_scene(7, 0)
    sure = np.concatenate([scene.boxes[:1], scene.twins[:1], [[0, 0, 3, 3]]]).astype(np.float64)
    assert colours(sure, scene) == [RIGHT, TWIN, WRONG]
    assert colours(np.zeros((0, 4)), scene) == []


def _invoke(folder, *more):
    arguments = ["--quick", "--jobs", "1", "--device", "cpu", "--out", str(folder)]
    return CliRunner().invoke(command.main, [*arguments, "--variants", "centernet,attention-sigmoid", *more])


def test_finished_runs_are_not_made_again(tmp_path, monkeypatch):
    monkeypatch.setattr(command, "QUICK", TINY)
    made = []
    original = train.run
    monkeypatch.setattr(train, "run", lambda *args: made.append(args[:2]) or original(*args))
    first = _invoke(tmp_path)
    assert first.exit_code == 0, first.output
    every = [(variant, seed) for seed in QUICK_SEEDS for variant in ("centernet", "attention-sigmoid")]
    assert made == every
    out = tmp_path / "quick"
    written = {
        name: (out / name).read_bytes() for name in ("report.md", "report.json", "ap70.png", "scenes.png")
    }
    assert "Not the settings" in written["report.md"].decode()
    data = json.loads(written["report.json"])
    assert data["seeds"] == list(QUICK_SEEDS)
    assert [(r["variant"], r["seed"]) for r in data["runs"]] == sorted(
        every, key=lambda r: r[0] != "centernet"
    )
    assert _invoke(tmp_path).exit_code == 0
    assert made == every
    assert {name: (out / name).read_bytes() for name in written} == written
    (out / "runs" / "centernet-2.json").write_text('{"variant": "centernet", "seed"')
    assert _invoke(tmp_path).exit_code == 0
    assert made == [*every, ("centernet", 2)]
    assert not list(out.rglob("*.partial"))


def _keeping(folder, settings):
    return Keeping(folder, settings.as_data(), FIGURES)


def test_other_settings_are_another_run(tmp_path):
    job, keeping = Job(1, "centernet"), _keeping(tmp_path, TINY)
    assert keeping.load(job) is None
    record = keeping.save(job, "cpu", train.run(job.variant, job.seed, TINY, CPU))
    assert keeping.load(job) == record
    changes = {"iterations": 3, "scenes_version": 0, "size": HourglassSize(8, (16, 16), (1, 1), stacks=1)}
    for name, value in changes.items():
        assert _keeping(tmp_path, dataclasses.replace(TINY, **{name: value})).load(job) is None
    (tmp_path / "multitask-1.json").write_text(json.dumps(record))
    assert keeping.load(Job(1, "multitask")) is None


def test_a_failed_run_does_not_stop_the_others(tmp_path, monkeypatch):
    monkeypatch.setattr(command, "QUICK", TINY)
    original = train.run

    def sometimes(variant, seed, *rest):
        if (variant, seed) == ("centernet", 1):
            raise SpotlabelError("no luck")
        return original(variant, seed, *rest)

    monkeypatch.setattr(train, "run", sometimes)
    result = _invoke(tmp_path)
    assert result.exit_code == 1
    assert "centernet-1 FAILED: no luck" in result.output
    text = (tmp_path / "quick" / "report.md").read_text(encoding="utf-8")
    assert "over 1 seeds (2)" in text
    assert "Without a result: centernet-1." in text


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--seeds", "21-x", "numbers and ranges, like 21,22 or 21-26, found '21-x'"),
        ("--seeds", str(TEST_SEED), "draws the test scenes"),
        ("--seeds", "9-8", "expected seeds"),
        ("--variants", "spotnet3", "no variant 'spotnet3'; there are centernet"),
        ("--device", "abacus", "'abacus' cannot be used"),
    ],
)
def test_unusable_options(tmp_path, option, value, message):
    result = CliRunner().invoke(command.main, ["--quick", "--out", str(tmp_path), option, value])
    assert result.exit_code == 2
    assert message in " ".join(result.output.replace("│", " ").split())
    assert not list(tmp_path.iterdir())
