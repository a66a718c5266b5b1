"""The tuner in a real browser: sliders, undo, saving, applying; the masks are what `relabel` then writes."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import numpy.typing as npt
import pytest

from spotlabel.pipeline.pages.tune.app import Tuner
from spotlabel.pipeline.pages.tune.page import SCRIPTS
from spotlabel.pipeline.pages.tune.saving import RecipeFile
from spotlabel.pipeline.recipes.recipe import load_recipe
from spotlabel.pipeline.store import MaskReader
from spotlabel.pipeline.upkeep.plan import items, one_item
from tests.conftest import ROOT
from tests.helpers.browser import NARROW, WIDE, binary, browser, complaints
from tests.helpers.recipes import started, tree, write
from tests.helpers.tuning import copied, served, street_recipe, until
from tests.pipeline.pages.test_tune import HOSTILE

pytestmark = pytest.mark.browser

ASSETS = ROOT / "pipeline" / "pages" / "assets"
SIZE = (108, 192)


@pytest.fixture(scope="module")
def shared() -> Iterator[Any]:
    with browser() as driver:
        yield driver


@pytest.fixture(scope="module")
def street(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return street_recipe(tmp_path_factory.mktemp("tune"), "mog2", "filled-box")


@pytest.fixture
def own(street: Path, tmp_path: Path) -> Path:
    return copied(street, tmp_path / "own")


@pytest.fixture
def page(own: Path, shared: Any) -> Iterator[Any]:
    """The tuner's page of a street, ready."""
    file = RecipeFile(str(own))
    tuner = Tuner(file, items(file.recipe))
    with served(tuner.routes()) as address:
        shared.get_log("performance")
        shared.get(address)
        settled(shared)
        yield shared
    tuner.close()


def settled(driver: Any) -> None:
    """Wait until the page shows what was asked for last."""
    until(lambda: driver.execute_script("return document.getElementById('stage').dataset.settled === 'true'"))


def put(driver: Any, name: str, value: object, event: str) -> None:
    """Give a field a value, as a user does."""
    driver.execute_script(
        "const e = document.getElementById(arguments[0]);"
        "if (e.type === 'checkbox') e.checked = arguments[1]; else e.value = arguments[1];"
        "e.dispatchEvent(new Event(arguments[2], {bubbles: true}))",
        name, value, event,
    )  # fmt: skip


def shown(
    driver: Any, pane: int = 0, what: str = "mask", dtype: str = "u1", size: tuple[int, int] = SIZE
) -> npt.NDArray[Any]:
    """The mask or the owners that a pane shows."""
    settled(driver)
    text = driver.execute_script(
        "const a = document.getElementById(`canvas-${arguments[0]}`)[arguments[1]];"
        "const b = new Uint8Array(a.buffer, a.byteOffset, a.byteLength);"
        "let s = ''; for (const v of b) s += String.fromCharCode(v); return btoa(s)",
        pane, what,
    )  # fmt: skip
    return np.frombuffer(base64.b64decode(text), dtype).reshape(size)


def frame(driver: Any) -> int:
    return int(driver.execute_script("return document.getElementById('place').value"))


def text(driver: Any, name: str) -> str:
    return str(driver.execute_script("return document.getElementById(arguments[0]).textContent", name))


def press(driver: Any, keys: str) -> None:
    driver.find_element("tag name", "body").send_keys(keys)


def click(driver: Any, name: str) -> None:
    """Press a button wherever it is: what is told beside it moves it meanwhile."""
    driver.execute_script("document.getElementById(arguments[0]).click()", name)


def hosts(driver: Any) -> set[str]:
    """Where everything was asked from."""
    messages = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
    asked = [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]
    return {urlsplit(url).hostname or urlsplit(url).scheme for url in asked}


def test_scripts_are_sound() -> None:
    node = binary("node")
    for path in sorted(ASSETS.glob("*.js")):
        found = subprocess.run(
            [node, "--input-type=module", "--check"],
            input=path.read_text(),
            capture_output=True,
            text=True,
            check=False,
        )
        assert found.returncode == 0, (path.name, found.stderr)


