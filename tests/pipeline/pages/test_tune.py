"""The tuner without a browser: what its page is told, and that it is what `relabel` writes."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from spotlabel.labelers.masks import PRESETS, MaskSettings
from spotlabel.pipeline.errors import RecipeError
from spotlabel.pipeline.pages.serving.answer import ChangedError, RequestError
from spotlabel.pipeline.pages.tune.app import Tuner
from spotlabel.pipeline.pages.tune.form import controls, flat, nested
from spotlabel.pipeline.pages.tune.relabelling import Relabelling
from spotlabel.pipeline.pages.tune.saving import RecipeFile
from spotlabel.pipeline.pages.tune.telling import telling_frames
from spotlabel.pipeline.recipes.recipe import build_recipe, load_recipe
from spotlabel.pipeline.running.job import run_sequence
from spotlabel.pipeline.store import MaskReader
from spotlabel.pipeline.upkeep.plan import items, one_item
from tests.helpers.recipes import command, environment, spotlabel, tree, write
from tests.helpers.tuning import copied, fetched, made_masks, parts, planes, street_recipe, told, until
from tests.pipeline.stages.test_frame_masks import mask_settings

HOSTILE = "<img src=x onerror=alert(1)>\u202e"


@pytest.fixture(scope="module")
def street(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Evidence by two labelers."""
    return street_recipe(tmp_path_factory.mktemp("tune"), "mog2", "filled-box")


@pytest.fixture
def own(street: Path, tmp_path: Path) -> Path:
    """The same in a folder of its own, to be changed."""
    return copied(street, tmp_path / "own")


def opened(path: Path, *overrides: str) -> Tuner:
    file = RecipeFile(str(path), overrides)
    return Tuner(file, items(file.recipe))


def query(tuner: Tuner, frame: int = 0, video: int = 0) -> dict[str, Any]:
    facts = told(tuner.video({"video": str(video)}))
    return {"video": video, "edition": facts["edition"], "frame": frame}


def pane(rules: MaskSettings, labeler: str = "mog2") -> dict[str, Any]:
    return {"labeler": labeler, "settings": flat(rules)}


@settings(max_examples=8)
@given(rules=mask_settings())
def test_masks_and_objects_are_those_that_relabel_writes(street: Path, rules: MaskSettings) -> None:
    tuner = opened(street)
    recipe = build_recipe({**load_recipe(str(street)).tree, "masks": rules.model_dump(mode="json")})
    made_masks(recipe)
    stored = MaskReader(one_item(recipe, "street").mask_path)
    for frame in (2, 13, 23):
        asked = query(tuner, frame)
        facts, masks = planes(tuner.masks({**asked, "panes": [pane(rules)]}))
        assert np.array_equal(masks[0], stored.read(frame))
        rows = stored.boxes.rows(frame)
        assert [box[2] for box in facts[0]["boxes"]] == stored.believed[rows].tolist()
        answer = until(lambda asked=asked: _ready(tuner, asked, rules))
        if rules.owners.rule == "none":
            assert told(answer) == {"none": True}
        else:
            _, data = parts(answer)
            assert np.array_equal(np.frombuffer(data, "<u2").reshape(108, 192), stored.owners(frame))
    stored.close()
    tuner.close()


def _ready(tuner: Tuner, asked: dict[str, Any], rules: MaskSettings) -> Any:
    answer = tuner.owners({**asked, **pane(rules)})
    return None if answer.status == 202 and "done" in told(answer) else answer


def test_two_panes_and_figures(street: Path) -> None:
    tuner = opened(street)
    asked = query(tuner, 20)
    panes = [pane(PRESETS["paper"]), pane(PRESETS["paper"], "filled-box")]
    facts, masks = planes(tuner.masks({**asked, "panes": panes}))
    assert masks.shape == (2, 108, 192)
    assert set(np.unique(masks)) == {0, 1}
    assert facts[1]["fill"] == 1.0
    assert facts[0]["foreground"] == np.count_nonzero(masks[0]) / masks[0].size
    assert 0 < facts[1]["f"] < 1
    assert facts[0]["unknown"] == 0
    assert facts[0]["state"] == "ok"
    warming = planes(tuner.masks({**query(tuner, 1), "panes": [pane(PRESETS["default"])]}))
    assert warming[0][0]["state"] == "warm-up"
    assert warming[0][0]["unknown"] == 1


