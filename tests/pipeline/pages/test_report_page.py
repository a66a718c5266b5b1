"""The report as a whole: what its page and its JSON twin say of stores, right, stale, damaged or gone."""

from __future__ import annotations

import gc
import json
import re
import shutil
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from spotlabel.pipeline.errors import StoreError
from spotlabel.pipeline.measures.quality import measure
from spotlabel.pipeline.pages.report import video as video_module
from spotlabel.pipeline.pages.report.against import ReportError, read_earlier
from spotlabel.pipeline.pages.report.crops import Crop
from spotlabel.pipeline.pages.report.make import Watch, make_report
from spotlabel.pipeline.pages.report.runs import Run, runs_in
from spotlabel.pipeline.pages.report.write import Asked
from spotlabel.pipeline.pictures.render import frame_image
from spotlabel.pipeline.recipes.recipe import Recipe, build_recipe
from spotlabel.pipeline.upkeep.plan import items
from tests.helpers.recipes import spotlabel, tree, write
from tests.helpers.reports import labelled, relabelled, reported
from tests.pipeline.pages.test_html import Seen

HOSTILE = '"><img src=x onerror=alert(1)>\x1b[2J&amp;'
SCRIPTS = 4


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    return labelled(tmp_path_factory.mktemp("report"), "gate", "yard")


@pytest.fixture
def own(made: Recipe, tmp_path: Path) -> Recipe:
    """The same videos and stores, to be broken."""
    shutil.copytree(made.out, tmp_path / "out")
    return build_recipe({**made.tree, "out": str(tmp_path / "out")})


def row(data: dict[str, Any], name: str) -> dict[str, Any]:
    return next(row for row in data["videos"] if row["name"] == name)


def test_what_is_up_to_date_is_told_so(made: Recipe, tmp_path: Path) -> None:
    page, data = reported(made, tmp_path / "a.html")
    assert data["format"] == "spotlabel-report 1"
    assert data["verdict"]["level"] in ("good", "look")
    assert data["verdict"]["lines"][0] == "2 of 2 videos up to date"
    assert data["verdict"]["headline"] in page
    gate = row(data, "gate")
    assert (gate["state"], gate["reason"], gate["frames"], gate["boxes"]) == ("fresh", "", 12, 12)
    assert gate["frame_states"] == {"warm_up": 2, "ok": 10} or gate["frame_states"] == {
        "ok": 10,
        "warm_up": 2,
    }
    assert gate["judged"] == 10
    assert gate["unknown_pixels"]["warm-up frames"] == 2 * 48 * 64
    assert data["total"]["boxes"] == 24
    assert data["settings"]["masks"]["min_fill"] == made.masks.min_fill
    assert data["versions"]["labeler"].startswith("mog2 ")
    assert {one["group"] for one in gate["shown"]} <= {"worst", "weakest", "median", "random"}
    assert all(one["why"] for one in gate["shown"])


