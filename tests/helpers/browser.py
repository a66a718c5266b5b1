"""A real browser without a window: Debian's chromium, driven by selenium."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

WIDE, NARROW = (1280, 900), (390, 800)
_FLAGS = (
    "--headless=new",
    "--no-sandbox",  # in containers, tests run as root
    "--disable-gpu",
    "--disable-dev-shm-usage",
    # Chromium's own errands (updates, models, safe browsing) are none of the page's.
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
)


def binary(*names: str) -> str:
    """The first of some programs that is there; says what to do if none is."""
    found = next(filter(None, map(shutil.which, names)), None)
    assert found, f"none of {', '.join(names)} is installed: run the browser's tests with `make test-browser`"
    return found


@contextmanager
def browser(size: tuple[int, int] = WIDE, *, dark: bool = False) -> Iterator[Any]:
    """A fresh browser; what its pages ask for and complain of is logged."""
    from selenium import webdriver
    from selenium.webdriver.chrome.options import Options
    from selenium.webdriver.chrome.service import Service

    options = Options()
    options.binary_location = binary("chromium", "chromium-browser", "google-chrome")
    for flag in _FLAGS:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(binary("chromedriver")))
    try:
        width, height = size
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": size == NARROW}
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
        yield driver
    finally:
        driver.quit()


def requested(driver: Any) -> set[str]:
    """Schemes of everything that pages have asked for since this was last called."""
    messages = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
    asked = [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]
    return {urlsplit(url).scheme for url in asked}


def complaints(driver: Any) -> list[str]:
    """What the browser's console says: scripts that fail, what the page's policy refuses."""
    return [entry["message"] for entry in driver.get_log("browser")]