def test_what_the_page_starts_with(street: Path) -> None:
    tuner = opened(street, "masks.preset=paper")
    start = told(tuner.start({}))
    assert start["videos"] == ["street"]
    assert start["settings"] == flat(PRESETS["paper"])
    assert start["presets"].keys() == PRESETS.keys()
    video = told(tuner.video({"video": "0"}))
    assert video["labelers"] == ["mog2", "filled-box"]
    assert video["size"] == [108, 192]
    assert 1 <= len(video["telling"]) <= 12
    assert tuner.picture({k: str(v) for k, v in query(tuner).items()}).body.startswith(b"\xff\xd8")
    boxes = told(tuner.frame({k: str(v) for k, v in query(tuner, 5).items()}))
    assert len(boxes["boxes"]) == len(boxes["classes"]) == len(boxes["tracks"]) > 0


def test_every_setting_has_a_control_that_can_be_meant() -> None:
    made = controls()
    assert [one["name"] for one in made] == list(flat(MaskSettings()))
    assert nested(flat(PRESETS["default"])) == PRESETS["default"].model_dump(mode="json")
    for one in made:
        assert one["help"]
        assert one["kind"] in ("switch", "choice", "values", "whole", "fraction", "names")
        ends = {
            "switch": [True],
            "choice": one.get("options"),
            "values": one.get("options"),
            "names": [["car"]],
        }
        values = ends.get(one["kind"]) or [one["low"], one["high"]]
        assert values
        base = {**flat(MaskSettings()), "min_fill": 0.1, "blur": 3}
        for value in values:
            MaskSettings.model_validate(nested({**base, one["name"]: value}))
    kernels = next(one for one in made if one["name"] == "median")
    assert kernels["options"] == [0, *range(3, 64, 2)]


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ({"blur": 4}, "masks: blur must be odd"),
        ({"min_fill": 2}, "masks.min_fill: input should be less than or equal to 1"),
        ({"nothing": 1}, "masks.nothing: unknown key"),
        ({"blur.x": 1}, "blur.x: stands below a single value"),
    ],
)
def test_settings_that_cannot_be_meant_are_a_line(street: Path, values: dict[str, Any], line: str) -> None:
    tuner = opened(street)
    rules = {**flat(PRESETS["default"]), **values}
    with pytest.raises((RecipeError, ValueError), match=line):
        tuner.masks({**query(tuner), "panes": [{"labeler": "mog2", "settings": rules}]})


@pytest.mark.parametrize("video", ["1", "-1", "../../etc", "street", ""])
def test_videos_are_looked_up_by_their_place(street: Path, video: str) -> None:
    tuner = opened(street)
    with pytest.raises(RequestError, match="video: expected a whole number from 0 to 0"):
        tuner.video({"video": video})


@pytest.mark.parametrize("labeler", ["../../evidence/mog2", "boxbg", "no such", "", 3, None])
def test_labelers_are_those_with_evidence(street: Path, labeler: object) -> None:
    tuner = opened(street)
    rules = flat(PRESETS["default"])
    with pytest.raises(RequestError):
        tuner.masks({**query(tuner), "panes": [{"labeler": labeler, "settings": rules}]})
    with pytest.raises(RequestError, match="frame"):
        tuner.masks({**query(tuner), "frame": 24, "panes": []})
    with pytest.raises(RequestError, match="panes"):
        tuner.masks({**query(tuner), "panes": []})


def test_evidence_that_is_replaced_is_told_and_never_mixed(own: Path) -> None:
    tuner = opened(own)
    asked = {**query(tuner, 9), "panes": [pane(PRESETS["paper"])]}
    before = planes(tuner.masks(asked))[1]
    recipe = load_recipe(str(own), ["evidence.mog2.warm_up_frames=9"])
    path = one_item(recipe, "street").evidence_path
    other = own.parent / "other.h5"
    shutil.copy(path, other)
    os.replace(other, path)  # the same bytes in another file: a run has been there
    with pytest.raises(ChangedError, match="changed on the disk; reload it"):
        tuner.masks({**asked, "frame": 10})
    facts = told(tuner.reload({"video": 0}))
    with pytest.raises(ChangedError):  # a second page that still shows what was
        tuner.masks(asked)
    assert np.array_equal(planes(tuner.masks({**asked, "edition": facts["edition"]}))[1], before)