def test_the_same_stores_give_the_same_bytes(
    made: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reported(made, tmp_path / "a.html")
    shutil.rmtree(made.out / ".digests")
    monkeypatch.chdir(tmp_path)
    reported(made, tmp_path / "b.html")
    for suffix in (".html", ".json"):
        assert (tmp_path / f"a{suffix}").read_bytes() == (tmp_path / f"b{suffix}").read_bytes()


def test_nothing_in_the_page_leads_out_of_it(made: Recipe, tmp_path: Path) -> None:
    page, _ = reported(made, tmp_path / "a.html")
    seen = Seen(page)
    for name, attributes in seen.tags:
        for key in ("src", "href", "action", "data", "srcset"):
            assert (attributes.get(key) or "#").startswith(("#", "data:")), (name, attributes)
    assert not re.search(r"url\(|@import|fetch\(|XMLHttpRequest|https?://(?!www\.w3\.org)", page)
    policy = next(a["content"] for name, a in seen.tags if name == "meta" and a.get("http-equiv"))
    assert policy is not None
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


def test_a_screen_reader_finds_its_way(made: Recipe, tmp_path: Path) -> None:
    tags = Seen(reported(made, tmp_path / "a.html")[0]).tags
    assert [name for name, _ in tags if name in ("header", "nav", "main")] == ["header", "nav", "main"]
    assert all(attributes.get("alt") for name, attributes in tags if name == "img")
    assert all(attributes.get("scope") in ("col", "row") for name, attributes in tags if name == "th")
    assert all(attributes.get("aria-label") for name, attributes in tags if name == "svg")
    assert sum(name == "caption" for name, _ in tags) == sum(name == "table" for name, _ in tags)
    known = {attributes["id"] for _, attributes in tags if "id" in attributes}
    for _, attributes in tags:
        assert set((attributes.get("aria-labelledby") or "").split()) <= known
        if (attributes.get("href") or "").startswith("#"):
            assert (attributes["href"] or "")[1:] in known
    levels = [int(name[1]) for name, _ in tags if re.fullmatch(r"h[1-6]", name)]
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_stale_masks_are_told_in_the_verdict_and_the_table(own: Recipe, tmp_path: Path) -> None:
    other = build_recipe({**own.tree, "masks": {"min_fill": 0.31}})
    page, data = reported(other, tmp_path / "a.html")
    assert data["verdict"]["level"] == "bad"
    assert data["verdict"]["lines"][0] == "0 of 2 videos up to date (2 stale)"
    assert row(data, "gate")["state"] == "stale"
    assert row(data, "gate")["reason"] == f"settings.min_fill: {own.masks.min_fill} -> 0.31"
    assert row(data, "gate")["boxes"] == 12
    assert '<span class="state stale"' in page


def test_masks_without_their_evidence_are_stale_and_shown(own: Recipe, tmp_path: Path) -> None:
    shutil.rmtree(own.out / "evidence")
    _, data = reported(own, tmp_path / "a.html")
    assert (row(data, "gate")["state"], row(data, "gate")["reason"]) == ("stale", "evidence is missing")
    assert "evidence is gone" in row(data, "gate")["notes"][0]
    assert row(data, "gate")["shown"]


def test_damaged_and_missing_stores_are_told(own: Recipe, tmp_path: Path) -> None:
    gate, yard = (item.mask_path for item in items(own))
    content = bytearray(gate.read_bytes())
    content[len(content) // 2] ^= 1
    gate.write_bytes(content)
    yard.unlink()
    page, data = reported(own, tmp_path / "a.html")
    assert data["verdict"]["lines"][0] == "0 of 2 videos up to date (1 missing, 1 damaged)"
    assert row(data, "gate")["state"] == "damaged"
    assert "do not match its seal" in row(data, "gate")["reason"]
    assert row(data, "yard")["state"] == "missing"
    assert "do not match its seal" in page
    assert row(data, "gate")["frames"] == 0


def test_a_video_that_cannot_be_used_is_a_row(own: Recipe, tmp_path: Path) -> None:
    shutil.copytree(own.data, tmp_path / "data")
    (tmp_path / "data" / "gate" / "gt" / "gt.txt").write_text("1,1,no,2,3,4,1,1,1\n")
    other = build_recipe({**own.tree, "data": str(tmp_path / "data")})
    _, data = reported(other, tmp_path / "a.html")
    assert row(data, "gate")["state"] == "unusable"
    assert "gt.txt: line 1" in row(data, "gate")["reason"]
    assert row(data, "yard")["state"] == "fresh"
    assert data["verdict"]["level"] == "bad"


def test_a_store_replaced_while_it_is_read_is_told(
    own: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_at = video_module.crops

    def replaced(*arguments: Any) -> Any:
        relabelled(build_recipe({**own.tree, "masks": {"min_fill": 0.9}}))
        return looked_at(*arguments)

    monkeypatch.setattr(video_module, "crops", replaced)
    _, data = reported(own, tmp_path / "a.html")
    assert row(data, "gate")["state"] == "damaged"
    assert "was replaced while it was read" in row(data, "gate")["reason"]


def test_hostile_names_are_text(tmp_path: Path) -> None:
    recipe = labelled(tmp_path, HOSTILE)
    page, data = reported(recipe, tmp_path / "a.html", title=HOSTILE, commands=(HOSTILE,))
    seen = Seen(page)
    assert sum(name == "script" for name, _ in seen.tags) == SCRIPTS
    assert all(not key.startswith("on") for _, attributes in seen.tags for key in attributes)
    assert "\x1b" not in page
    assert r'"><img src=x onerror=alert(1)>\x1b[2J&amp;' in seen.text
    assert [one["name"] for one in data["videos"]] == [HOSTILE]


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    """Two videos of many objects."""
    size = {"frames": 6, "width": 160, "height": 96}
    scenes = [{"name": name, "seed": seed, **size} for seed, name in enumerate(("gate", "yard"))]
    dataset = {"reader": "synthetic", "scenes": scenes}
    out = tmp_path_factory.mktemp("busy")
    recipe = build_recipe({"out": str(out), "dataset": dataset, "labeler": "filled-box"})
    relabelled(recipe)
    return recipe


def test_the_page_is_no_larger_than_asked_and_says_what_it_leaves_out(busy: Recipe, tmp_path: Path) -> None:
    whole, _ = reported(busy, tmp_path / "a.html")
    assert "To see all" not in whole
    images, size = whole.count("<img"), len(whole.encode())
    for share in (0.9, 0.7, 0.6):
        page, data = reported(busy, tmp_path / "b.html", max_bytes=int(share * size))
        assert len(page.encode()) <= share * size
        assert page.count("<img") <= images
        assert row(data, "yard")["timeline"]["last_frame"] == 5
    assert "To see all: about --max-mb 1, or" in page
    with pytest.raises(ReportError, match=r"the page without its videos' parts needs [\d.]+ MB; allow more"):
        reported(busy, tmp_path / "c.html", max_bytes=10_000)
    assert not (tmp_path / "c.html").exists()


def test_pictures_are_scaled_before_any_is_left_out(busy: Recipe, tmp_path: Path) -> None:
    whole, _ = reported(busy, tmp_path / "a.html")
    page, _ = reported(busy, tmp_path / "b.html", max_bytes=int(0.9 * len(whole.encode())))
    assert page.count("<img") == whole.count("<img") > 20
    assert "To see all" not in page


def test_memory_does_not_grow_with_the_videos(tmp_path: Path) -> None:
    recipe = labelled(tmp_path, *(f"cam-{k:02}" for k in range(11)), length=6)
    most = []

    def count(_video: object) -> None:
        gc.collect()
        most.append(sum(type(one) is Crop for one in gc.get_objects()))

    make_report(recipe, items(recipe), tmp_path / "a.html", Asked("Labels", ()), Watch(finished=count))
    # The boxes of the video at hand, and the most doubtful ones of all.
    assert max(most) <= 4 * 3 + 2 * 6


def test_what_changed_since_an_earlier_report(own: Recipe, tmp_path: Path) -> None:
    _, before = reported(own, tmp_path / "old.json.html")
    old = tmp_path / "old.json"
    old.write_text(
        json.dumps({**before, "videos": [*before["videos"], {**before["videos"][0], "name": "gone"}]})
    )
    other = build_recipe({**own.tree, "masks": {"min_fill": 0.99}})
    relabelled(other)
    page, data = reported(other, tmp_path / "new.html", earlier=(read_earlier(old), "old.json"))
    found = data["changes"]
    assert found["settings"] == {"masks.min_fill": [own.masks.min_fill, 0.99]}
    assert found["gone"] == ["gone"]
    assert found["new"] == []
    assert found["unchanged"] == 0
    assert found["videos"]["gate"]["believed"] == [
        row(before, "gate")["believed"],
        row(data, "gate")["believed"],
    ]
    assert 'id="changes"' in page
    page, data = reported(own, tmp_path / "same.html", earlier=(read_earlier(old), "old.json"))
    assert data["changes"]["verdicts"][0] == before["verdict"]["headline"]


def test_nothing_changed(made: Recipe, tmp_path: Path) -> None:
    reported(made, tmp_path / "a.html")
    earlier = (read_earlier(tmp_path / "a.json"), "a.json")
    found = reported(made, tmp_path / "b.html", earlier=earlier)[1]["changes"]
    assert (found["videos"], found["settings"], found["unchanged"]) == ({}, {}, 2)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "not the JSON of a report"),
        ("[]", "holds format None"),
        ('{"format": "spotlabel-report 9"}', "expected 'spotlabel-report 1'"),
        ('{"format": "spotlabel-report 1", "videos": [{}]}', "not whole"),
        ('{"format": "spotlabel-report 1", "videos": 3}', "not whole"),
    ],
)
def test_what_is_no_report_is_refused(tmp_path: Path, content: str, said: str) -> None:
    (tmp_path / "old.json").write_text(content)
    with pytest.raises(ReportError, match=said):
        read_earlier(tmp_path / "old.json")


