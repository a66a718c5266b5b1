"""R21: memory over a video of 10,000 frames."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator

from benchmarks.campaign.bench import Bench, surroundings
from benchmarks.campaign.result import Result, Tally
from tests.helpers.recipes import video

_LABELERS = ("filled-box", "mog2", "boxbg")
_ALLOWED = 0.05


def run(bench: Bench) -> Iterator[Result]:
    """Resident memory of a worker after a fifth of the frames and in all that follow."""
    frames = bench.counts.long_video
    tally = Tally(
        "R21",
        f"a video of {frames:,} frames",
        f"the evidence and the mask stage of one worker ({', '.join(_LABELERS)}) over frames of 64x48 "
        f"pixels: resident memory after a fifth of the frames, then the most: {_ALLOWED:.0%} more allowed",
        len(_LABELERS),
    )
    folder = bench.fresh("memory")
    video(folder / "data", "long", frames)
    told = []
    for labeler in _LABELERS:
        tree = {"data": str(folder / "data"), "out": str(folder / labeler), "dataset": {"reader": "mot"}}
        recipe = json.dumps({**tree, "labeler": labeler})
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.campaign.memory_child", recipe],
            capture_output=True, text=True, check=False, env=surroundings(),
        )  # fmt: skip
        if done.returncode:
            tally.record(labeler, [done.stderr.strip().splitlines()[-1]])
            continue
        seen = json.loads(done.stdout)
        problems = []
        for stage, (early, most) in seen.items():
            told.append(f"{labeler} {stage} {early:.0f} to {most:.0f} MiB ({most / early - 1:+.1%})")
            if most > early * (1 + _ALLOWED):
                problems.append(f"{stage}: {early:.0f} MiB grew to {most:.0f} MiB")
        tally.record(labeler, problems)
    yield tally.result("; ".join(told))
