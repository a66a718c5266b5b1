"""Labelling on the workers of a Dask cluster: equal bytes, lost workers, stops, refusals."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import pytest
from click.testing import CliRunner

distributed = pytest.importorskip("distributed", reason="needs spotlabel[dask]")
pytest.importorskip("dask_jobqueue", reason="needs spotlabel[dask]")

from spotlabel.pipeline.cli.backend import check_backend  # noqa: E402
from spotlabel.pipeline.recipes.recipe import load_recipe  # noqa: E402
from spotlabel.pipeline.running.dask import backend, worker  # noqa: E402
from spotlabel.pipeline.running.dask.address import DaskError, scheduler_address  # noqa: E402
from spotlabel.pipeline.running.dask.backend import run_on_dask  # noqa: E402
from spotlabel.pipeline.running.dask.worker import unfit  # noqa: E402
from spotlabel.pipeline.running.isolate import Stopped  # noqa: E402
from spotlabel.workflows.dask import jobqueue  # noqa: E402
from tests.helpers.recipes import (  # noqa: E402
    environment,
    leftovers,
    spotlabel,
    started,
    stores,
    tree,
    wait_for_partial,
    write,
)

NAMES = ("a", "b", "c", "d")


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Two worker processes on this machine, one video at a time each; a lost one is started anew."""
    with (
        pytest.MonkeyPatch.context() as patch,
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0", env=_paths()
        ) as made,
    ):
        patch.setenv("PYTHONPATH", _paths()["PYTHONPATH"])
        made.wait_for_workers(2)
        yield made


def _paths() -> dict[str, str]:
    return {"PYTHONPATH": environment()["PYTHONPATH"]}


def label(recipe: Path, cluster: Any, *more: object) -> list[object]:
    return ["label", recipe, "--backend", "dask", "--scheduler", cluster.scheduler_address, *more]


@pytest.fixture(scope="module")
def recipe_of_local_run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, bytes]]:
    """Where the videos are, and the stores of a run on this machine with one job."""
    folder = tmp_path_factory.mktemp("local")
    recipe = write(folder / "r.yaml", tree(folder / "data", folder / "out", *NAMES, length=60))
    done = spotlabel("label", recipe, "--jobs", 1)
    assert done.returncode == 0, done.stderr
    return folder / "data", stores(folder / "out")


def test_two_workers_give_the_bytes_of_one_job(
    tmp_path: Path, cluster: Any, recipe_of_local_run: tuple[Path, dict[str, bytes]]
) -> None:
    data, expected = recipe_of_local_run
    recipe = write(tmp_path / "r.yaml", tree(data, tmp_path / "out", *NAMES))
    done = spotlabel(*label(recipe, cluster))
    assert done.returncode == 0, done.stderr
    assert stores(tmp_path / "out") == expected
    assert leftovers(tmp_path / "out") == []
    told = done.stderr.splitlines()
    assert sorted(line.partition(":")[0] for line in told if ": done (" in line) == list(NAMES)
    assert "Traceback" not in done.stderr


def test_a_killed_workers_video_is_made_by_another(tmp_path: Path, cluster: Any) -> None:
    data, out, whole = tmp_path / "data", tmp_path / "out", tmp_path / "whole"
    expected = write(tmp_path / "w.yaml", tree(data, whole, "a", "b", length=500))
    assert spotlabel("label", expected, "--jobs", 1).returncode == 0
    recipe = write(tmp_path / "r.yaml", tree(data, out, "a", "b"))
    with distributed.Client(cluster, set_as_default=False) as client:
        pids = list(client.run(os.getpid).values())
    with started(*label(recipe, cluster)) as process:
        wait_for_partial(out / "evidence", process)
        os.kill(pids[0], signal.SIGKILL)
        _, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    assert stores(out) == stores(whole)
    with distributed.Client(cluster, set_as_default=False) as client:
        client.wait_for_workers(2)
        assert pids[0] not in client.run(os.getpid).values()


