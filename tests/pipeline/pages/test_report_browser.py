"""The report in a real browser: sorting, filter, keys, colours, narrow screens; nothing leaves the page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from spotlabel.pipeline.pages.document import asset
from spotlabel.pipeline.pages.report.write import SCRIPTS
from spotlabel.pipeline.recipes.recipe import build_recipe
from spotlabel.pipeline.upkeep.plan import items
from tests.helpers.browser import NARROW, WIDE, browser, complaints, requested
from tests.helpers.reports import labelled, reported

pytestmark = pytest.mark.browser

HOSTILE = '"><img src=x onerror=alert(1)>'
NAMES = ("cam-2", "cam-10", "yard", HOSTILE)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four videos, one of them without masks."""
    root = tmp_path_factory.mktemp("browser")
    recipe = labelled(root, *NAMES)
    next(item.mask_path for item in items(recipe) if item.sequence.name == "yard").unlink()
    reported(build_recipe(dict(recipe.tree)), root / "report.html")
    return root / "report.html"


@pytest.fixture(scope="module")
def shared() -> Iterator[Any]:
    with browser() as driver:
        yield driver


@pytest.fixture
def driver(shared: Any, page: Path) -> Any:
    """The page, freshly opened."""
    shared.get(page.as_uri())
    return shared


def names(driver: Any) -> list[str]:
    """Videos in the table, as shown."""
    rows = "document.querySelectorAll('#videos-table tbody tr:not([hidden]) th')"
    return [str(name) for name in driver.execute_script(f"return [...{rows}].map(e => e.innerText)")]


def press(driver: Any, *keys: str) -> None:
    driver.switch_to.active_element.send_keys(*keys)


def focused(driver: Any) -> str:
    return str(driver.execute_script("return document.activeElement.innerText"))


def ground(driver: Any) -> int:
    """Brightness of the page's ground, 0 to 255."""
    colour = driver.execute_script("return getComputedStyle(document.body).backgroundColor")
    return max(map(int, re.findall(r"\d+", colour)[:3]))


def test_every_script_runs_and_nothing_is_asked_for(driver: Any) -> None:
    assert complaints(driver) == []
    assert requested(driver) <= {"file", "data"}
    assert driver.execute_script("return document.scripts.length") == len(SCRIPTS)
    assert driver.execute_script("return document.documentElement.classList.contains('scripted')")
    assert driver.execute_script("return [...document.images].every(i => i.complete && i.naturalWidth > 0)")
    inlined = driver.execute_script("return [...document.scripts].map(s => s.textContent)")
    assert inlined == [asset(name) for name in SCRIPTS]


def test_the_policy_holds_against_a_script_that_came_in(driver: Any) -> None:
    driver.execute_script(
        "const s = document.createElement('script'); s.textContent = 'window.broken = 1';"
        "document.body.append(s);"
        "const i = new Image(); i.src = 'https://example.org/x.png'; document.body.append(i)"
    )
    assert driver.execute_script("return window.broken") is None
    refused = " ".join(complaints(driver))
    assert "script-src" in refused
    assert "img-src" in refused


def test_columns_sort_both_ways_and_names_as_people_count(driver: Any) -> None:
    heads = driver.find_elements("css selector", "#videos-table thead button")
    heads[0].click()
    assert names(driver) == [HOSTILE, "cam-2", "cam-10", "yard"]
    head = driver.find_element("css selector", "#videos-table thead th")
    assert head.get_attribute("aria-sort") == "ascending"
    heads[0].click()
    assert names(driver) == ["yard", "cam-10", "cam-2", HOSTILE]
    assert head.get_attribute("aria-sort") == "descending"
    for button in heads[1:]:
        title = button.text
        for _ in range(2):
            button.click()
            values = driver.execute_script(
                "const t = document.getElementById('videos-table'), c = arguments[0].parentNode.cellIndex;"
                "return [...t.tBodies[0].rows].map(r => r.cells[c].dataset.v)",
                button,
            )
            known = [value for value in values if value is not None]
            assert values[: len(known)] == known, title  # those without a value stand at the end
            numbers = [float(value) for value in known if re.fullmatch(r"[\d.]+", value)]
            assert numbers in (sorted(numbers), sorted(numbers, reverse=True)), title
    assert len(driver.find_elements("css selector", "th[aria-sort]")) == 1