def test_a_folder_is_no_report(tmp_path: Path) -> None:
    with pytest.raises(ReportError, match=r"a folder, expected a file: report\.json"):
        read_earlier(tmp_path)


def test_quality_stands_beside_the_masks_where_there_is_truth(busy: Recipe, tmp_path: Path) -> None:
    page, data = reported(busy, tmp_path / "a.html")
    item = items(busy)[0]
    measured = measure(item.sequence, item.mask_path)
    quality = row(data, "gate")["quality"]
    assert quality["f"] == pytest.approx(measured.counts.f_measure, abs=1e-4)
    assert quality["frames"] == 6
    assert ">IoU</button>" in page


def test_a_video_without_boxes_has_a_row_and_a_part(tmp_path: Path) -> None:
    scene = {"name": "road", "frames": 4, "width": 160, "height": 96, "density": 0, "parked_car": False}
    scene |= {"starter": False, "ignored_region": False}
    dataset = {"reader": "synthetic", "scenes": [scene]}
    recipe = build_recipe({"out": str(tmp_path / "out"), "dataset": dataset, "labeler": "filled-box"})
    relabelled(recipe)
    page, data = reported(recipe, tmp_path / "a.html")
    road = row(data, "road")
    assert (road["frames"], road["boxes"], road["mean_fill"], road["shown"]) == (4, 0, None, [])
    assert road["timeline"]["fill"] == [None] * 4
    assert data["verdict"]["level"] == "look"
    assert "no box in any of 4 frames" in page


