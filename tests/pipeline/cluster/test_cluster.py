"""Videos as jobs: what is asked for, who goes into which array, and a submission run on this machine."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from spotlabel.labelers.learned.settings import TeachingSettings
from spotlabel.labelers.registry import BUILTIN
from spotlabel.pipeline.cli.label import label
from spotlabel.pipeline.cli.submit import submit
from spotlabel.pipeline.cluster.queue import Queue, Seen
from spotlabel.pipeline.cluster.records import Record, Told, save_record, tell
from spotlabel.pipeline.cluster.resources import (
    ResourceRequest,
    clock,
    parse_memory,
    parse_time,
    resource_request,
)
from spotlabel.pipeline.cluster.states import standings
from spotlabel.pipeline.cluster.submit import SubmitError, arrays, sbatch_options
from spotlabel.pipeline.errors import RecipeError
from spotlabel.pipeline.forecast.costs import RATES
from spotlabel.pipeline.upkeep.freshness import Need, State
from spotlabel.pipeline.upkeep.plan import Plan
from tests.helpers.recipes import command, environment, leftovers, spotlabel, stores, tree, write


def plan(
    labeler: str,
    frames: int,
    size: tuple[int, int] = (540, 960),
    evidence: State = State.MISSING,
    **settings: Any,
) -> Plan:
    """A plan of a video that is all length and size."""

    class Frames:
        def __len__(self) -> int:
            return frames

    source = Frames()
    source.size = size  # type: ignore[attr-defined]
    item = SimpleNamespace(
        sequence=SimpleNamespace(frames=source),
        labeler=SimpleNamespace(name=labeler),
        settings=SimpleNamespace(**{"samples": 128, **settings}),
    )
    return Plan(cast(Any, item), Need(evidence), Need(State.MISSING))


def test_every_labeler_of_our_own_has_a_rate() -> None:
    assert {*RATES} == {*BUILTIN}


def test_a_job_asks_by_frames_pixels_and_labeler() -> None:
    short = resource_request(plan("mog2", 10))
    assert (clock(short.minutes), short.megabytes) == ("0:15:00", 1500)
    detrac = resource_request(plan("pawcs", 1500))  # 1500 * 0.5184 * 0.86 s + 10 min: 21 min
    assert (clock(detrac.minutes), detrac.megabytes) == ("0:30:00", 2000)
    assert resource_request(plan("pawcs", 150_000)) == ResourceRequest(1440, 2000)  # 18 h
    assert resource_request(plan("somebody-elses", 1500)) >= resource_request(plan("pawcs-pybgs", 1500))
    masks_only = resource_request(plan("pawcs-pybgs", 1500, evidence=State.FRESH))
    assert masks_only == ResourceRequest(15, 1500)


def test_a_job_with_a_student_asks_for_its_teaching_too() -> None:
    asks = {"network": "u2net.onnx", "teaching": TeachingSettings()}
    student = resource_request(plan("boxbg-student", 10, **asks))  # 3 * (150 * 1.4 + 131) s + 10 min: 27 min
    assert student == ResourceRequest(30, 4000)
    assert resource_request(plan("boxbg-student", 10, (48, 96), **asks)) == ResourceRequest(30, 3000)
    assert resource_request(plan("boxbg-student", 10, **asks), once=0.0) == ResourceRequest(15, 4000)


def test_a_job_whose_teacher_is_a_folder_asks_by_its_weights(tmp_path: Path) -> None:
    weights = tmp_path / "sam" / "model.safetensors"
    weights.parent.mkdir()
    with weights.open("wb") as file:
        file.truncate(2_500_000_000)
    asks = {"network": str(weights.parent), "teaching": TeachingSettings(boxes=30)}
    taught = resource_request(plan("boxbg-student", 10, **asks))  # 3 * (30 * 100 s + 131 s) + 10 min: 167 min
    assert taught == ResourceRequest(240, 8000)
    every = resource_request(plan("teacher", 100, network=str(weights.parent)))  # 100 * 3 * 100 s: 8.3 h
    assert every == ResourceRequest(720, 6000)


def test_memory_grows_with_the_frames_boxbg_keeps_but_not_with_other_samples() -> None:
    assert [resource_request(plan("boxbg", 9, samples=n)).megabytes for n in (8, 128, 512)] == [
        2000,
        2000,
        6000,
    ]
    assert resource_request(plan("pawcs", 9, samples=512)).megabytes == 2000


@given(st.sampled_from(sorted(RATES)), st.integers(1, 10**7), st.integers(1, 10**7))
def test_more_frames_never_ask_for_less(labeler: str, one: int, other: int) -> None:
    short, long = sorted((one, other))
    assert resource_request(plan(labeler, short)).minutes <= resource_request(plan(labeler, long)).minutes


@pytest.mark.parametrize(
    ("text", "minutes"),
    [
        ("90", 90),
        ("2h", 120),
        ("1d", 1440),
        ("1:30:00", 90),
        ("0:00:30", 1),
        ("2-01:00:00", 2940),
        (" 15m ", 15),
    ],
)
def test_times_as_slurm_and_people_write_them(text: str, minutes: int) -> None:
    assert parse_time(text) == minutes


@pytest.mark.parametrize("text", ["", "0", "-5", "1:30", "two", "1:99:00", "5w"])
def test_other_times_are_refused(text: str) -> None:
    with pytest.raises(RecipeError, match=r"^--time .*such as 90"):
        parse_time(text)


def test_memory_needs_its_unit() -> None:
    assert [parse_memory(text) for text in ("8GB", "500MB", "1.5g", "700M")] == [8000, 500, 1500, 700]
    for text in ("8", "", "0GB", "8TB", "GB"):
        with pytest.raises(RecipeError, match=r"^--memory .*with its unit"):
            parse_memory(text)


@given(st.integers(1, 20_000))
def test_a_clock_is_read_back(minutes: int) -> None:
    assert parse_time(clock(minutes)) == minutes


ASKS = st.dictionaries(
    st.text(max_size=4),
    st.builds(ResourceRequest, st.sampled_from([15, 30, 60]), st.sampled_from([1000, 2000, 4000])),
    min_size=1,
    max_size=40,
)


@given(ASKS, st.none() | st.integers(1, 30))
def test_arrays_hold_every_video_once_and_give_it_no_less_than_it_asks_for(
    requests: dict[str, ResourceRequest], limit: int | None
) -> None:
    made = arrays(requests, limit)
    assert sorted(name for array in made for name in array.sequences) == sorted(requests)
    for array in made:
        for name in array.sequences:
            assert array.request.minutes >= requests[name].minutes
            assert array.request.megabytes >= requests[name].megabytes
    if limit is None:
        assert all(array.parallel is None for array in made)
        assert len(made) == len(set(requests.values()))
    else:
        assert all(array.parallel for array in made)
        assert sum(array.parallel or 0 for array in made) == min(limit, len(requests))


def test_arrays_too_large_for_slurm_are_split() -> None:
    requests = {f"v{i}": ResourceRequest(15, 1000) for i in range(2500)}
    assert [len(array.sequences) for array in arrays(requests, None)] == [1000, 1000, 500]
    assert [array.parallel for array in arrays(requests, 5)] == [2, 2, 1]
    with pytest.raises(SubmitError, match=r"^--max-parallel 2: .*say --max-parallel 3"):
        arrays(requests, 2)


def test_further_options_of_sbatch() -> None:
    assert sbatch_options(["qos=low", "--exclusive", "mail_user=a=b"]) == {
        "qos": "low", "exclusive": True, "mail-user": "a=b",
    }  # fmt: skip
    for word in ("", "=x", "a b=c", "qos="):
        with pytest.raises(SubmitError, match="KEY=VALUE"):
            sbatch_options([word])


_SQUEUE = """#!/bin/sh
echo "7_0|RUNNING|None"
echo "7_1|PENDING|Resources"
echo "7_2|COMPLETED|None"
echo "7_3|OUT_OF_MEMORY|OutOfMemory"
"""
_SACCT = """#!/bin/sh
echo "7_5|CANCELLED by 0"
echo "7_5.0|FAILED"
"""


@pytest.fixture
def scheduler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folder of a ``squeue`` and a ``sacct`` that are found before all others."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, text in (("squeue", _SQUEUE), ("sacct", _SACCT)):
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return folder


def submitted(out: Path, job: str, told: Told | None = None) -> str:
    """A record of a Slurm job, and what the job has said; the video's name."""
    name = f"video {job}"
    save_record(out, Record(name, "slurm", job, "s", 15, 1000))
    if told:
        (out / "jobs" / "s").mkdir(exist_ok=True)
        tell(out / "jobs" / "s", name, job, told)
    return name


