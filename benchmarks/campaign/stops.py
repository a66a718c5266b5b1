"""R2: a polite signal at a random instant; R3 and R4: a worker that dies."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from benchmarks.campaign.bench import Bench, differences, end, family_of, label, start, unfinished
from benchmarks.campaign.result import Result, Tally
from spotlabel.pipeline.running import start as start_of_child
from tests.helpers.recipes import crash_labeler, environment, leftovers, stores, video

_GRACE = 5.0
"""Seconds that a scheduler usually leaves between its SIGTERM and its SIGKILL."""
_WORKER = start_of_child.__name__


def run(bench: Bench) -> Iterator[Result]:
    """Signals to the command; signals to a worker; a labeler that crashes."""
    yield _stops(bench)
    yield _lost_workers(bench)
    yield _crashes(bench)


def _stops(bench: Bench) -> Result:
    whole, draw = bench.whole(bench.counts.videos), bench.draw("stops")
    tally = Tally(
        "R2",
        "SIGTERM or SIGINT at any instant",
        f"to `spotlabel label` over {len(whole.names)} videos: ends in under {_GRACE:.0f} s with 128 + "
        "signal, a line says how to go on, no child, no partial file left; the next run gives equal bytes",
        bench.counts.stops,
    )
    longest = 0.0
    while tally.count < bench.counts.stops:
        number = (signal.SIGTERM, signal.SIGINT)[tally.count % 2]
        out = bench.fresh("stops") / "out"
        recipe = bench.recipe(whole, out)
        process = start(recipe)
        try:
            # Signals during Python's own start, before the command has one line of its own, end it at once.
            time.sleep(bench.idle_seconds + draw.uniform(0, max(0.1, whole.seconds - bench.idle_seconds)))
            family = family_of(process)
            if process.poll() is not None:
                continue
            process.send_signal(number)
            sent = time.perf_counter()
            _, errors = process.communicate(timeout=60)
        finally:
            process.kill()
            process.communicate()
        spent = time.perf_counter() - sent
        if process.returncode in (0, -number) and stores(out) == whole.stores:
            continue  # the work was done when the signal came
        longest = max(longest, spent)
        problems = unfinished(out, whole.stores) + [f"left behind: {path.name}" for path in leftovers(out)]
        problems += [f"took {spent:.1f} s"] if spent > _GRACE else []
        problems += [] if process.returncode == 128 + number else [f"ended with {process.returncode}"]
        problems += [] if "run the same command again" in errors else [f"said {errors.strip()!r}"]
        problems += ["a child lives on"] if psutil.wait_procs(family, timeout=1)[1] else []
        if label(recipe).returncode:
            problems.append("the next run failed")
        tally.record(f"{number.name} {tally.count + 1}", problems + differences(out, whole.stores))
    return tally.result(f"the slowest end took {longest:.1f} s")


def _lost_workers(bench: Bench) -> Result:
    """Kill -9 to one worker, as the kernel does when memory runs out: once, and both times it is tried."""
    whole, draw = bench.whole(3, frames=300), bench.draw("lost workers")
    tally = Tally(
        "R3",
        "kill -9 of one worker",
        "as the kernel does when memory runs out. Killed once: a line says so, it is tried again, all bytes "
        "are equal. Killed twice: that video is reported, the others are whole, exit code 1",
        bench.counts.lost_workers,
    )
    while tally.count < bench.counts.lost_workers:
        twice = bool(tally.count % 2)
        out = bench.fresh("lost") / "out"
        process = start(bench.recipe(whole, out))
        try:
            victims = _kill_workers(process, 2 if twice else 1, draw.uniform(0.0, 0.3))
            _, errors = process.communicate(timeout=300)
        finally:
            process.kill()
            process.communicate()
        problems = ["no second try"] if "trying once more" not in errors else []
        if twice and victims == 2:
            problems += (
                [] if process.returncode == 1 and "1 of 3 videos failed" in errors else [errors.strip()]
            )
            problems += [] if len(stores(out)) in (4, 5) else [f"{len(stores(out))} stores"]
            problems += unfinished(out, whole.stores)
        else:
            problems += [] if process.returncode == 0 else [f"ended with {process.returncode}"]
            problems += differences(out, whole.stores)
        tally.record(f"worker {tally.count + 1}", problems)
    return tally.result()


def _kill_workers(process: subprocess.Popen[str], times: int, delay: float) -> int:
    """Kill the worker of the first video as often as it is started; how often that was."""
    victim, killed, seen = "", 0, set()
    deadline = time.monotonic() + 120
    while killed < times and time.monotonic() < deadline and process.poll() is None:
        for child in _workers(process.pid):
            if child.pid in seen:
                continue
            time.sleep(delay + 0.2)
            name = _video_of(child)
            if name and name == (victim or name):
                victim, killed = name, killed + 1
                seen.add(child.pid)
                end([child])
                break
        time.sleep(0.02)
    return killed


def _workers(pid: int) -> list[psutil.Process]:
    try:
        children = psutil.Process(pid).children(recursive=True)
        return [child for child in children if _WORKER in " ".join(child.cmdline())]
    except psutil.NoSuchProcess:
        return []


def _video_of(worker: psutil.Process) -> str:
    """The video that a worker labels, told by the partial log file that it prints into; empty if unknown."""
    try:
        target = os.readlink(f"/proc/{worker.pid}/fd/1")
    except OSError:
        return ""
    return Path(target).name.partition(".log.")[0].lstrip(".")


_CRASH = """
if clip.size[0] == 56 and number == 6:
    ctypes.string_at(0)
"""


def _crashes(bench: Bench) -> Result:
    whole = bench.whole(2)
    tally = Tally(
        "R4",
        "a labeler that crashes in native code",
        "a read of address 0 in the middle of one of three videos: tried once more, then reported as "
        "SIGSEGV; exit code 1; the other two are whole, nothing of the third stands under a final name",
        bench.counts.crashes,
    )
    folder = bench.fresh("crashing")
    video(folder / "data", "bad", height=56)
    for name in whole.names:
        (folder / "data" / name).symlink_to(Path(whole.tree["data"], name))
    path = os.pathsep.join((str(crash_labeler(folder / "site", _CRASH)), environment()["PYTHONPATH"]))
    for number in range(bench.counts.crashes):
        out = bench.fresh("crashed") / "out"
        recipe = bench.recipe(whole, out, data=str(folder / "data"), labeler="crash", evidence={})
        done = label(recipe, PYTHONPATH=path)
        expected = sorted(f"{part}/{name}.h5" for part in ("evidence/crash", "masks") for name in whole.names)
        problems = [] if sorted(stores(out)) == expected else [f"stores: {sorted(stores(out))}"]
        problems += [] if done.returncode == 1 else [f"ended with {done.returncode}"]
        words = ("trying once more", "killed by SIGSEGV", "1 of 3 videos failed; the others are whole")
        problems += [f"did not say {word!r}" for word in words if word not in done.stderr]
        problems += [f"left behind: {path.name}" for path in leftovers(out)]
        tally.record(f"crash {number + 1}", problems)
    return tally.result()