def test_stale_evidence_is_not_shown_as_if_it_fitted(own: Path) -> None:
    tuner = opened(own, "evidence.mog2.warm_up_frames=9")
    facts = told(tuner.video({"video": "0"}))
    assert facts["labelers"] == ["filled-box"]
    assert "warm_up_frames: 4 -> 9" in facts["unfit"]["mog2"]


def test_saving_changes_the_lines_that_differ_and_no_other(own: Path) -> None:
    own.write_text(own.read_text() + "masks:  # by hand\n  preset: paper\n  median: 9  # smooth\n# end\n")
    before = own.read_text()
    own.chmod(0o640)
    tuner = opened(own, "masks.open=3", "frames.on_bad=fail")
    wanted = flat(load_recipe(str(own)).masks) | {
        "median": 5,
        "min_blob": 7,
        "owners.window": 3,
        "classes": ["car"],
    }
    assert told(tuner.difference({"settings": wanted}))["lines"].splitlines() == [
        "masks:", "  classes: [car]", "  median: 5", "  min_blob: 7", "  owners:", "    window: 3",
    ]  # fmt: skip
    known = told(tuner.start({}))["settings"]
    assert told(tuner.save({"settings": wanted, "recipe": known}))["settings"] == wanted
    more = "  classes: [car]\n  min_blob: 7\n  owners:\n    window: 3\n"
    expected = before.replace("median: 9  # smooth\n", f"median: 5  # smooth\n{more}")
    assert own.read_text() == expected
    assert own.stat().st_mode & 0o777 == 0o640
    assert flat(load_recipe(str(own)).masks) == wanted
    assert told(tuner.difference({"settings": wanted}))["lines"] == ""
    own.write_text(own.read_text() + "# meanwhile\n")
    with pytest.raises(RecipeError, match="changed since this page was opened"):
        tuner.save({"settings": flat(PRESETS["default"]), "recipe": wanted})


def test_a_page_does_not_take_back_what_another_saved(own: Path) -> None:
    tuner = opened(own)
    known = told(tuner.start({}))["settings"]
    tuner.save({"settings": known | {"min_blob": 7}, "recipe": known})
    saved = own.read_text()
    with pytest.raises(ChangedError, match="another page has saved to the recipe"):
        tuner.save({"settings": known | {"median": 5}, "recipe": known})
    assert own.read_text() == saved
    now = told(tuner.start({}))["settings"]
    assert now == known | {"min_blob": 7}
    tuner.save({"settings": now | {"median": 5}, "recipe": now})
    assert flat(load_recipe(str(own)).masks) == known | {"min_blob": 7, "median": 5}


def test_a_line_that_says_something_elsewhere_too_is_left(own: Path) -> None:
    text = own.read_text() + "masks:\n  owners: &same {window: 5}\ntraining:\n  other: *same\n"
    own.write_text(text)
    tuner = opened(own)
    asked = {"settings": flat(PRESETS["default"]), "recipe": told(tuner.start({}))["settings"]}
    with pytest.raises(RecipeError, match="put the lines in by hand"):
        tuner.save(asked)
    assert own.read_text() == text


def test_a_recipe_of_ours_is_not_written_to(tmp_path: Path) -> None:
    file = RecipeFile("demo", [f"out={tmp_path}"])
    assert file.path is None
    with pytest.raises(RecipeError, match="comes with spotlabel"):
        file.save(PRESETS["paper"], flat(file.recipe.masks))
    assert "median: 5" not in file.difference(PRESETS["default"])


def test_telling_frames_are_the_same_each_time_and_apart(street: Path) -> None:
    recipe = load_recipe(str(street))
    made_masks(recipe)
    item = one_item(recipe, "street")
    boxes, masks = item.sequence.load().boxes, MaskReader(item.mask_path)
    first = telling_frames(masks, boxes, 6)
    assert first == telling_frames(MaskReader(item.mask_path), boxes, 6)
    assert len(first) == 6
    assert {why for _, why in first} >= {"doubt", "unknown"}
    score = masks.quality["believability"]
    known = masks.state[np.repeat(np.arange(24), np.diff(boxes.offsets))] == 1
    doubt = np.repeat(np.arange(24), np.diff(boxes.offsets))[known][np.nanargmin(score[known])]
    assert (int(doubt), "doubt") in first
    assert telling_frames(None, boxes, 4) == [(3, "even"), (9, "even"), (15, "even"), (21, "even")]


