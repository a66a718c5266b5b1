"""The review in a real browser: the queue by keys, the brush, a killed server; nothing leaves the machine."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spotlabel.pipeline.manual import Decision, read_manual
from spotlabel.pipeline.recipes.recipe import load_recipe
from tests.helpers.browser import NARROW, WIDE, browser, complaints
from tests.helpers.recipes import started
from tests.helpers.tuning import copied, made_masks, served, street_recipe, told, until
from tests.pipeline.pages.test_review import EASY, opened, video
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
