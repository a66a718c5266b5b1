"""The tutorial as a reader does it: its recipe, its commands in their order, its pages in a real browser."""

from __future__ import annotations

import json
import re
import shlex
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from pycocotools import mask as coco

from spotlabel.pipeline.manual import Decision, read_manual
from spotlabel.pipeline.recipes.recipe import load_recipe
from spotlabel.pipeline.store import MaskReader
from spotlabel.pipeline.upkeep.plan import Item, items
from tests.conftest import ROOT
from tests.helpers.browser import browser, complaints
from tests.helpers.recipes import spotlabel, started
from tests.helpers.tuning import until
from tests.pipeline.pages.test_review_browser import ready
from tests.pipeline.pages.test_tune_browser import click, frame, hosts, press, put, settled, shown, text

pytestmark = pytest.mark.browser

PAGE = (ROOT / "docs" / "tutorial.md").read_text()
RECIPE, DIFFERENCE = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
COMMANDS = [line.strip() for line in PAGE.splitlines() if line.startswith("    spotlabel ")]


@pytest.fixture(scope="module")
def driver() -> Iterator[Any]:
    with browser() as one:
        yield one


class Walk:
    """A reader's folder, and what was seen on the way."""

    def __init__(self, folder: Path, driver: Any) -> None:
        self.folder, self.driver = folder, driver
        self.path = folder / "my-streets.yaml"
        self.path.write_text(RECIPE)
        self.seen: Any = None

    def items(self) -> dict[str, Item]:
        recipe = load_recipe(str(self.path), [f"out={self.folder / 'runs/my-streets'}"])
        return {item.sequence.name: item for item in items(recipe)}

    def run(self, line: str) -> str:
        """A command to its end."""
        done = spotlabel(*shlex.split(line)[1:], cwd=self.folder)
        assert done.returncode == 0, (line, done.stdout, done.stderr)
        return done.stdout

    def on_page(self, line: str, visit: Callable[[], None]) -> None:
        """A command that serves a page: what is done there, then Ctrl-C."""
        name, *rest = shlex.split(line)[1:]
        with started(name, *rest, "--no-browser", cwd=self.folder) as process:
            assert process.stdout is not None
            address = process.stdout.readline().removeprefix(f"{name}: ").strip()
            self.driver.get_log("performance")
            self.driver.get(address)
            visit()
            assert complaints(self.driver) == []
            assert hosts(self.driver) <= {"127.0.0.1", "data"}
            self.driver.get("about:blank")
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=60)
            assert (process.returncode, errors.splitlines()[-1]) == (0, f"{name}: ended"), errors

    def tune(self) -> None:
        settled(self.driver)
        put(self.driver, "video", list(self.items()).index("market"), "change")
        until(lambda: "market" in self.driver.find_element("css selector", "#video option:checked").text)
        settled(self.driver)
        press(self.driver, "n")
        before = shown_mask(self.driver)
        for name, value in yaml.safe_load(DIFFERENCE)["masks"].items():
            put(self.driver, f"set-{name}", value, "change")
        until(lambda: text(self.driver, "difference").strip() == DIFFERENCE.strip())
        self.seen = frame(self.driver), shown_mask(self.driver)
        assert not np.array_equal(self.seen[1], before)
        click(self.driver, "save")
        until(lambda: text(self.driver, "run-told").startswith("Saved"))

    def review(self) -> None:
        """Twenty boxes with a key each, the sixth with the brush."""
        from selenium.webdriver.common.action_chains import ActionChains
        from selenium.webdriver.common.keys import Keys

        for at in range(20):
            ready(self.driver, at)
            empty = "return !document.getElementById('canvas').mask.includes(1)"
            if at == 5:
                canvas = self.driver.find_element("id", "canvas")
                press(self.driver, "b")
                ActionChains(self.driver).move_to_element(canvas).click().perform()
                press(self.driver, "b" + Keys.ENTER)
            elif at % 4 == 0:
                press(self.driver, "e" if self.driver.execute_script(empty) else Keys.ENTER)
            else:
                press(self.driver, "fue"[at % 4 - 1])
            until(lambda done=at + 1: f" {done} decided" in text(self.driver, "progress"))
        until(lambda: "All boxes of this queue are decided" in text(self.driver, "banner"))


