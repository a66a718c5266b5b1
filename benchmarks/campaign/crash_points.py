"""R1 and R5 below Python: every single system call of one video's stores fails, or is the last one."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.campaign.bench import Bench, Whole, differences, label, surroundings, unfinished
from benchmarks.campaign.result import Result, Tally, not_run
from benchmarks.campaign.shim import KILLING, Mode, NoShimError, build
from spotlabel.pipeline.running import start as start_of_child
from tests.helpers.recipes import leftovers

_WHAT = {
    Mode.KILL: ("R1", "killed before the nth call"),
    Mode.TORN: ("R1", "killed in the middle of the nth call"),
    Mode.FULL: ("R5", "no space (ENOSPC) from the nth call on"),
    Mode.BROKEN: ("R5", "input/output error (EIO) at the nth call"),
    Mode.SHORT: ("R5", "half a write at the nth call"),
}
_CALLS = "write, pwrite, fsync, ftruncate, rename and close on files below the output folder"
_COMMAND = {"the worker": start_of_child.__name__, "the command itself": "spotlabel.pipeline.cli"}


def run(bench: Bench) -> Iterator[Result]:
    """Sweep all calls of a worker, from nothing and over old stores; then some through the command line."""
    try:
        library = build(bench.folder)
    except NoShimError as why:
        for row, fault in _WHAT.values():
            yield not_run(row, fault, _CALLS, str(why))
        return
    for mode in _WHAT:
        yield sweep(bench, library, mode)
    yield _through_the_command_line(bench, library, "the worker")
    yield _through_the_command_line(bench, library, "the command itself")


def sweep(bench: Bench, library: Path, mode: Mode) -> Result:
    """Make every call of one video's labelling suffer one mode, and judge each attempt."""
    row, fault = _WHAT[mode]
    whole = bench.whole(1)
    old = _old_stores(bench, whole)
    tries = [(start, calls) for start in (None, old) for calls in [_calls(bench, library, whole, start)]]
    chosen = [(start, range(1, calls + 1, bench.counts.every_call)) for start, calls in tries]
    how = (
        f"a shim under libc ({_CALLS}): n runs over all {tries[0][1]} calls of a first run and all "
        f"{tries[1][1]} of one that replaces older stores. After each: final names hold whole stores, old or "
        "new; an error names the output; the next run gives equal bytes and clears up"
    )
    tally = Tally(row, fault, how, sum(len(calls) for _, calls in chosen))
    done = 0
    for start, calls in chosen:
        for found in _attempts(bench, library, whole, start, [(mode, call) for call in calls]):
            where = f"call {found['call']}{' over old stores' if start else ''}"
            tally.record(where, _problems(found, mode, whole, start))
            done += found["code"] == 0
    return tally.result(f"{done} of the runs ended whole in spite of it" if mode not in KILLING else "")


def _old_stores(bench: Bench, whole: Whole) -> Path:
    """Finished stores of the same video with other settings."""
    out = bench.folder / "old" / "out"
    if not out.exists():
        out.parent.mkdir()
        done = label(bench.recipe(whole, out, evidence={"mog2": {"history": 50}}, masks={"min_blob": 7}))
        assert not done.returncode, done.stderr
    return out


def _calls(bench: Bench, library: Path, whole: Whole, start: Path | None) -> int:
    (found,) = _attempts(bench, library, whole, start, [(Mode.COUNT, 0)])
    assert not found["error"], found["error"]
    return int(found["calls"])


