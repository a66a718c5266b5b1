"""Large pages in a real browser: the report, the tuner and the review of many videos, one of them long.

    python -m benchmarks.bench_pages [--videos 200] [--frames 1000] [--report 100]

Rendered streets of 20 frames (320x180, the labeler filled-box) as images, the first one of many frames. Told
of each page: from the command to its address, from there to the first paint and until it can be used, what
scrolling does, and the memory of its scripts.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2

from spotlabel.pipeline.datasets.synthetic import SceneFrames
from spotlabel.pipeline.pages.report.make import make_report
from spotlabel.pipeline.pages.report.write import Asked
from spotlabel.pipeline.recipes.recipe import load_recipe
from spotlabel.pipeline.running.job import run_sequence
from spotlabel.pipeline.synthetic.settings import SceneSettings
from spotlabel.pipeline.upkeep.plan import items
from tests.helpers.browser import browser
from tests.helpers.recipes import started

SHORT, WIDTH, HEIGHT = 20, 320, 180
SCROLL = """
const done = arguments[arguments.length - 1], gaps = [], long = [];
new PerformanceObserver((list) => long.push(...list.getEntries().map((e) => e.duration)))
  .observe({type: 'longtask'});
const steps = 60, far = document.documentElement.scrollHeight;
let step = 0, last = null;
const next = (now) => {
  if (last !== null) gaps.push(now - last);
  last = now;
  scrollTo(0, (far * step) / steps);
  if (step++ < steps) requestAnimationFrame(next);
  else setTimeout(() => done({gaps, long}), 300);
};
requestAnimationFrame(next);
"""
"""Down the page in 60 steps: milliseconds between pictures, and tasks of more than 50."""


def recipe(folder: Path, videos: int, frames: int) -> Path:
    """Image folders with evidence and masks: a rendered street that goes round and round in each of them."""
    street = SceneFrames(SceneSettings(frames=SHORT, width=WIDTH, height=HEIGHT, density=0.4))
    boxes, drawn = street.annotations().boxes, []
    for index in range(SHORT):
        drawn.append(folder / f"{index}.jpg")
        assert cv2.imwrite(str(drawn[-1]), street.read(index))
    for k in range(videos):
        images, gt = folder / "data" / f"street-{k:03}" / "img1", folder / "data" / f"street-{k:03}" / "gt"
        images.mkdir(parents=True)
        gt.mkdir()
        rows = []
        for number in range(1, (SHORT if k else frames) + 1):
            index = number % SHORT
            os.link(drawn[index], images / f"{number:06}.jpg")
            tracks = boxes.track_id[boxes.rows(index)].tolist()
            for (x0, y0, x1, y1), track in zip(boxes.at(index).tolist(), tracks, strict=True):
                rows.append(f"{number},{track},{x0 + 1},{y0 + 1},{x1 - x0},{y1 - y0},1,3,1")
        (gt / "gt.txt").write_text("\n".join(rows))
    path = folder / "bench.yaml"
    path.write_text(
        f"data: {folder}/data\nout: {folder}/out\ndataset: {{reader: mot}}\nlabeler: filled-box\n"
    )
    loaded = load_recipe(str(path))
    for sequence in loaded.sequences():
        outcome = run_sequence(loaded, sequence.name, False, lambda *_: None)
        assert not outcome.failed, outcome.error
    return path


def report(path: Path, videos: int) -> Path:
    """The report of the first videos."""
    loaded = load_recipe(str(path))
    target = path.with_name(f"report-{videos}.html")
    began, worked = time.perf_counter(), time.process_time()
    make_report(loaded, items(loaded)[:videos], target, Asked("Labels", ("spotlabel label bench.yaml",)))
    spent, work = time.perf_counter() - began, time.process_time() - worked
    print(
        f"report of {videos} videos: {spent:.1f} s, {work:.1f} of CPU, {target.stat().st_size / 1e6:.1f} MB"
    )
    return target


def visit(driver: Any, name: str, address: str, usable: Callable[[], Any]) -> None:
    """Open a page, and tell how it does."""
    driver.get("about:blank")
    began = time.perf_counter()
    driver.get(address)
    until(usable)
    ready = time.perf_counter() - began
    paint = driver.execute_script(
        "return performance.getEntriesByName('first-contentful-paint')[0].startTime"
    )
    driver.set_script_timeout(120)
    moved = driver.execute_async_script(SCROLL)
    heap = driver.execute_script("return performance.memory.usedJSHeapSize") / 1e6
    nodes = driver.execute_script("return document.querySelectorAll('*').length")
    gaps = sorted(moved["gaps"])
    print(
        f"{name}: first paint {paint:.0f} ms, usable after {1000 * ready:.0f} ms; scrolling: a picture in "
        f"{statistics.median(gaps):.0f} ms, at most {gaps[-1]:.0f}, {len(moved['long'])} tasks over 50 ms "
        f"(longest {max(moved['long'], default=0):.0f}); {nodes} elements, {heap:.0f} MB of scripts"
    )


@contextmanager
def page(command: str, path: Path, *more: object) -> Iterator[str]:
    """The address of a served page; tells how long the command took to give it."""
    began = time.perf_counter()
    with started(command, path, "--no-browser", *more) as process:
        assert process.stdout is not None
        address = process.stdout.readline().removeprefix(f"{command}: ").strip()
        print(f"{command}: its address after {time.perf_counter() - began:.1f} s")
        yield address


def tuner(driver: Any, path: Path, frames: int) -> None:
    """The tuner, and going through the frames of the long video."""
    settled = "return document.getElementById('stage')?.dataset.settled === 'true'"
    with page("tune", path) as address:
        visit(driver, "tuner", address, lambda: driver.execute_script(settled))
        spent = []
        for step in range(40):
            driver.execute_script(
                "document.getElementById('stage').dataset.settled = 'false';"
                "const e = document.getElementById('place'); e.value = arguments[0];"
                "e.dispatchEvent(new Event('input'))",
                (step * 37) % frames,
            )
            until(lambda: driver.execute_script(settled))
            spent.append(float(driver.execute_script("return document.getElementById('stage').dataset.ms")))
        tell("tuner, another frame", spent)


def review(driver: Any, path: Path) -> None:
    """The review, and deciding a hundred boxes."""
    state = (
        "const d = document.getElementById('canvas')?.dataset; return d?.ready === 'true' ? Number(d.at) : -1"
    )
    canvas = "return document.getElementById('canvas').dataset"
    with page("review", path) as address:
        visit(driver, "review", address, lambda: driver.execute_script(state) == 0)
        body = driver.find_element("tag name", "body")
        shown, whole = [], []
        for at in range(100):
            body.send_keys("f")
            until(lambda at=at: driver.execute_script(state) == at + 1)
            until(lambda: driver.execute_script(f"{canvas}.whole !== undefined"))
            shown.append(float(driver.execute_script(f"{canvas}.ms")))
            whole.append(float(driver.execute_script(f"{canvas}.whole")))
            driver.execute_script(f"delete {canvas.removeprefix('return ')}.whole")
        tell("review, next box, by the page's clock", shown)
        tell("review, from the key until the next box is seen, the decision written", whole)


def until(done: Callable[[], Any]) -> None:
    """Wait for something."""
    while not done():
        time.sleep(0.005)


def tell(what: str, spent: list[float]) -> None:
    """One line."""
    spent = sorted(spent)
    high = spent[int(0.95 * (len(spent) - 1))]
    print(f"{what}: median {statistics.median(spent):.0f} ms, 95th percentile {high:.0f} ms, of {len(spent)}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Large pages in a real browser.")
    parser.add_argument("--videos", type=int, default=200, help="videos of the recipe")
    parser.add_argument("--frames", type=int, default=1000, help="frames of the first one")
    parser.add_argument("--report", type=int, default=100, help="videos of the report")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as own:
        path = recipe(Path(own), asked.videos, asked.frames)
        targets = {count: report(path, count) for count in dict.fromkeys([asked.report, asked.videos])}
        with browser((1400, 1000)) as driver:
            for count, target in targets.items():
                name = f"report of {count} videos"
                visit(driver, name, target.as_uri(), lambda: True)
            tuner(driver, path, asked.frames)
            review(driver, path)


if __name__ == "__main__":
    main()