def test_states_come_from_the_scheduler_and_from_what_jobs_wrote(tmp_path: Path, scheduler: Path) -> None:
    names = [
        submitted(tmp_path, "7_0", Told("running")),
        submitted(tmp_path, "7_1", Told("requeued")),
        submitted(tmp_path, "7_2", Told("done")),
        submitted(tmp_path, "7_3", Told("running")),
        submitted(tmp_path, "7_4", Told("failed", "no luck")),
        submitted(tmp_path, "7_5", Told("running")),
        submitted(tmp_path, "7_6"),
        "never",
    ]
    found = [(one.state, one.detail) for one in standings(tmp_path, names)]
    assert found == [
        ("running", ""),
        ("waiting", "Resources"),
        ("done", ""),
        ("lost", "it ran out of memory: ask for more with --memory"),
        ("failed", "no luck"),
        ("lost", "it was cancelled"),
        ("lost", "the scheduler no longer knows it; killed, or out of time or memory?"),
        ("none", ""),
    ]


def test_a_silent_scheduler_is_not_taken_for_an_answer(tmp_path: Path, scheduler: Path) -> None:
    (scheduler / "squeue").write_text("#!/bin/sh\necho 'slurm_load_jobs error: cannot connect' >&2\nexit 1\n")
    name = submitted(tmp_path, "7_0", Told("running"))
    (one,) = standings(tmp_path, [name])
    assert (one.state, one.detail) == ("unknown", "slurm_load_jobs error: cannot connect")
    (scheduler / "squeue").write_text(
        "#!/bin/sh\necho 'slurm_load_jobs error: Invalid job id specified' >&2\nexit 1\n"
    )
    assert standings(tmp_path, [name])[0].state == "lost"