def test_sigterm_stops_what_runs_on_the_workers(tmp_path: Path, cluster: Any) -> None:
    out = tmp_path / "out"
    recipe = write(tmp_path / "r.yaml", tree(tmp_path / "data", out, "a", "b", "c", length=1500))
    with started(*label(recipe, cluster)) as process:
        wait_for_partial(out / "evidence", process)
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM
    assert "stopped by SIGTERM: finished videos are kept; run the same command again" in errors
    assert "Traceback" not in errors
    assert leftovers(out) == []
    assert not any(path.name == "c.h5" for path in out.rglob("*"))


def test_a_failed_video_does_not_stop_the_others(tmp_path: Path, cluster: Any) -> None:
    out = tmp_path / "out"
    recipe = write(tmp_path / "r.yaml", tree(tmp_path / "data", out, "a", "b"))
    (tmp_path / "data" / "a" / "gt" / "gt.txt").write_text("nonsense")
    done = spotlabel(*label(recipe, cluster, "--json", "--quiet"))
    assert done.returncode == 1
    assert [bool(outcome["error"]) for outcome in json.loads(done.stdout)] == [True, False]
    assert "1 of 2 videos failed; the others are whole" in done.stderr


# --- batch systems -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("system", "expected"),
    [
        ("pbs", ["#PBS -q long", "#PBS -A purse", "#PBS -l walltime=12:00:00", "ncpus=1"]),
        ("sge", ["#$ -q long", "#$ -P purse", "#$ -l h_rt=12:00:00"]),
        ("lsf", ["#BSUB -q long", '#BSUB -P "purse"', "#BSUB -W 12:00", "#BSUB -n 1"]),
    ],
)
def test_a_job_of_a_batch_system_is_a_worker_for_one_video(system: str, expected: list[str]) -> None:
    options = ["--workers", "3", "--queue", "long", "--account", "purse", "--setup", "module load python"]
    shown = CliRunner().invoke(jobqueue.main, [system, "demo", *options, "--show"])
    assert shown.exit_code == 0, shown.output
    assert all(line in shown.output for line in expected), shown.output
    assert "export OMP_NUM_THREADS=1\nmodule load python\n" in shown.output
    assert "--nthreads 1 " in shown.output
    assert "--lifetime 715m" in shown.output


def test_the_same_script_labels_with_workers_of_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", _paths()["PYTHONPATH"])
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    recipe = write(tmp_path / "r.yaml", tree(tmp_path / "data", tmp_path / "out", "a"))
    try:
        ran = CliRunner().invoke(jobqueue.main, ["local", str(recipe), "--quiet", "--workers", "1"])
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    assert ran.exit_code == 0, ran.output
    assert sorted(stores(tmp_path / "out")) == ["evidence/mog2/a.h5", "masks/a.h5"]


# --- refusals ----------------------------------------------------------------------------------------------


def common(tmp_path: Path, **changes: object) -> dict[str, Any]:
    marker = tmp_path / "marker"
    marker.touch()
    recipe = {"data": str(tmp_path), "out": str(tmp_path)}
    return {"recipe": recipe, "marker": str(marker), "libraries": {}, **changes}


def test_a_worker_that_sees_data_and_out_is_fit(tmp_path: Path) -> None:
    assert unfit(common(tmp_path)) == ""


def test_a_worker_that_does_not_see_the_folders_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spotlabel.pipeline.running.dask.worker._SECONDS_TO_SEE", 0.0)
    assert f"does not see out: {tmp_path}; every worker needs" in unfit(
        common(tmp_path, marker=str(tmp_path / "elsewhere"))
    )
    elsewhere = {"data": str(tmp_path / "no"), "out": str(tmp_path)}
    assert "does not see data:" in unfit(common(tmp_path, recipe=elsewhere))


def test_a_worker_with_other_libraries_is_not_used(tmp_path: Path) -> None:
    told = unfit(common(tmp_path, libraries={"no-such-library": "1.0"}))
    assert "has no-such-library absent, not 1.0; install the same versions everywhere" in told


def test_a_scheduler_file_holds_the_address(tmp_path: Path) -> None:
    file = tmp_path / "scheduler.json"
    file.write_text('{"address": "tcp://10.0.0.1:8786"}')
    assert scheduler_address(str(file)) == "tcp://10.0.0.1:8786"
    file.write_text("{}")
    with pytest.raises(DaskError, match=r"scheduler\.json: not a scheduler file"):
        scheduler_address(str(file))


