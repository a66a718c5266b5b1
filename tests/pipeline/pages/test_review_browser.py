"""The review in a real browser: the queue by keys, the brush, a killed server; nothing leaves the machine."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spotlabel.pipeline.manual import Decision, read_manual
from spotlabel.pipeline.pages.review.app import Review
from spotlabel.pipeline.pages.review.queue import boxes_by_key
from spotlabel.pipeline.recipes.recipe import build_recipe, load_recipe
from spotlabel.pipeline.running.job import run_sequence
from spotlabel.pipeline.store import MaskReader
from spotlabel.pipeline.upkeep.plan import items
from tests.helpers.browser import NARROW, WIDE, browser, complaints
from tests.helpers.recipes import started, tree
from tests.helpers.tuning import copied, made_masks, served, street_recipe, told, until
from tests.pipeline.pages.test_gauge import drawn
from tests.pipeline.pages.test_review import EASY, opened, video
from tests.pipeline.pages.test_tune import HOSTILE
from tests.pipeline.pages.test_tune_browser import hosts, press, text

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def shared() -> Iterator[Any]:
    with browser() as driver:
        yield driver


@pytest.fixture(scope="module")
def street(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return street_recipe(tmp_path_factory.mktemp("review"), "mog2", "filled-box", masks=EASY)


@pytest.fixture
def own(street: Path, tmp_path: Path) -> Path:
    path = copied(street, tmp_path / "own")
    made_masks(load_recipe(str(path)))
    return path


def ready(driver: Any, at: int) -> None:
    """Wait until a box is shown."""
    script = (
        "const d = document.getElementById('canvas').dataset; return d.ready === 'true' ? Number(d.at) : -1"
    )
    until(lambda: driver.execute_script(script) == at)


def decisions(path: Path) -> list[Decision]:
    return [one.decision for one in read_manual(video(path).manual_path).values()]


def test_the_queue_by_keys(own: Path, shared: Any) -> None:
    from selenium.webdriver.common.keys import Keys

    review = opened(own, 6)
    boxes = told(review.start({}))["boxes"]
    with served(review.routes()) as address:
        shared.get_log("performance")
        shared.get(address)
        ready(shared, 0)
        assert text(shared, "title").startswith(
            f"street, frame {boxes[0]['frame']}, track {boxes[0]['track']}"
        )
        for at, key in enumerate([Keys.ENTER, "u", "f", "e"]):
            press(shared, key)
            ready(shared, at + 1)
            assert len(decisions(own)) == at + 1  # before the next box is shown
        assert "box 5 of 6: 4 decided (67%), 2 left" in text(shared, "progress")
        press(shared, "z")
        ready(shared, 3)
        assert len(decisions(own)) == 3
        press(shared, "s")
        ready(shared, 4)
        press(shared, "k")
        ready(shared, 3)
        found = told(review.start({}))["decided"]
        assert found[1:3] == ["unknown", "mask"]
        # All decided: said so, and nothing is asked twice.
        for key in "eee":
            before = len(decisions(own))
            press(shared, key)
            until(lambda before=before: len(decisions(own)) == before + 1)
            until(
                lambda: (
                    shared.execute_script("return document.getElementById('canvas').dataset.ready") == "true"
                )
            )
        until(lambda: "All boxes of this queue are decided" in text(shared, "banner"))
        assert complaints(shared) == []
        assert hosts(shared) <= {"127.0.0.1", "data"}


def test_brush_and_eraser_paint_what_is_stored(own: Path, shared: Any) -> None:
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.keys import Keys

    review = opened(own, 6)
    with served(review.routes()) as address:
        shared.get(address)
        ready(shared, 0)
        canvas = shared.find_element("id", "canvas")
        count = "return document.getElementById('canvas').mask.reduce((sum, one) => sum + one, 0)"
        whole = shared.execute_script("return document.getElementById('canvas').mask.length")
        press(shared, "x" + "]" * 40)  # wipe all away
        for _ in range(2):
            ActionChains(shared).move_to_element(canvas).click_and_hold().move_by_offset(
                -60, -40
            ).move_by_offset(120, 80).release().perform()
        erased = shared.execute_script(count)
        press(shared, "b" + "[" * 37)
        ActionChains(shared).move_to_element(canvas).click().perform()
        painted = shared.execute_script(count)
        assert erased < painted < whole
        press(shared, Keys.ENTER)
        ready(shared, 1)
        (only,) = read_manual(video(own).manual_path).values()
        assert only.decision == Decision.MASK
        assert int(np.count_nonzero(only.mask)) == painted


def test_enter_presses_the_button_that_is_in_focus(own: Path, shared: Any) -> None:
    from selenium.webdriver.common.keys import Keys

    review = opened(own, 6)
    with served(review.routes()) as address:
        shared.get(address)
        ready(shared, 0)
        shared.find_element("id", "unknown").send_keys(Keys.ENTER)
        ready(shared, 1)
        assert decisions(own) == [Decision.UNKNOWN]
        # A click of the mouse leaves Enter to the mask; a slider leaves letters to the keys.
        shared.find_element("id", "next").click()
        shared.find_element("id", "size").click()
        shared.find_element("id", "size").send_keys("f")
        ready(shared, 2)
        shared.find_element("id", "next").click()
        press(shared, Keys.ENTER)
        ready(shared, 3)
        assert sorted(decisions(own)) == [Decision.MASK, Decision.MASK, Decision.UNKNOWN]


def test_painting_is_not_let_go_of_unasked(own: Path, shared: Any) -> None:
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.keys import Keys

    review = opened(own, 6)
    with served(review.routes()) as address:
        shared.get(address)
        ready(shared, 0)
        canvas = shared.find_element("id", "canvas")
        mask = "return document.getElementById('canvas').mask.join('')"

        def paint() -> str:
            ActionChains(shared).move_to_element(canvas).click().perform()
            return str(shared.execute_script(mask))

        made = shared.execute_script(mask)
        press(shared, "b" + "]" * 20)
        painted = paint()
        assert painted != made
        # Every key that would lose it asks first, and leaves it.
        for key in "ufecskjz":
            press(shared, key)
            until(lambda: "is not accepted yet" in text(shared, "banner"))
            assert shared.execute_script(mask) == painted
            ready(shared, 0)
        press(shared, "z")  # the same key again
        until(lambda: "nothing was decided" in text(shared, "banner"))
        press(shared, "c")
        paint()
        press(shared, "s")
        shared.find_element("css selector", "#banner button").click()
        ready(shared, 1)
        assert text(shared, "banner") == ""
        # What is accepted asks nothing.
        paint()
        press(shared, Keys.ENTER)
        ready(shared, 2)
        assert decisions(own) == [Decision.MASK]
        # Nor does a video that changed meanwhile lose it: the page says so and asks again.
        painted = paint()
        made_masks(load_recipe(str(own)))
        press(shared, Keys.ENTER)
        until(lambda: "changed on the disk" in text(shared, "banner"))
        shared.find_element("css selector", "#banner button").click()
        until(lambda: "is not accepted yet" in text(shared, "banner"))
        assert shared.execute_script(mask) == painted
        shared.find_element("css selector", "#banner button").click()
        until(lambda: shared.execute_script(mask) != painted)
        until(lambda: text(shared, "banner") == "")


def test_the_audits_figure_grows_while_its_sample_is_gone_through(own: Path, shared: Any) -> None:
    from selenium.webdriver.common.keys import Keys

    proposal, queue, _ = drawn(own, 8)
    recipe = load_recipe(str(own))
    review = Review("street", recipe, items(recipe), queue, proposal)
    with served(review.routes()) as address:
        shared.get_log("browser")
        shared.get(address)
        ready(shared, 0)
        until(lambda: "no figure yet; 0 of 8 decided." in text(shared, "audit-told"))
        for at, key in enumerate([Keys.ENTER, "f", "u", "e"]):
            press(shared, key)
            ready(shared, at + 1)
        told = until(lambda: "; 4 of 8 decided" in (line := text(shared, "audit-told")) and line)
        figure = review.audit({})
        found = json.loads(figure.body)
        assert f"mean IoU of all masks {found['mean']:.3f}, 95 % interval {found['low']:.3f}" in told
        assert f"from {found['boxes']} boxes" in told
        assert "1 nobody can tell" in told
        points = shared.execute_script(
            "return document.querySelector('#audit-chart .line').getAttribute('points').split(' ').length"
        )
        assert points >= 2
        press(shared, "z")
        until(lambda: "; 3 of 8 decided" in text(shared, "audit-told"))
        assert complaints(shared) == []
    review.close()


def test_two_pages_at_once_lose_nothing(own: Path, shared: Any) -> None:
    """The later decision about a box counts; undo of one page does not take the other's back."""
    review = opened(own, 6)

    def said() -> list[Decision]:
        found = read_manual(video(own).manual_path)
        return [found[review._queue[at].key].decision for at in (0, 1)]

    with served(review.routes()) as address:
        shared.get(address)
        ready(shared, 0)
        first = shared.current_window_handle
        shared.switch_to.new_window("tab")
        shared.get(address)
        ready(shared, 0)
        press(shared, "u")  # box 1
        ready(shared, 1)
        shared.switch_to.window(first)
        press(shared, "e")  # box 1 once more, which this page does not know to be decided
        ready(shared, 1)
        press(shared, "f")  # box 2
        ready(shared, 2)
        assert said() == [Decision.BACKGROUND, Decision.MASK]
        shared.switch_to.window(shared.window_handles[-1])
        press(shared, "u")  # box 2 from here: the later one
        ready(shared, 2)
        assert said() == [Decision.BACKGROUND, Decision.UNKNOWN]
        press(shared, "z")  # which brings the other page's back
        ready(shared, 1)
        assert said() == [Decision.BACKGROUND, Decision.MASK]
        shared.close()
        shared.switch_to.window(first)


