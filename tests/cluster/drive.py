"""Label 20 videos on the Slurm that ``scripts/cluster-test.sh`` has set up, while jobs are killed and moved.

``python -m tests.cluster.drive FOLDER``; not a pytest file, since it takes minutes and wants a Slurm.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import yaml

from spotlabel.pipeline.cluster.states import Standing, standings
from spotlabel.pipeline.recipes.recipe import load_recipe
from spotlabel.pipeline.running import start as start_of_child
from tests.conftest import ROOT
from tests.helpers.recipes import environment, leftovers

VIDEOS = 20
_PATIENCE = 900.0
_SPOTLABEL = """#!/bin/sh
exec "{python}" -c 'from spotlabel.pipeline.cli import main; main()' "$@"
"""


class Bench:
    """A folder with recipes that differ in nothing but where their results go."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir(parents=True)
        self.program = root / "spotlabel"
        self.program.write_text(_SPOTLABEL.format(python=sys.executable))
        self.program.chmod(0o755)
        self.expected: dict[str, str] = {}

    def recipe(self, name: str) -> Path:
        """20 small rendered scenes, every fourth from a moving camera, of 30 to 144 frames."""
        scenes = [
            {"name": f"scene {i:02}", "seed": i, "width": 160, "height": 96, "frames": 30 + 6 * i,
             "camera": "moving" if i % 4 == 3 else "fixed"}
            for i in range(VIDEOS)
        ]  # fmt: skip
        tree = {
            "out": str(self.root / name),
            "dataset": {"reader": "synthetic", "scenes": scenes},
            "labeler": {"fixed": "mog2", "moving": "farneback"},
        }
        path = self.root / f"{name}.yaml"
        path.write_text(yaml.safe_dump(tree))
        return path

    def run(self, *arguments: object, code: int = 0) -> str:
        """``spotlabel`` with arguments; what it printed."""
        done = call(str(self.program), *map(str, arguments))
        assert done.returncode == code, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr

    def jobs(self, recipe: Path) -> dict[str, Standing]:
        """What ``spotlabel jobs`` says, by video; asked in this process, since it is asked very often."""
        loaded = load_recipe(str(recipe))
        names = [scene["name"] for scene in loaded.tree["dataset"]["scenes"]]
        return {one.sequence: one for one in standings(loaded.out, names)}

    def check(self, name: str) -> None:
        """The stores are those of the single-process run, and nothing is left over."""
        found = digests(self.root / name)
        wrong = [path for path in {*found, *self.expected} if found.get(path) != self.expected.get(path)]
        assert not wrong, f"{name}: {len(wrong)} stores differ: {sorted(wrong)[:5]}"
        assert not leftovers(self.root / name), leftovers(self.root / name)


