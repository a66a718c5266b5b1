"""Report, tuner and review by keyboard and screen reader, light and dark: names, focus, contrast."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from spotlabel.pipeline.pages.review.app import Review
from spotlabel.pipeline.pages.tune.app import Tuner
from spotlabel.pipeline.pages.tune.saving import RecipeFile
from spotlabel.pipeline.recipes.recipe import load_recipe
from spotlabel.pipeline.upkeep.plan import items
from tests.helpers.access import contrasts, hidden_focus, nameless
from tests.helpers.browser import NARROW, browser
from tests.helpers.reports import reported
from tests.helpers.tuning import served, street_recipe
from tests.pipeline.pages.test_gauge import drawn
from tests.pipeline.pages.test_review_browser import ready
from tests.pipeline.pages.test_tune_browser import put, settled

pytestmark = pytest.mark.browser

LEAST = 4.5
"""Contrast that WCAG 2 asks for at level AA."""


@pytest.fixture(scope="module")
def street(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return street_recipe(tmp_path_factory.mktemp("access"), "filled-box")


@pytest.fixture(scope="module")
def addresses(street: Path) -> Iterator[dict[str, str]]:
    recipe = load_recipe(str(street))
    page = street.with_name("report.html")
    reported(recipe, page)
    proposal, queue, _ = drawn(street, 16)
    review = Review("street", recipe, items(recipe), queue, proposal)
    tuner = Tuner(RecipeFile(str(street)), items(recipe))
    with ExitStack() as stack:
        yield {
            "report": page.as_uri(),
            "tune": stack.enter_context(served(tuner.routes())),
            "review": stack.enter_context(served(review.routes())),
        }
    review.close()
    tuner.close()


@pytest.fixture(scope="module", params=["light", "dark", "narrow"])
def driver(request: pytest.FixtureRequest) -> Iterator[Any]:
    size = {"size": NARROW} if request.param == "narrow" else {}
    with browser(**size, dark=request.param == "dark") as one:
        yield one


@pytest.fixture(params=["report", "tune", "review"])
def page(request: pytest.FixtureRequest, driver: Any, addresses: dict[str, str]) -> Any:
    """The page with all of it to be seen."""
    driver.get(addresses[request.param])
    if request.param == "report":
        driver.execute_script("for (const one of document.querySelectorAll('details')) one.open = true")
    elif request.param == "tune":
        settled(driver)
        put(driver, "beside", True, "change")
        settled(driver)
    else:
        ready(driver, 0)
    return driver


def test_names_contrast_and_focus(page: Any) -> None:
    """Every control and picture has a name, every text is readable, and Tab is seen wherever it is."""
    assert nameless(page) == []
    found = contrasts(page)
    assert len(found) > 20
    assert found[0][0] >= LEAST, found[:5]
    stops, unseen = hidden_focus(page)
    assert stops > 10
    assert unseen == []
