"""R8: two writers of one video at once, in two processes and as two hosts on one share."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from benchmarks.campaign.bench import Bench, Whole, differences, label, surroundings, unfinished
from benchmarks.campaign.result import Result, Tally, not_run
from benchmarks.campaign.shim import NoShimError, build
from tests.recipes import command, leftovers

_SEEN_BY_BOTH = "two hosts writing one video"
_SEEN_BY_ONE = "two hosts on a share whose locks do not reach across"


def run(bench: Bench) -> Iterator[Result]:
    """Locks that both see, as on a local disk and on NFS 4; and locks that each sees alone."""
    yield _pairs(bench)
    try:
        library = build(bench.folder)
    except NoShimError as why:
        yield not_run("R8", _SEEN_BY_ONE, "flock that always succeeds, by a shim under libc", str(why))
        return
    yield _pairs_without_locks(bench, library)


def _host(name: str) -> list[str]:
    """Prefix of a command that shall believe it is alone on a host of this name; empty without the rights."""
    unshare = shutil.which("unshare")
    if unshare is None:
        return []
    prefix = [unshare, "--uts", "--pid", "--fork", "--kill-child", "--mount-proc"]
    whole = [*prefix, "sh", "-c", f'hostname {name} && exec "$@"', "sh"]
    return whole if subprocess.run([*whole, "true"], capture_output=True, check=False).returncode == 0 else []


def _both(recipe: Path, **env: str) -> list[tuple[int, str]]:
    """Exit codes and errors of two runs started at the same time."""
    runs = [
        subprocess.Popen(
            [*_host(name), *command("label", recipe, "--jobs", 2)],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=surroundings(**env),
        )
        for name in ("left", "right")
    ]  # fmt: skip
    try:
        told = [process.communicate(timeout=300)[1] for process in runs]
    finally:
        for process in runs:
            process.kill()
            process.communicate()
    return [(process.returncode, text) for process, text in zip(runs, told, strict=True)]


def _pairs(bench: Bench) -> Result:
    whole = bench.whole(2)
    separate = "in UTS and PID namespaces of their own" if _host("left") else "as two processes (not root)"
    tally = Tally(
        "R8",
        _SEEN_BY_BOTH,
        f"two `spotlabel label` {separate}, the same recipe and output folder, started together: both end "
        "well, all bytes equal, no partial file",
        bench.counts.pairs,
    )
    for number in range(bench.counts.pairs):
        out = bench.fresh("writers") / "out"
        ended = _both(bench.recipe(whole, out))
        problems = [f"ended with {code}: {errors.strip()}" for code, errors in ended if code]
        tally.record(f"round {number + 1}", problems + differences(out, whole.stores))
    return tally.result()


def _pairs_without_locks(bench: Bench, library: Path) -> Result:
    """One host's start may then delete the partial file the other is writing: it must fail, never corrupt."""
    whole = bench.whole(2)
    tally = Tally(
        "R8",
        _SEEN_BY_ONE,
        "as above, with a flock that always succeeds (shim): no bytes but a finished run's under a final "
        "name; a run that ends well left all stores; one that fails says so; a next run gives equal bytes",
        bench.counts.pairs,
    )
    failed = 0
    for number in range(bench.counts.pairs):
        out = bench.fresh("writers") / "out"
        recipe = bench.recipe(whole, out)
        ended = _both(recipe, LD_PRELOAD=str(library), FAULT_FLOCK="local")
        problems = unfinished(out, whole.stores)
        problems += _judged(ended, whole, out)
        failed += any(code for code, _ in ended)
        if label(recipe).returncode:
            problems.append("the next run failed")
        tally.record(f"round {number + 1}", problems + differences(out, whole.stores))
    return tally.result(
        f"in {failed} rounds a run lost a partial file to the other, failed a video and said so"
    )


def _judged(ended: list[tuple[int, str]], whole: Whole, out: Path) -> list[str]:
    problems = [f"ended with {code}: {text.strip()}" for code, text in ended if code not in (0, 1)]
    problems += ["a traceback" for _, text in ended if "Traceback" in text]
    if any(code == 0 for code, _ in ended):
        problems += [p for p in differences(out, whole.stores) if not p.startswith("left behind")]
    return (
        problems
        if not leftovers(out) or any(code for code, _ in ended)
        else [*problems, "partial files left"]
    )