def call(*command: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end in this checkout."""
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env=environment(OMP_NUM_THREADS="1", **env),
    )


def slurm(*command: str, **env: str) -> str:
    """Run a command of Slurm that has to succeed."""
    done = call(*command, **env)
    assert done.returncode == 0, f"{command}: {done.stderr}"
    return done.stdout.strip()


def digests(out: Path) -> dict[str, str]:
    """sha256 of every evidence and mask file."""
    return {
        str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in out.rglob("*.h5")
    }


def told(text: str) -> None:
    print(f"[{time.monotonic() - STARTED:6.1f} s] {text}", flush=True)


def until(what: str, happened: Callable[[], Any]) -> Any:
    """Wait for something; its value."""
    end = time.monotonic() + _PATIENCE
    while not (value := happened()):
        assert time.monotonic() < end, f"waited {_PATIENCE:.0f} s in vain: {what}"
        time.sleep(0.3)
    return value


def running(bench: Bench, recipe: Path, at_least: int, besides: set[str]) -> list[str]:
    rows = bench.jobs(recipe).items()
    names = [name for name, row in rows if row.state == "running" and name not in besides]
    return names if len(names) >= at_least else []


def process_of(job: str, module: str) -> psutil.Process | None:
    """The process of a job that runs a Python module; not the srun that has started it."""
    raw = slurm("squeue", "--noheader", f"--jobs={job}", "--format=%A")
    for process in psutil.process_iter():
        try:
            words = process.cmdline()
            mine = module in words and "srun" not in words
            if mine and process.environ().get("SLURM_JOB_ID") == raw:
                return process
        except psutil.Error:
            continue
    return None


def submitted(bench: Bench) -> None:
    """(a) A job array, with everything that happens to jobs."""
    recipe = bench.recipe("submit")
    print(bench.run("submit", recipe, "--slurm").rstrip())
    again = bench.run("submit", recipe, "--slurm")
    assert "left alone" in again
    assert "nothing to hand in" in again
    victims: dict[str, str] = {}

    def victim(fate: str) -> tuple[str, str]:
        name = until(f"a running job to be {fate}", lambda: running(bench, recipe, 1, {*victims}))[0]
        victims[name] = fate
        record = bench.jobs(recipe)[name].record
        assert record is not None
        return name, record.job

    def signalled(fate: str, module: str, number: signal.Signals) -> str:
        process = None
        while process is None:  # it may have ended just now: then another one
            name, job = victim(fate)
            process = process_of(job, module)
        process.send_signal(number)
        return name

    crashed = signalled("crashed", start_of_child.__name__, signal.SIGKILL)
    told(f"{crashed}: its labelling process killed (kill -9)")
    lost = signalled("killed", "submitit.core._submit", signal.SIGKILL)
    told(f"{lost}: its job killed (kill -9)")
    name, job = victim("requeued")
    slurm("scontrol", "requeue", job)
    told(f"{name}: requeued by the administrator (scontrol requeue)")
    # Not by scancel, which goes on trying and would hit the job again when it has just been started anew.
    preempted = signalled("preempted", "submitit.core._submit", signal.SIGUSR2)
    told(f"{preempted}: told that it is preempted (USR2), requeued by submitit")
    drained(bench, recipe)
    ended = until("the end of all jobs", lambda: all_ended(bench, recipe))
    told(f"all jobs ended: {counts(ended)}; fates: {victims}")
    assert "trying once more" in bench.run("log", recipe, crashed)
    assert "Calling checkpoint method" in bench.run("log", recipe, preempted)
    assert [name for name, one in ended.items() if one.state != "done"] == [lost]
    assert ended[lost].state == "lost", ended[lost]
    listed = json.loads(call(str(bench.program), "jobs", str(recipe), "--json").stdout)
    assert [row["sequence"] for row in listed if row["masks"] != "fresh"] == [lost]
    print(bench.run("log", recipe, lost, "--lines", 3).rstrip())
    told(bench.run("submit", recipe, "--slurm", "--wait", "600").strip().replace("\n", "; "))
    bench.check("submit")
    told("stores equal those of the single process")


def drained(bench: Bench, recipe: Path) -> None:
    node = slurm("sinfo", "--noheader", "--format=%n")
    slurm("scontrol", "update", f"nodename={node}", "state=drain", "reason=test")
    until("the drained node to be empty", lambda: "running" not in states(bench, recipe))
    waiting = list(states(bench, recipe)).count("waiting")
    assert waiting > 0, "nothing was left to wait while the node was drained"
    told(f"node drained and empty; {waiting} jobs wait: {why_waiting(bench, recipe)}")
    slurm("scontrol", "update", f"nodename={node}", "state=resume")
    told("node resumed")


def states(bench: Bench, recipe: Path) -> list[str]:
    return [row.state for row in bench.jobs(recipe).values()]


def why_waiting(bench: Bench, recipe: Path) -> str:
    return ", ".join(sorted({row.detail for row in bench.jobs(recipe).values() if row.state == "waiting"}))


def all_ended(bench: Bench, recipe: Path) -> dict[str, Standing]:
    rows = bench.jobs(recipe)
    return {} if any(row.state in ("waiting", "running") for row in rows.values()) else rows


def counts(rows: dict[str, Standing]) -> str:
    found = [row.state for row in rows.values()]
    return ", ".join(f"{found.count(state)} {state}" for state in sorted({*found}))


def scripted(bench: Bench) -> None:
    """(b) The plain sbatch scripts with four shards, and the gathering that depends on them."""
    recipe = bench.recipe("sbatch")
    env = {"SPOTLABEL": str(bench.program)}
    small = ["--parsable", "--cpus-per-task=1", "--mem=2G", f"--chdir={bench.root}"]
    scripts = ROOT / "workflows" / "slurm"
    array = slurm("sbatch", *small, "--array=1-4", str(scripts / "label.sbatch"), str(recipe), **env)
    gather = slurm(
        "sbatch", *small, f"--dependency=afterany:{array}", str(scripts / "gather.sbatch"), str(recipe), **env
    )
    told(f"array {array} of 4 shards, gathering job {gather}")
    ask = ("squeue", "--noheader", "--states=all", f"--jobs={gather}", "--format=%T")
    until("the gathering", lambda: slurm(*ask) in ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT"))
    log = (bench.root / f"spotlabel-gather-{gather}.log").read_text()
    assert f"all {VIDEOS} videos are up to date" in log, log
    told(f"gathering: {log.strip().splitlines()[-1]}")
    bench.check("sbatch")
    told("stores equal those of the single process")


def by_hand(bench: Bench) -> None:
    """(c) Any number of jobs, and shards in any order."""
    for jobs in (2, 8):
        bench.run("label", bench.recipe(f"jobs{jobs}"), "--jobs", jobs, "--quiet")
        bench.check(f"jobs{jobs}")
        told(f"--jobs {jobs}: stores equal those of --jobs 1")
    order = [1, 2, 3, 4]
    random.Random(5).shuffle(order)
    for index in order:
        bench.run("label", bench.recipe("shards"), "--shard", f"{index}/4", "--quiet")
    bench.check("shards")
    told(f"4 shards in the order {order}: stores equal those of --jobs 1")


def main(folder: Path) -> None:
    bench = Bench(folder)
    bench.run("label", bench.recipe("single"), "--jobs", 1, "--quiet")
    bench.expected = digests(bench.root / "single")
    assert len(bench.expected) == 2 * VIDEOS
    told(f"single process: {len(bench.expected)} stores of {VIDEOS} videos")
    submitted(bench)
    scripted(bench)
    by_hand(bench)
    told(f"PASSED on {os.cpu_count()} processors")
    shutil.rmtree(folder)


STARTED = time.monotonic()
if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is ended, too
    main(Path(sys.argv[1]))