def shown_mask(driver: Any) -> Any:
    return shown(driver, size=(270, 480)).copy()


def test_the_commands_are_those_of_the_walk() -> None:
    assert [shlex.split(line)[1] for line in COMMANDS] == [
        "label", "report", "tune", "relabel", "review", "relabel", "report", "export",
    ]  # fmt: skip
    assert "--count 20" in COMMANDS[4]


def test_the_walk(tmp_path: Path, driver: Any) -> None:
    label, report, tune, relabel, review, again, against, export = COMMANDS
    walk = Walk(tmp_path, driver)
    walk.run(label)
    walk.run(report)
    driver.get((tmp_path / "before" / "report.html").as_uri())
    assert driver.find_element("css selector", "#videos-table tbody").text.count("fresh") == 2

    walk.on_page(tune, walk.tune)
    wanted = yaml.safe_load(RECIPE)
    wanted["masks"] |= yaml.safe_load(DIFFERENCE)["masks"]
    saved = walk.path.read_text()
    assert yaml.safe_load(saved) == wanted
    untouched = [line for line in RECIPE.splitlines() if not line.startswith("  close:")]
    assert [line for line in saved.splitlines() if line in untouched] == untouched
    assert "  close: 7          # fills gaps up to this many pixels" in saved.splitlines()

    walk.run(relabel)
    at, seen = walk.seen
    market = MaskReader(walk.items()["market"].mask_path)
    assert np.array_equal(market.read(at), seen)
    market.close()

    walk.on_page(review, walk.review)
    decided = {name: read_manual(item.manual_path) for name, item in walk.items().items()}
    said = [one.decision for corrections in decided.values() for one in corrections.values()]
    assert len(said) == 20
    assert set(said) == set(Decision)

    walk.run(again)
    stored = {name: MaskReader(item.mask_path) for name, item in walk.items().items()}
    assert sorted(decision for masks in stored.values() for decision in masks.manual[masks.manual > 0]) == (
        sorted(said)
    )
    walk.run(against)
    driver.get((tmp_path / "after" / "report.html").as_uri())
    changed = driver.find_element("id", "changes").text
    for name, value in yaml.safe_load(DIFFERENCE)["masks"].items():
        assert f"masks.{name}" in changed
        assert str(value) in changed

    walk.run(export)
    check_export(tmp_path / "coco", stored, said)


def check_export(folder: Path, stored: dict[str, MaskReader], said: list[Decision]) -> None:
    """The export holds every decision that leaves a pixel, as a person's, with the stored mask."""
    found = json.loads((folder / "instances.json").read_text())
    images = {image["id"]: image for image in found["images"]}
    assert all((folder / "images" / image["file_name"]).is_file() for image in images.values())
    videos = {one["id"]: one["name"] for one in found["videos"]}
    by_hand = [one for one in found["annotations"] if one.get("manual")]
    drawn = [one for one in by_hand if not one["iscrowd"]]
    assert len(drawn) == said.count(Decision.MASK)
    # Of the others those have a region that hold unknown pixels, be it of a neighbour's.
    assert 0 < len(by_hand) - len(drawn) <= len(said) - len(drawn)
    for one in drawn:
        image = images[one["image_id"]]
        masks = stored[videos[image["video_id"]]]
        index = masks.index_of(image["frame"])
        tracks = masks.boxes.track_id[masks.boxes.rows(index)].tolist()
        mask = masks.instance(index, tracks.index(one["track_id"]))
        assert np.array_equal(coco.decode(one["segmentation"]).astype(bool), mask)