def test_truth_that_cannot_be_used_is_told(
    tmp_path: Path, made: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    item = items(made)[0]

    def fails(*_: object) -> Any:
        raise StoreError("the truth is of another length")

    monkeypatch.setattr(video_module, "measure", fails)
    broken = replace(item, sequence=replace(item.sequence, truth=lambda index: None))
    found = video_module.look_at(made, broken, 1)
    assert found.contents is not None
    assert found.contents.notes == ("not compared with its ground truth: the truth is of another length",)


def test_runs_of_training_and_evaluation(own: Recipe, tmp_path: Path) -> None:
    run, evaluation, cut = own.out / "training" / "als", own.out / "scores", own.out / "training" / "cut"
    for folder in (run, evaluation, cut):
        folder.mkdir(parents=True)
    lines = [{"kind": "train", "step": k, "loss": 3.0 - k / 500, "lr": 1e-4} for k in range(1, 1001)]
    lines.append({"kind": "held_out", "step": 1000, "epoch": 1, "ap70": 0.61})
    (run / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines) + '{"kind": "tr')
    (evaluation / "report.json").write_text(
        json.dumps(
            {"benchmark": "uavdt", "overall": {"ap": 41.5, "frames": 10}, "published": {"x": {"ap": 3}}}
        )
    )
    (cut / "metrics.jsonl").write_text('{"kind": "train"}\n')
    page, data = reported(own, own.out / "pages" / "report.html")
    assert [one["name"] for one in data["runs"]] == ["training/als", "training/cut", "scores"]
    curves = {one["name"]: one["points"] for one in data["runs"][0]["curves"]}
    assert curves.keys() == {"loss", "lr", "ap70"}
    assert len(curves["loss"]) == 200
    assert curves["loss"][0] == pytest.approx([3.0, 3.0 - 3 / 500])
    assert curves["ap70"] == [[1000, 0.61]]
    assert data["runs"][1]["problem"] == "metrics.jsonl cannot be used: line 1 is not a line of metrics"
    assert data["runs"][2]["figures"] == {"benchmark": "uavdt", "overall.ap": 41.5, "overall.frames": 10}
    assert "training: loss" in page
    # The report itself, which has the same name, is none.
    assert reported(own, tmp_path / "b.html")[1]["runs"] == data["runs"]


