"""Labels one long video and prints each stage's resident MiB: after a fifth of the frames, and the most.

``python -m benchmarks.campaign.memory_child TREE``: TREE is a recipe with one video as JSON.
"""

from __future__ import annotations

import json
import sys
from functools import partial

import cv2
import psutil

from spotlabel.pipeline.recipes.recipe import build_recipe
from spotlabel.pipeline.running.job import run_sequence
from spotlabel.pipeline.upkeep.plan import items


def watch(seen: dict[str, list[float]], stage: str, done: int, total: int) -> None:
    """Note the memory at a fifth of the frames and whenever it is higher later."""
    if done < total // 5 or done % 10:
        return
    now = psutil.Process().memory_info().rss / 2**20
    early_and_most = seen.setdefault(stage, [now, now])
    early_and_most[1] = max(early_and_most[1], now)


def main() -> None:
    """Label the video of the recipe on the command line."""
    cv2.setNumThreads(1)
    recipe = build_recipe(json.loads(sys.argv[1]))
    (item,) = items(recipe)
    seen: dict[str, list[float]] = {}
    outcome = run_sequence(recipe, item.sequence.name, False, partial(watch, seen))
    if outcome.failed or seen.keys() != {"evidence", "masks"}:
        sys.exit(outcome.error or f"stages seen: {sorted(seen)}")
    print(json.dumps(seen))


if __name__ == "__main__":
    main()