def test_a_local_job_lives_as_long_as_its_own_process(tmp_path: Path) -> None:
    from spotlabel.pipeline.atomic import host_mark

    folder = "20260101-000000-abcdef"
    words = [sys.executable, "-c", "print(flush=True); input()", folder]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        own = Record("a", "local", str(process.pid), folder, 15, 1000, host_mark())
        other = Record("b", "local", str(process.pid), "another-folder", 15, 1000, host_mark())
        elsewhere = Record("c", "local", "1", folder, 15, 1000, "another host")
        queue = Queue([own])
        assert queue.of(own) == Seen("RUNNING")
        assert Queue([other]).of(other) is None
        assert Queue([elsewhere]).of(elsewhere) is None
        process.kill()


def test_a_dry_run_shows_what_would_be_asked_for(tmp_path: Path) -> None:
    recipe = write(tmp_path / "r.yaml", tree(tmp_path / "data", tmp_path / "out", "a", "b"))
    assert spotlabel("label", recipe, "--only", "a").returncode == 0
    done = spotlabel("submit", recipe, "--dry-run", "--memory", "8GB", "--time", "4h")
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    assert lines[1] == ["1", "b", "mog2", "12", "64x48", "8", "GB", "4:00:00"]
    assert done.stdout.endswith("1 of 2 videos in 1 job array; nothing was handed in\n")
    assert not (tmp_path / "out" / "jobs").exists()


def test_a_job_that_may_still_run_is_not_handed_in_again(tmp_path: Path) -> None:
    out = tmp_path / "out"
    recipe = write(tmp_path / "r.yaml", tree(tmp_path / "data", out, "a"))
    save_record(out, Record("a", "slurm", "7_0", "s", 15, 1000))
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "squeue").write_text("#!/bin/sh\necho '7_0|PENDING|Priority'\n")
    (tmp_path / "bin" / "squeue").chmod(0o755)
    done = spotlabel("submit", recipe, "--dry-run", PATH=f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    assert "left alone, with a job that waits or runs: 1 video" in done.stderr
    assert "0 of 1 videos in 0 job arrays" in done.stdout
    unknown = spotlabel("submit", recipe, "--dry-run", PATH="/nonexistent")
    assert unknown.returncode == 2
    assert "a: may still have a job, and the scheduler cannot say: there is no squeue here" in unknown.stderr


def test_refusals_are_one_line(tmp_path: Path) -> None:
    recipe = write(tmp_path / "r.yaml", tree(tmp_path / "data", tmp_path / "out", "a"))
    nowhere = spotlabel("submit", recipe)
    assert (nowhere.returncode, nowhere.stderr.count("\n")) == (2, 1)
    assert nowhere.stderr.startswith("error: say where: --slurm")
    without = spotlabel("submit", recipe, "--slurm", PATH="/nonexistent")
    assert (without.returncode, without.stderr.count("\n")) == (2, 1)
    assert "there is no Slurm here" in without.stderr
    blocked = tmp_path / "blocked"
    blocked.mkdir()
    (blocked / "submitit.py").write_text("raise ModuleNotFoundError('no submitit', name='submitit')")
    lacking = spotlabel(
        "submit", recipe, "--local", PYTHONPATH=os.pathsep.join([str(blocked), environment()["PYTHONPATH"]])
    )
    assert (lacking.returncode, lacking.stderr.count("\n")) == (2, 1)
    assert "pip install 'spotlabel[cluster]'" in lacking.stderr


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ("--slurm --local", "--slurm and --local do not go together"),
        ("--dry-run --wait", "--wait and --dry-run do not go together"),
        ("--slurm --dry-run --wait 5", "--wait and --dry-run do not go together"),
        ("--local --wait 5", "--wait is for --slurm: --local stays until the end anyway"),
        ("--local --partition cpu", "--partition is for --slurm"),
        ("--local --account us", "--account is for --slurm"),
        ("--local --slurm-set qos=low", "--slurm-set is for --slurm"),
        ("--local --memory 8GB", "--memory is for --slurm"),
        ("--local --cpus 2", "--cpus is for --slurm"),
    ],
)
def test_options_that_would_do_nothing_are_refused(options: str, told: str) -> None:
    done = CliRunner().invoke(submit, ["demo", *options.split()])
    assert done.exit_code == 2
    assert told in done.output.splitlines()[-1]