def test_sliders_change_the_mask_to_what_relabel_then_writes(page: Any, own: Path) -> None:
    before = shown(page)
    put(page, "place", 20, "input")
    for name, value in (("min_believability", 0.55), ("median", 3), ("min_fill", 0.35)):
        put(page, f"slide-{name}", value, "input")
    put(page, "set-box_rounding", "truncate", "change")
    put(page, "set-fill_holes", False, "change")
    put(page, "mode", "owners", "change")
    mask, owners = shown(page), shown(page, 0, "owners", "<u2")
    assert not np.array_equal(mask, before)
    click(page, "apply")
    until(lambda: text(page, "run-told").startswith("Done: masks of 1 of 1"))
    click(page, "save")
    until(lambda: text(page, "run-told").startswith("Saved"))
    recipe = load_recipe(str(own))
    assert (recipe.masks.median, recipe.masks.min_fill, recipe.masks.min_believability) == (7, 0.35, 0.55)
    assert own.read_text().startswith("# a street\n")
    stored = MaskReader(one_item(recipe, "street").mask_path)
    assert stored.fingerprint["settings"] == recipe.masks.model_dump(mode="json")
    assert np.array_equal(mask, stored.read(20))
    assert np.array_equal(owners, stored.owners(20))
    assert complaints(page) == []
    assert hosts(page) <= {"127.0.0.1", "data"}


def test_undo_and_redo_by_keys(page: Any) -> None:
    first = text(page, "difference")
    put(page, "set-close", 9, "change")
    put(page, "set-fill_holes", False, "change")
    until(lambda: "fill_holes: false" in text(page, "difference") and "close: 9" in text(page, "difference"))
    press(page, "u")
    until(lambda: "fill_holes" not in text(page, "difference"))
    press(page, "u")
    until(lambda: text(page, "difference") == first)
    assert not page.find_element("id", "undo").is_enabled()
    press(page, "rr")
    until(lambda: "fill_holes: false" in text(page, "difference"))
    page.find_element("id", "reset").click()
    until(lambda: text(page, "difference") == "none")


def test_two_labelers_beside_each_other(page: Any) -> None:
    press(page, "a")
    put(page, "rules-1", "preset paper", "change")
    put(page, "labeler-1", "filled-box", "change")
    one, other = shown(page, 0), shown(page, 1)
    assert page.find_element("id", "canvas-1").is_displayed()
    assert set(np.unique(other)) == {0, 1}
    assert not np.array_equal(one, other)
    assert "fill100.0%" in text(page, "figures-1")


def test_frames_by_keys(page: Any) -> None:
    from selenium.webdriver.common.keys import Keys

    at = frame(page)
    press(page, Keys.ARROW_RIGHT)
    assert frame(page) == at + 1
    press(page, "n")
    telling = page.execute_script("return document.querySelector('#telling [aria-current=true]').dataset.at")
    assert frame(page) == int(telling) > at + 1
    press(page, "p")
    assert frame(page) <= at + 1
    settled(page)
    # Typing into a field is no key.
    page.find_element("id", "set-min_blob").send_keys("n")
    assert frame(page) <= at + 1


def test_settings_that_cannot_be_meant_leave_the_picture(page: Any) -> None:
    before = shown(page)
    put(page, "set-blur_sigma", 3, "change")
    until(lambda: "blur_sigma has no effect without blur" in text(page, "problem"))
    assert page.find_element("id", "problem").is_displayed()
    press(page, "u")
    until(lambda: not page.find_element("id", "problem").is_displayed())
    assert np.array_equal(shown(page), before)