def _attempts(
    bench: Bench, library: Path, whole: Whole, start: Path | None, attempts: list[tuple[Mode, int]]
) -> list[dict[str, Any]]:
    """What became of each attempt, as ``crash_child`` tells it."""
    out = bench.folder / "crash" / "out"
    out.parent.mkdir(exist_ok=True)
    old = str(start) if start else None
    job = {"tree": whole.tree, "out": str(out), "old": old, "attempts": attempts}
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.campaign.crash_child", json.dumps(job)],
        capture_output=True, text=True, check=False, env=surroundings(LD_PRELOAD=str(library)),
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"crash_child failed: {done.stderr.strip()}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def _problems(found: dict[str, Any], mode: Mode, whole: Whole, start: Path | None) -> list[str]:
    """Promises that one attempt broke."""
    expected = _digests(whole.stores)
    allowed = [expected, _digests(_bytes_below(start)) if start else {}]
    problems = [
        f"{name} stands under its final name, neither old nor new"
        for name, digest in found["stores"].items()
        if all(digest != known.get(name) for known in allowed)
    ]
    if mode in KILLING:
        problems += [] if found["code"] == -9 else [f"was not killed but ended with {found['code']}"]
    else:
        problems += _told(found, mode, expected)
    after = found["next"]
    if after["error"] or after["code"] or after["leftovers"] or after["stores"] != expected:
        problems.append(f"the next run: {after['error'] or 'other bytes or partial files'}")
    return problems


def _told(found: dict[str, Any], mode: Mode, expected: dict[str, str]) -> list[str]:
    """Of a run that was not killed: either it is whole, or it says where and why it is not."""
    problems = [f"{found['leftovers']} partial files left"] if found["leftovers"] else []
    if not found["struck"]:
        problems.append("the call was never reached")
    if found["code"] == 0:
        return problems + ([] if found["stores"] == expected else ["ended well with other bytes"])
    error = found["error"]
    words = {Mode.FULL: "No space left", Mode.BROKEN: "Input/output error", Mode.SHORT: "short write"}
    if "/out/" not in error or words[mode] not in error or "TRACEBACK" in error:
        problems.append(f"the error does not say what failed where: {error!r}")
    return problems


def _bytes_below(out: Path) -> dict[str, bytes]:
    return {str(path.relative_to(out)): path.read_bytes() for path in out.rglob("*.h5")}


def _digests(contents: dict[str, bytes]) -> dict[str, str]:
    return {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}


def _through_the_command_line(bench: Bench, library: Path, who: str) -> Result:
    """The same faults in real processes: exit code and the line a user sees."""
    whole = bench.whole(1)
    calls = _calls(bench, library, whole, None) if who == "the worker" else 24
    draw, modes = bench.draw(who), [mode for mode in _WHAT if mode != Mode.SHORT]
    tally = Tally(
        "R5",
        f"a failing or last call in {who}",
        "as above through `spotlabel label`: exit code, the line on stderr, no traceback; then the same "
        "command again: equal bytes",
        len(modes) * bench.counts.whole_runs,
    )
    for mode in modes:
        for _ in range(bench.counts.whole_runs):
            call = draw.randint(1, calls)
            out = bench.fresh("command") / "out"
            recipe = bench.recipe(whole, out)
            faults = {"FAULT_FOLDER": str(out), "FAULT_NTH": str(call), "FAULT_MODE": str(int(mode))}
            done = label(recipe, LD_PRELOAD=str(library), FAULT_ONLY=_COMMAND[who], **faults)
            problems = [*unfinished(out, whole.stores), *_seen(done, out, whole, mode)]
            again = label(recipe)
            if again.returncode:
                problems.append(f"the next run failed: {again.stderr.strip()}")
            tally.record(f"{mode.name} at call {call}", problems + differences(out, whole.stores))
    return tally.result()


def _seen(done: subprocess.CompletedProcess[str], out: Path, whole: Whole, mode: Mode) -> list[str]:
    """What a user sees of one failing call."""
    problems = ["a traceback"] if "Traceback" in done.stderr else []
    if done.returncode == 0:
        return problems + differences(out, whole.stores)
    if done.returncode > 0 and not any(word in done.stderr for word in (str(out), "SIGKILL")):
        problems.append(f"the error names no file: {done.stderr.strip()!r}")
    if done.returncode > 0 and mode not in KILLING and leftovers(out):
        problems.append("partial files left")
    return problems