def test_label_does_not_wait_for_a_dry_run() -> None:
    done = CliRunner().invoke(label, ["demo", "--dry-run", "--wait", "5"])
    assert done.exit_code == 2
    assert "--wait and --dry-run do not go together" in done.output.splitlines()[-1]


def test_a_local_submission_makes_the_stores_of_a_plain_run_and_tells_of_failures(tmp_path: Path) -> None:
    data, out = tmp_path / "data", tmp_path / "out"
    recipe = write(tmp_path / "r.yaml", tree(data, out, "a", "b c", "bad"))
    plain = write(tmp_path / "p.yaml", tree(data, tmp_path / "plain", "a", "b c", "bad"))
    assert spotlabel("label", plain, "--only", "a", "--only", "b c").returncode == 0
    broken = sorted((data / "bad" / "img1").iterdir())[5]
    broken.write_bytes(broken.read_bytes()[:200])

    done = spotlabel("submit", recipe, "--local", "--max-parallel", 2)
    assert done.returncode == 1
    assert "bad: FAILED: frame 6: " in done.stderr
    assert "1 of 3 videos are not done" in done.stderr
    assert "Traceback" not in done.stderr
    assert stores(out) == stores(tmp_path / "plain")
    assert leftovers(out) == []

    shown = spotlabel("jobs", recipe, "--json")
    assert shown.returncode == 1
    rows = {row["sequence"]: row for row in json.loads(shown.stdout)}
    assert [(name, row["state"], row["masks"]) for name, row in rows.items()] == [
        ("a", "done", "fresh"), ("b c", "done", "fresh"), ("bad", "failed", "missing"),
    ]  # fmt: skip
    assert "frame 6: " in rows["bad"]["why"]
    assert "2 of 3 videos up to date; jobs: 2 done, 1 failed" in spotlabel("jobs", recipe).stdout

    printed = spotlabel("log", recipe, "b c", "--lines", 3).stdout
    assert printed.startswith("b c: local job ")
    assert "b c: done (evidence" in printed
    assert spotlabel("log", recipe, "d").stderr.startswith("error: d: no such video in this recipe")

    again = spotlabel("submit", recipe, "--local", "--set", "frames.on_bad=unknown")
    assert again.returncode == 0, again.stderr
    assert "done: 1 video, in " in again.stdout


def test_a_stopped_local_submission_ends_its_jobs_and_says_how_to_go_on(tmp_path: Path) -> None:
    out = tmp_path / "out"
    recipe = write(tmp_path / "r.yaml", tree(tmp_path / "data", out, "a", length=2000))
    process = subprocess.Popen(
        command("submit", recipe, "--local"),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(), text=True, start_new_session=True,
    )  # fmt: skip
    try:
        while not list(out.glob("evidence/*/.*.partial")):
            assert process.poll() is None
            time.sleep(0.02)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does
        _, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 128 + signal.SIGINT
    assert errors.splitlines()[-1].startswith("stopped by SIGINT: finished videos are kept")
    assert "Traceback" not in errors
    assert leftovers(out) == []
    (one,) = standings(out, ["a"])
    assert (one.state, one.detail) == ("failed", "a: stopped by SIGTERM")


def test_processors_are_those_that_slurm_gave(monkeypatch: pytest.MonkeyPatch) -> None:
    from spotlabel.pipeline.running.local import usable_cores

    for name in ("SLURM_CPUS_PER_TASK", "SLURM_CPUS_ON_NODE"):
        monkeypatch.delenv(name, raising=False)
    seen = usable_cores()
    monkeypatch.setenv("SLURM_CPUS_ON_NODE", "1")
    assert usable_cores() == 1
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "4096")
    assert usable_cores() == seen