def test_figures_that_are_none_are_left_out_and_absurd_ones_told(tmp_path: Path) -> None:
    def found(content: str) -> Run:
        (tmp_path / "training" / "a").mkdir(parents=True, exist_ok=True)
        (tmp_path / "training" / "a" / "metrics.jsonl").write_text(content)
        return runs_in(tmp_path)[0]

    held = '{"kind": "held_out", "step": 5, "ap70": %s, "ap50": 0.5}\n'
    run = found(held % "null" + held % "0.25")
    assert {curve.name: curve.points for curve in run.curves} == {
        "ap70": ((5, 0.25),),
        "ap50": ((5, 0.5),) * 2,
    }
    for absurd in ("1" + "0" * 400, "1" + "0" * 5000):
        assert found(held % absurd).problem.startswith("metrics.jsonl cannot be used")
    assert "step inf" in found('{"kind": "train", "step": 1e999, "loss": 1}\n').problem
    (tmp_path / "scores").mkdir()
    (tmp_path / "scores" / "report.json").write_text('{"ap": 1%s}' % ("0" * 400))
    assert runs_in(tmp_path)[1].problem.startswith("report.json cannot be used")


def test_pictures_of_runs_go_before_those_of_videos(busy: Recipe, tmp_path: Path) -> None:
    shutil.copytree(busy.out, tmp_path / "out")
    recipe = build_recipe({**busy.tree, "out": str(tmp_path / "out")})
    whole, _ = reported(recipe, tmp_path / "a.html")
    images, size = whole.count("<img"), len(whole.encode())
    for name in ("first", "second"):
        (recipe.out / name).mkdir()
        (recipe.out / name / "report.json").write_text("{}")
        (recipe.out / name / "curves.png").write_bytes(b"\x89PNG" + bytes(int(0.08 * size)))
    # A fifth of the page holds both, then one; then there is room for none beside the pictures of boxes.
    for share, curves in ((1.3, 2), (1.05, 1), (0.55, 0)):
        page, _ = reported(recipe, tmp_path / "b.html", max_bytes=int(share * size))
        assert len(page.encode()) <= share * size
        assert page.count('class="curves"') == curves
        assert page.count("<img") == images + curves
        said = re.search(r"(\d) pictures of training and evaluation had no room", page)
        assert (int(said[1]) if said else 0) == 2 - curves


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.json", '{"benchmark": "uavdt", "format": "spotlabel-report 1"}'),
        ("a.json", '{"images": [], "annotations": []}'),
        ("a.json", ""),
        ("a.html", "<!doctype html><title>my notes</title>"),
    ],
)
def test_files_of_others_are_not_replaced(made: Recipe, tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content)
    looked = []
    with pytest.raises(ReportError, match=rf"{name}: would be replaced, but is no report .* another --out"):
        make_report(
            made, items(made), tmp_path / "a.html", Asked("Labels", ()), Watch(finished=looked.append)
        )
    assert ([path.name for path in tmp_path.iterdir()], looked) == ([name], [])
    assert (tmp_path / name).read_text() == content