def test_hostile_names_are_text(tmp_path: Path, shared: Any) -> None:
    recipe = build_recipe(tree(tmp_path / "data", tmp_path / "out", HOSTILE))
    outcome = run_sequence(recipe, HOSTILE, False, lambda *_: None)
    assert not outcome.failed, outcome.error
    (item,) = items(recipe)
    queue = list(boxes_by_key(0, MaskReader(item.mask_path)).values())[3:6]
    review = Review(HOSTILE, recipe, items(recipe), queue)
    with served(review.routes()) as address:
        shared.get_log("browser")
        shared.get(address)
        ready(shared, 0)
        assert "<img src=x onerror=alert(1)>\\u202e, frame" in text(shared, "title")
        assert shared.execute_script("return document.querySelectorAll('img[src=x]').length") == 0
        assert complaints(shared) == []
        press(shared, "u")
        ready(shared, 1)
        assert len(read_manual(item.manual_path)) == 1
    review.close()


def test_candidates_by_key(own: Path, shared: Any) -> None:
    review = opened(own, 6)
    with served(review.routes()) as address:
        shared.get(address)
        ready(shared, 0)
        names = set()
        for _ in range(3):
            names.add(text(shared, "candidate").rpartition(": ")[2])
            press(shared, "c")
        assert "filled-box" in names
        assert len(names) >= 2


def test_a_killed_server_loses_no_decision(own: Path, shared: Any) -> None:
    with started("review", own, "--no-browser", "--count", "6") as process:
        assert process.stdout is not None
        shared.get(process.stdout.readline().removeprefix("review: ").strip())
        ready(shared, 0)
        for at in range(3):
            press(shared, "u")
            ready(shared, at + 1)
        process.send_signal(signal.SIGKILL)
        process.wait(30)
        press(shared, "u")
        until(lambda: "The server has ended" in text(shared, "banner"))
    assert decisions(own) == [Decision.UNKNOWN] * 3
    with started("review", own, "--no-browser", "--count", "6") as process:
        assert process.stdout is not None
        shared.get(process.stdout.readline().removeprefix("review: ").strip())
        ready(shared, 3)


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_the_page_fits_the_window(own: Path, size: tuple[int, int]) -> None:
    with served(opened(own, 6).routes()) as address, browser(size) as driver:
        driver.get(address)
        ready(driver, 0)
        assert driver.execute_script("return document.documentElement.scrollWidth <= innerWidth")
        assert driver.find_element("id", "canvas").get_attribute("aria-label").startswith("street, frame")