def test_what_decodes_frames_must_be_the_same_everywhere(tmp_path: Path) -> None:
    recipe = load_recipe(str(write(tmp_path / "r.yaml", tree(tmp_path / "data", tmp_path / "out", "a"))))
    wanted = backend._libraries(recipe)
    assert wanted["av"] == metadata.version("av")
    other = unfit(common(tmp_path, libraries={**wanted, "av": "0.1"}))
    assert f"has av {wanted['av']}, not 0.1; install" in other


def test_errors_of_others_are_one_line() -> None:
    future = SimpleNamespace(status="error", exception=lambda: RuntimeError("no\n  luck\n"))
    assert backend._outcome(future, "a").error == "Dask: RuntimeError: no luck"
    client = SimpleNamespace(run=lambda *_, **__: {"tcp://h:1": ImportError("no\nmodule")})
    with pytest.raises(DaskError, match=r"h:1 cannot run spotlabel \(ImportError: no module\); install"):
        backend._check_workers(client, {}, None)  # type: ignore[arg-type]


def test_a_worker_forgets_a_run_when_its_last_video_is_done() -> None:
    with worker._children_of("r") as one, worker._children_of("r") as two:
        assert one is two
    assert "r" not in worker._CHILDREN
    assert "r" not in worker._VIDEOS


def test_a_stopped_run_starts_no_child_even_for_a_video_that_comes_late() -> None:
    with worker._children_of("s") as children:
        asyncio.run(worker.stop_run("s"))
        with pytest.raises(Stopped):
            children.start(["true"])
    with worker._children_of("s") as late, pytest.raises(Stopped):
        late.start(["true"])
    assert "s" not in worker._CHILDREN


@pytest.mark.parametrize("address", ["tcp://[::1]:8786", "[fe80::1%eth0]:1", "tls://10.0.0.1:1", "head:8786"])
def test_an_address_is_taken_as_it_is(address: str) -> None:
    assert scheduler_address(address) == address


def test_a_wrong_address_is_told_before_any_video_is_looked_at(tmp_path: Path) -> None:
    recipe = write(tmp_path / "r.yaml", tree(tmp_path / "data", tmp_path / "out", "a"))
    done = spotlabel("label", recipe, "--backend", "dask", "--scheduler", "head")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "--scheduler head: expected an address" in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "wrong",
    ["head", "no-such-file.json", "tcp://head", "http//head:1", "tcp://::1:1", "tcp://[::1]", "[x]:1"],
)
def test_anything_else_is_no_scheduler(wrong: str) -> None:
    with pytest.raises(DaskError, match="expected an address like tcp://host:8786"):
        scheduler_address(wrong)


@pytest.mark.parametrize(
    ("backend", "scheduler", "jobs", "told"),
    [
        ("dask", None, None, "--backend dask needs --scheduler"),
        ("local", "tcp://h:1", None, "--scheduler is for --backend dask"),
        ("dask", "tcp://h:1", 2, "--jobs is for --backend local"),
    ],
)
def test_options_that_do_not_go_together(
    backend: str, scheduler: str | None, jobs: int | None, told: str
) -> None:
    with pytest.raises(click.UsageError, match=told):
        check_backend(backend, scheduler, jobs)


def test_no_scheduler_there_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spotlabel.pipeline.running.dask.backend._SECONDS_TO_CONNECT", 0.2)
    recipe = load_recipe(str(write(tmp_path / "r.yaml", tree(tmp_path / "data", tmp_path / "out", "a"))))
    with pytest.raises(DaskError, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:1; start one"):
        run_on_dask(recipe, ["a"], "tcp://127.0.0.1:1", False, None)  # type: ignore[arg-type]
    assert leftovers(tmp_path / "out") == []


def test_without_dask_the_command_to_install_it_is_told(tmp_path: Path) -> None:
    recipe = write(tmp_path / "r.yaml", tree(tmp_path / "data", tmp_path / "out", "a"))
    block = "import sys; sys.modules['distributed'] = None; from spotlabel.pipeline.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", block, "label", recipe, "--backend", "dask", "--scheduler", "tcp://h:1"],
        capture_output=True, text=True, env=environment(), check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "error: --backend dask needs distributed, which is not installed (pip install 'spotlabel[dask]')"
    ]
