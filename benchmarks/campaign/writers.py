"""R8: two writers of one video at once, in two processes and as two hosts on one share."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.campaign.bench import Bench, differences, surroundings
from benchmarks.campaign.result import Result, Tally, not_run
from benchmarks.campaign.shim import NoShimError, build
from tests.helpers.recipes import command

_COMPARED = (
    "the same videos and output folder, started together, in UTS and PID namespaces of their own where that "
    "is allowed: both end well, all bytes equal those of one run alone, no partial file"
)


@dataclass(frozen=True)
class _Share:
    """What the two writers have in common.

    Attributes:
        fault: title of the line.
        hosts: two boot ids rather than one.
        locks: value of ``FAULT_FLOCK``; empty for locks that work.
    """

    fault: str
    hosts: bool
    locks: str


_SHARES = (
    _Share("two hosts writing the same videos at once", True, ""),
    _Share("two hosts on a share whose locks do not reach from one to the other", True, "local"),
    _Share("two hosts on a share without locks", True, "none"),
    _Share("two processes on a disk without locks", False, "none"),
)


def run(bench: Bench) -> Iterator[Result]:
    """Two processes of one host; then shares of every kind, where the shim can be built."""
    yield _pairs(bench, _Share("two processes writing the same videos at once", False, ""), None)
    try:
        library = build(bench.folder)
    except NoShimError as why:
        for share in _SHARES:
            yield not_run("R8", share.fault, "a shim under libc", str(why))
        return
    for share in _SHARES:
        yield _pairs(bench, share, library)


def _pairs(bench: Bench, share: _Share, library: Path | None) -> Result:
    whole = bench.whole(2)
    shim = "; a shim under libc gives each a boot id or no locks" if library else ""
    how = f"two `spotlabel label` over {_COMPARED}{shim}"
    tally = Tally("R8", share.fault, how, bench.counts.pairs)
    for number in range(bench.counts.pairs):
        out = bench.fresh("writers") / "out"
        ended = _both(bench, share, library, bench.recipe(whole, out))
        problems = [f"ended with {code}: {errors.strip()}" for code, errors in ended if code]
        tally.record(f"round {number + 1}", problems + differences(out, whole.stores))
    return tally.result()


def _both(bench: Bench, share: _Share, library: Path | None, recipe: Path) -> list[tuple[int, str]]:
    """Exit codes and errors of two runs started at the same time."""
    runs = [
        subprocess.Popen(
            [*_namespace(name), *command("label", recipe, "--jobs", 2)],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
            env=surroundings(**_faults(bench, share, library, name)),
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


def _faults(bench: Bench, share: _Share, library: Path | None, host: str) -> dict[str, str]:
    """Environment of one of the two."""
    if library is None:
        return {}
    chosen = {"LD_PRELOAD": str(library), "FAULT_FLOCK": share.locks}
    if share.hosts:
        boot = bench.folder / f"boot-id-{host}"
        boot.write_text(f"{host}\n")
        chosen["FAULT_BOOT_ID"] = str(boot)
    return chosen


def _namespace(name: str) -> list[str]:
    """Prefix of a command that gets a host name and process numbers of its own; empty without the rights."""
    unshare = shutil.which("unshare")
    if unshare is None:
        return []
    prefix = [unshare, "--uts", "--pid", "--fork", "--kill-child", "--mount-proc"]
    whole = [*prefix, "sh", "-c", f'hostname {name} && exec "$@"', "sh"]
    return whole if subprocess.run([*whole, "true"], capture_output=True, check=False).returncode == 0 else []