def test_evidence_that_is_replaced_is_told_on_the_page(page: Any, own: Path) -> None:
    before = shown(page)
    path = one_item(load_recipe(str(own)), "street").evidence_path
    shutil.copy(path, own.parent / "other.h5")
    os.replace(own.parent / "other.h5", path)
    put(page, "slide-close", 9, "input")
    until(lambda: "changed on the disk" in text(page, "banner"))
    page.find_element("css selector", "#banner button").click()
    until(lambda: not page.find_element("id", "banner").is_displayed())
    settled(page)
    press(page, "u")
    assert np.array_equal(shown(page), before)


def test_what_another_page_saved_is_told_and_stays(page: Any, own: Path) -> None:
    put(page, "set-close", 9, "change")
    until(lambda: "close: 9" in text(page, "difference"))
    text_before = own.read_text()
    settings = page.execute_script("return fetch('start').then((one) => one.json())")["settings"]
    page.execute_script(
        "const [settings, recipe] = arguments; return fetch('save', {method: 'POST', headers: "
        "{'Content-Type': 'application/json'}, body: JSON.stringify({settings, recipe})})",
        settings | {"min_blob": 7}, settings,
    )  # fmt: skip
    assert own.read_text() != text_before
    click(page, "save")
    until(lambda: "another page has saved" in text(page, "banner"))
    page.find_element("css selector", "#banner button").click()
    until(lambda: "min_blob" in text(page, "difference"))
    settled(page)
    click(page, "save")
    until(lambda: text(page, "run-told").startswith("Saved"))
    masks = load_recipe(str(own)).masks
    assert (masks.close, masks.min_blob) == (9, settings["min_blob"])


def test_masks_by_another_labeler_than_the_recipes_are_told(own: Path, shared: Any) -> None:
    file = RecipeFile(str(own), ["evidence.mog2.warm_up_frames=9"])
    tuner = Tuner(file, items(file.recipe))
    with served(tuner.routes()) as address:
        shared.get(address)
        settled(shared)
        found = text(shared, "banner")
        assert found.startswith("The recipe's labeler mog2 has no evidence here that fits (")
        assert "warm_up_frames: 4 -> 9" in found
        assert found.endswith("are shown by filled-box.")
    tuner.close()


def test_a_server_that_has_ended_is_told(own: Path, shared: Any) -> None:
    with started("tune", own, "--no-browser") as process:
        assert process.stdout is not None
        shared.get(process.stdout.readline().removeprefix("tune: ").strip())
        settled(shared)
    put(shared, "slide-close", 9, "input")
    until(lambda: "The server has ended" in text(shared, "banner"))


def test_hostile_names_are_text(tmp_path: Path, shared: Any) -> None:
    file = RecipeFile(str(write(tmp_path / "r.yaml", tree(tmp_path / "data", tmp_path / "out", HOSTILE))))
    tuner = Tuner(file, items(file.recipe))
    with served(tuner.routes()) as address:
        shared.get_log("browser")
        shared.get(address)
        until(lambda: "no evidence" in text(shared, "banner"))
        assert "<img src=x onerror=alert(1)>\\u202e" in text(shared, "video")
        assert shared.execute_script("return document.querySelectorAll('img[src=x]').length") == 0
        assert complaints(shared) == []
    tuner.close()


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_the_page_fits_the_window_and_every_field_has_a_name(own: Path, size: tuple[int, int]) -> None:
    file = RecipeFile(str(own))
    tuner = Tuner(file, items(file.recipe))
    with served(tuner.routes()) as address, browser(size) as driver:
        driver.get(address)
        settled(driver)
        put(driver, "beside", True, "change")
        settled(driver)
        assert driver.execute_script("return document.documentElement.scrollWidth <= innerWidth")
        nameless = driver.execute_script(
            "const named = e => e.getAttribute('aria-label') || e.labels?.length || e.textContent.trim();"
            "return [...document.querySelectorAll('input, select, button, canvas')]"
            ".filter(e => e.offsetParent && !named(e)).map(e => e.outerHTML)"
        )
        assert nameless == []
        assert driver.execute_script("return document.scripts.length") == 2
        assert {"tune.js", "wire.js"} <= {*SCRIPTS}
    tuner.close()