def test_a_report_is_replaced_with_or_without_its_twin(made: Recipe, tmp_path: Path) -> None:
    reported(made, tmp_path / "a.html")
    reported(made, tmp_path / "a.html", title="Again")
    (tmp_path / "a.json").unlink()
    assert reported(made, tmp_path / "a.html")[1]["title"] == "Labels"


def test_frames_of_another_size_are_told_and_not_cut(busy: Recipe, tmp_path: Path) -> None:
    shutil.copytree(busy.out, tmp_path / "out")
    scenes = [{**scene, "width": 128} for scene in busy.tree["dataset"]["scenes"]]
    dataset = {"reader": "synthetic", "scenes": scenes}
    other = build_recipe({**busy.tree, "out": str(tmp_path / "out"), "dataset": dataset})
    _, data = reported(other, tmp_path / "a.html")
    assert row(data, "gate")["state"] == "stale"
    assert row(data, "gate")["quality"] is None
    assert any("masks of 160x96, the sequence's frames are 128x96" in n for n in row(data, "gate")["notes"])
    frames = items(other)[0].sequence.frames
    number = int(frames.numbers[0])
    assert frame_image(frames, number, (96, 128)).std() > 0
    empty = frame_image(frames, number, (96, 160))
    assert (empty.shape, empty[0, 0].tolist()) == ((96, 160, 3), [60, 60, 60])


def test_the_command(tmp_path: Path) -> None:
    made = write(tmp_path / "r.yaml", tree(tmp_path / "data", tmp_path / "out", "gate", "yard"))
    missing = spotlabel("report", made)
    assert missing.returncode == 1
    assert "gate: FAILED: missing: run `spotlabel label`" in missing.stderr
    assert spotlabel("label", made, "--quiet").returncode == 0
    done = spotlabel("report", made)
    assert done.returncode == 0, done.stderr
    assert f"report: {tmp_path / 'out' / 'report.html'}" in done.stdout
    data = json.loads((tmp_path / "out" / "report.json").read_text())
    assert data["commands"] == [f"spotlabel label {made}", f"spotlabel report {made}"]
    quiet = spotlabel(
        "report", made, "--only", "gate", "--out", tmp_path / "p" / "gate.html", "--quiet", "--max-mb", "3",
        "--against", tmp_path / "out" / "report.json",
    )  # fmt: skip
    assert (quiet.returncode, quiet.stdout, quiet.stderr) == (0, "", "")
    data = json.loads((tmp_path / "p" / "gate.json").read_text())
    assert data["changes"]["gone"] == ["yard"]
    assert data["commands"][1].endswith(
        f"--only gate --against {tmp_path / 'out' / 'report.json'} --max-mb 3"
    )
    for options, said in (
        (["--out", tmp_path], "expected a file name that ends in .html"),
        (["--against", tmp_path / "no.json"], "no.json"),
        (["--only", "gait"], "did you mean 'gate'?"),
    ):
        wrong = spotlabel("report", made, *options)
        assert wrong.returncode == 2
        assert said in wrong.stderr
        assert "Traceback" not in wrong.stderr


def test_the_demo_ends_with_a_report_and_changes_no_store(tmp_path: Path) -> None:
    scenes = (
        "dataset.scenes=[{name: street, frames: 6, width: 160, height: 96},"
        "{name: drone, camera: moving, frames: 6, width: 160, height: 96}]"
    )
    options = ("--set", scenes, "--set", "labeler=filled-box", "--jobs", "1")
    done = spotlabel("demo", "--out", tmp_path / "demo", *options)
    assert done.returncode == 0, done.stderr
    page = tmp_path / "demo" / "report.html"
    assert f"report: {page}" in done.stdout
    assert "2 of 2 videos up to date" in page.read_text(encoding="utf-8")
    before = {path: path.read_bytes() for path in sorted((tmp_path / "demo").rglob("*.h5"))}
    again = spotlabel("demo", "--out", tmp_path / "demo", *options, "--quiet")
    assert f"report: {page}" in again.stdout
    assert before == {path: path.read_bytes() for path in sorted((tmp_path / "demo").rglob("*.h5"))}
