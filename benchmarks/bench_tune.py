"""From slider to picture: how long the tuner takes at 960x540, in a real browser and in the server alone.

    python -m benchmarks.bench_tune [--moves 100]

A rendered street is labelled first. Browser: from the slider's event to the canvas painted, by the page's own
clock. Server: from the request to the answer's bytes.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

from spotlabel.pipeline.pages.serving.server import PageServer
from spotlabel.pipeline.pages.tune.app import Tuner
from spotlabel.pipeline.pages.tune.form import flat
from spotlabel.pipeline.pages.tune.saving import RecipeFile
from spotlabel.pipeline.running.job import run_sequence
from spotlabel.pipeline.upkeep.plan import items
from tests.helpers.browser import browser

SIZE = (540, 960)
FRAMES = 60
SLIDERS = ("slide-min_believability", "slide-close", "slide-min_fill", "slide-median", "slide-min_blob")


def recipe(folder: Path) -> RecipeFile:
    """A street of 960x540 with evidence and masks."""
    height, width = SIZE
    path = folder / "bench.yaml"
    path.write_text(
        f"out: {folder}/out\nlabeler: mog2\ndataset:\n  reader: synthetic\n  scenes:\n"
        f"  - {{name: street, frames: {FRAMES}, width: {width}, height: {height}, density: 0.9}}\n"
    )
    file = RecipeFile(str(path))
    outcome = run_sequence(file.recipe, "street", False, lambda *_: None)
    assert not outcome.failed, outcome.error
    return file


def in_server(tuner: Tuner, moves: int) -> list[float]:
    """Milliseconds of each answer, every one of settings that were not asked for before."""
    facts = json.loads(tuner.video({"video": "0"}).body)
    base = flat(tuner.file.recipe.masks)
    spent = []
    for move in range(moves):
        settings = {**base, "min_believability": round(0.2 + 0.005 * move, 4)}
        asked = {"video": 0, "edition": facts["edition"], "frame": FRAMES - 5,
                 "panes": [{"labeler": "mog2", "settings": settings}]}  # fmt: skip
        began = time.perf_counter()
        tuner.masks(asked)
        spent.append(1e3 * (time.perf_counter() - began))
    return spent


def in_browser(address: str, moves: int) -> list[float]:
    """Milliseconds from each slider's event to the painted canvas, by the page's own clock."""
    spent = []
    with browser((1400, 1000)) as driver:
        driver.get(address)
        _settled(driver)
        _move(driver, "place", FRAMES - 5)
        for move in range(moves):
            slider = SLIDERS[move % len(SLIDERS)]
            low, high = driver.execute_script(
                "const e = document.getElementById(arguments[0]); return [Number(e.min), Number(e.max)]",
                slider,
            )
            share = (move // len(SLIDERS) + 1) / (moves // len(SLIDERS) + 1) / 2
            spent.append(_move(driver, slider, low + (high - low) * share))
    return spent


def _move(driver: Any, name: str, value: float) -> float:
    driver.execute_script(
        "const e = document.getElementById(arguments[0]);"
        "document.getElementById('stage').dataset.settled = 'false';"
        "e.value = arguments[1]; e.dispatchEvent(new Event('input'))",
        name, value,
    )  # fmt: skip
    _settled(driver)
    return float(driver.execute_script("return document.getElementById('stage').dataset.ms"))


def _settled(driver: Any) -> None:
    while driver.execute_script("return document.getElementById('stage').dataset.settled") != "true":
        time.sleep(0.02)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="From slider to picture at 960x540.")
    parser.add_argument("--moves", type=int, default=100, help="moves of a slider")
    moves = parser.parse_args().moves
    with tempfile.TemporaryDirectory() as folder:
        file = recipe(Path(folder))
        tuner = Tuner(file, items(file.recipe))
        tell("server, answer", in_server(tuner, moves))
        server = PageServer(0)
        threading.Thread(target=server.serve, args=(tuner.routes(),), daemon=True).start()
        tell("browser, slider to picture", in_browser(server.guard.address, moves))
        server.shutdown()
        tuner.close()


def tell(what: str, spent: list[float]) -> None:
    """One line."""
    median, high = np.percentile(spent, [50, 95])
    print(f"{what}: median {median:.0f} ms, 95th percentile {high:.0f} ms, of {len(spent)} at 960x540")


if __name__ == "__main__":
    main()