def test_sorting_by_keyboard(driver: Any) -> None:
    from selenium.webdriver.common.keys import Keys

    button = driver.find_element("css selector", "#videos-table thead button")
    driver.execute_script("arguments[0].focus()", button)
    press(driver, Keys.ENTER)
    assert names(driver)[0] == HOSTILE
    press(driver, Keys.SPACE)
    assert names(driver)[0] == "yard"


def test_the_filter_by_keyboard(driver: Any) -> None:
    from selenium.webdriver.common.keys import Keys

    press(driver, "/")
    assert driver.switch_to.active_element.get_attribute("id") == "filter"
    press(driver, "CAM mog2")
    assert names(driver) == ["cam-2", "cam-10"]
    assert driver.find_element("id", "shown").text == "2 of 4 videos"
    press(driver, "jt/")
    assert names(driver) == []
    press(driver, Keys.ESCAPE)
    assert len(names(driver)) == 4
    assert driver.find_element("id", "shown").text == "4 videos"


def test_the_filter_by_state(driver: Any) -> None:
    driver.find_element("css selector", "#state option[value=missing]").click()
    assert names(driver) == ["yard"]


def test_keys_go_along_the_videos_and_open_one(driver: Any) -> None:
    from selenium.webdriver.common.keys import Keys

    order = names(driver)
    press(driver, "j")
    assert focused(driver) == order[0]
    press(driver, "j")
    press(driver, "j")
    press(driver, "k")
    assert focused(driver) == order[1]
    press(driver, Keys.ENTER)
    opened = driver.find_elements("css selector", "details.video[open] > summary h3")
    assert [one.text for one in opened] == [order[1]]
    assert driver.execute_script("return document.activeElement.tagName") == "SUMMARY"
    # Closed by hand and asked for again.
    press(driver, Keys.ENTER)
    assert driver.find_elements("css selector", "details.video[open]") == []
    driver.execute_script("document.querySelectorAll('#videos-table tbody th a')[1].click()")
    assert len(driver.find_elements("css selector", "details.video[open]")) == 1


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_colours_follow_the_system_and_then_the_reader(page: Path, dark: bool) -> None:
    with browser(dark=dark) as driver:
        driver.get(page.as_uri())
        assert (ground(driver) < 60) is dark
        press(driver, "t")
        assert (ground(driver) < 60) is not dark
        button = driver.find_element("id", "theme")
        assert button.text == ("Dark" if dark else "Light")
        button.click()
        assert (ground(driver) < 60) is dark


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_the_page_fits_the_window(page: Path, size: tuple[int, int]) -> None:
    with browser(size) as driver:
        driver.get(page.as_uri())
        driver.execute_script("for (const d of document.querySelectorAll('details')) d.open = true")
        assert driver.execute_script("return document.documentElement.scrollWidth <= innerWidth")
        # A table too wide for the window scrolls by itself, and can be reached by keyboard to do so.
        wide = driver.execute_script(
            "return [...document.querySelectorAll('.scroll')].filter(e => e.scrollWidth > e.clientWidth)"
        )
        assert all(one.get_attribute("tabindex") == "0" for one in wide)
        assert size == WIDE or wide


def test_without_scripts_the_page_is_whole_and_offers_nothing_that_fails(page: Path) -> None:
    with browser() as driver:
        driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
        driver.get(page.as_uri())
        assert not driver.find_element("id", "theme").is_displayed()
        assert not driver.find_element("id", "filter").is_displayed()
        assert len(driver.find_elements("css selector", "#videos-table tbody tr")) == 4