def test_apply_makes_all_masks_and_tells_how_far_it_is(own: Path) -> None:
    tuner = opened(own)
    rules = flat(PRESETS["paper"]) | {"close": 3}
    tuner.apply({"settings": rules})
    last = until(lambda: (now := told(tuner.progress({}))) and not now["running"] and now)
    assert last == {"running": False, "share": 1.0, "made": 1, "end": "done", "failed": []}
    stored = MaskReader(one_item(load_recipe(str(own)), "street").mask_path)
    assert dict(stored.structure("settings"))["close"] == 3
    tuner.close()


def test_a_run_is_broken_off_and_its_error_told(own: Path) -> None:
    recipe = load_recipe(str(own))
    runs = Relabelling(["street"])
    runs.start(build_recipe({**recipe.tree, "masks": {"classes": ["no such class"]}}))
    with pytest.raises(RequestError, match="being made already"):
        runs.start(recipe)
    last = until(lambda: (now := runs.progress())["end"] and now)
    assert last["end"] == "failed"
    assert "no class 'no such class'" in last["failed"][0]
    runs.start(build_recipe({**recipe.tree, "masks": {"median": 61}}))
    runs.stop()
    last = until(lambda: (now := runs.progress())["end"] and now)
    assert last["end"] == "broken off"
    runs.close()


def test_hostile_names_reach_the_page_as_text(tmp_path: Path) -> None:
    path = write(tmp_path / "r.yaml", tree(tmp_path / "data", tmp_path / "out", HOSTILE))
    tuner = opened(path)
    body = tuner.start({}).body
    assert b"\\\\u202e" in body
    assert told(tuner.start({}))["videos"] == ["<img src=x onerror=alert(1)>\\u202e"]
    page = tuner.routes().files[""].body.decode()
    assert "<script>" not in page
    assert str(tmp_path) in page


def test_the_browser_is_given_a_door_and_not_the_token(
    street: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from spotlabel.pipeline.cli import tune

    opened_at: list[str] = []
    monkeypatch.setattr(tune.webbrowser, "open", opened_at.append)
    monkeypatch.setattr(tune.PageServer, "serve", lambda self, _routes: self.server_close())
    tuner = opened(street)
    tune.serve_page("tune", 0, tuner.routes, tuner.close, no_browser=False)
    told_at = capsys.readouterr().out.removeprefix("tune: ").strip()
    assert len(opened_at) == 1
    assert opened_at[0].split("/")[:3] == told_at.split("/")[:3]
    assert told_at.split("/")[3] not in opened_at[0]


def test_the_command_serves_until_it_is_interrupted(street: Path) -> None:
    with subprocess.Popen(
        command("tune", street, "--no-browser"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=environment(),
    ) as process:  # fmt: skip
        assert process.stdout is not None
        address = process.stdout.readline().removeprefix("tune: ").strip()
        assert fetched(address, "start")["videos"] == ["street"]
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 0
    assert errors.splitlines()[-1] == "tune: ended"


def test_what_cannot_be_tuned_is_a_line(street: Path) -> None:
    found = spotlabel("tune", street, "--no-browser", "--only", "nothing")
    assert found.returncode == 2
    assert found.stderr.startswith("error: --only nothing: no such sequence")
    found = spotlabel("tune", "nothing", "--no-browser")
    assert found.returncode == 2
    assert len(found.stderr.splitlines()) == 1


def test_without_any_evidence_there_is_a_line_and_no_page(tmp_path: Path) -> None:
    path = write(tmp_path / "my r.yaml", tree(tmp_path / "data", tmp_path / "out", "first", "second"))
    found = spotlabel("tune", path, "--no-browser")
    assert (found.returncode, found.stdout) == (2, "")
    assert found.stderr == (
        f"error: {tmp_path / 'out'}: no video has evidence to make masks of; "
        f"run `spotlabel label '{path}'` first\n"
    )
    # With evidence of some, the first of these is what opens.
    outcome = run_sequence(load_recipe(str(path)), "second", False, lambda *_: None)
    assert not outcome.failed, outcome.error
    assert told(opened(path).start({}))["first"] == 1
