"""``spotlabel detect`` over many clips: what is up to date is kept, one that fails stops no other."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from spotlabel.detector.evaluation.boxes.places import JOINED
from spotlabel.detector.prediction.clips import Clip
from spotlabel.detector.prediction.engine import Switches
from spotlabel.detector.prediction.job import Done, Wanted, detect_clip
from spotlabel.detector.prediction.predictor import Predictor
from spotlabel.detector.prediction.record import forget, remember, what_differs
from spotlabel.detector.prediction.results import write_coco
from spotlabel.pipeline.cli.options import console, table
from spotlabel.pipeline.cli.progress import watching
from spotlabel.pipeline.errors import SpotlabelError, one_sentence
from spotlabel.pipeline.frames import VideoFile
from spotlabel.pipeline.frames.digest import frames_digest
from spotlabel.pipeline.hashing import DigestCache, file_digest, files_digest
from spotlabel.pipeline.inputs import check_inputs, watching_inputs
from spotlabel.pipeline.names import file_stem
from spotlabel.pipeline.running.job import Outcome
from spotlabel.pipeline.running.watcher import SilentWatcher
from spotlabel.pipeline.terminal import echo, escape
from spotlabel.pipeline.text import failures


@dataclass(frozen=True)
class Setup:
    """What all clips of a run share.

    Attributes:
        model: the model file.
        digest: of its content, as it was loaded.
        predictor: the detector that stands in it.
        switches: how it runs.
        wanted: which results are written, and where.
        again: make up-to-date results anew.
    """

    model: Path
    digest: str
    predictor: Predictor
    switches: Switches
    wanted: Wanted
    again: bool

    def made_from(self, clip: Clip) -> dict[str, Any]:
        """What the results of a clip depend on, as plain data; files by their contents.

        Raises:
            OSError: a file cannot be read.
        """
        wanted = self.wanted
        cache = DigestCache(wanted.out / ".made" / f"{file_stem(clip.name)}.digests")
        outputs: dict[str, Any] = {
            "format": wanted.format,
            "compat": wanted.compat,
            "min_score": wanted.min_score,
        }
        attention = "with boxes" if wanted.attention else False
        outputs |= {"draw": wanted.draw, "attention": attention, "annotated": wanted.only_annotated}
        found: dict[str, Any] = {
            "images": frames_digest(clip.frames, cache),
            "model": self.digest,
            "options": {**asdict(self.predictor.options), "bf16": self.switches.bf16},
            "outputs": outputs,
        }
        del found["options"]["batch"]  # changes speed, not results
        if clip.split:
            outputs["split"] = clip.split
        if wanted.only_annotated and clip.sequence is not None:
            found["annotations"] = files_digest(clip.sequence.annotation_files, {}, cache)
        if wanted.ids is not None:
            found["ids"] = file_digest(wanted.ids.path)
        elif wanted.format == "coco":
            outputs["image ids"] = "places"
        if wanted.out.is_dir():
            cache.save()
        return found

    def reason(self, clip: Clip) -> str:
        """Why a clip has to be looked at; empty if its results are up to date."""
        differs = what_differs(self.wanted.out, clip.name, self.made_from(clip))
        return differs or ("asked for again" if self.again else "")


@dataclass(frozen=True)
class Told:
    """What became of one clip, for the table at the end."""

    name: str
    state: str
    done: Done
    seconds: float = 0.0
    error: str = ""


def detect_all(setup: Setup, clips: list[Clip], quiet: bool) -> int:
    """Look at every clip that has no up-to-date results, and tell what became of them.

    Returns:
        Number of clips that failed.
    """
    if setup.predictor.device == "cpu":
        torch.set_num_threads(setup.wanted.threads)
    with watching(console(), len(clips), quiet) as watcher:
        told = [_look_at(setup, clip, watcher) for clip in clips]
    failed = [each for each in told if each.error]
    joined = _join(setup.wanted, told, bool(failed))
    if not quiet:
        _tell(setup, told)
        if joined is not None:
            echo(f"all in one: {joined}")
    if failed:
        names = ", ".join(each.name for each in failed)
        echo(f"{failures(len(failed), len(told))}; failed: {names}", err=True)
    return len(failed)


def show_plan(setup: Setup, clips: list[Clip]) -> None:
    """Print what :func:`detect_all` would do."""
    spec, predictor = setup.predictor.spec, setup.predictor
    echo(f"model: {setup.model}: {spec.preset} on {spec.backbone}, {', '.join(spec.class_names)}")
    echo(f"device: {predictor.device}{', bf16' if setup.switches.bf16 else ''}")
    options = ", ".join(f"{key} {value}" for key, value in asdict(predictor.options).items())
    echo(f"options: {options}")
    shown = table("clip", "frames", "results", "to do", numbers=("frames",))
    for clip in clips:
        frames = "video"  # counting those of a video takes a decoding pass
        try:
            if not isinstance(clip.frames, VideoFile):
                frames = str(len(clip.frames))
            todo = setup.reason(clip)
        except (SpotlabelError, OSError) as error:
            todo = f"UNUSABLE: {one_sentence(error)}"
        cells = (clip.name, frames, str(setup.wanted.detections_file(clip.name)), todo or "up to date")
        shown.add_row(*map(escape, cells))
    console(sys.stdout).print(shown)


def _look_at(setup: Setup, clip: Clip, watcher: SilentWatcher) -> Told:
    """Bring the results of one clip up to date; of images that change meanwhile nothing is remembered."""
    with watching_inputs():
        return _look_at_watched(setup, clip, watcher)


def _look_at_watched(setup: Setup, clip: Clip, watcher: SilentWatcher) -> Told:
    started, outcome = time.perf_counter(), Outcome(clip.name)
    told = Told(clip.name, "kept", Done())
    try:
        made_from = setup.made_from(clip)
        differs = what_differs(setup.wanted.out, clip.name, made_from)
        if differs or setup.again:
            older = forget(setup.wanted.out, clip.name)
            done = detect_clip(
                clip,
                setup.predictor,
                setup.wanted,
                lambda read, total: watcher.progress(clip.name, "detect", read, total),
            )
            check_inputs()
            remember(setup.wanted.out, clip.name, made_from, done.files)
            for file in set(older) - set(done.files):  # in another format, which nothing keeps up to date
                file.unlink(missing_ok=True)
            seconds = time.perf_counter() - started
            outcome.seconds["detect"] = seconds
            told = Told(clip.name, "made", done, seconds)
    except (SpotlabelError, OSError, MemoryError) as error:
        outcome.error = one_sentence(error)
        told = Told(clip.name, "FAILED", Done(), error=outcome.error)
    watcher.finished(outcome)
    return told


def _join(wanted: Wanted, told: list[Told], failed: bool) -> Path | None:
    """One COCO file of all clips, where ids are those of an annotations file and so differ between clips."""
    path = wanted.out / JOINED
    if wanted.ids is None or len(told) < 2:
        return None
    if failed:
        path.unlink(missing_ok=True)
        return None
    rows = [json.loads(wanted.detections_file(each.name).read_bytes()) for each in told]
    write_coco(path, [row for part in rows for row in part])
    return path


def _tell(setup: Setup, told: list[Told]) -> None:
    out = setup.wanted.out
    if all(each.state == "kept" for each in told):
        echo(f"nothing to do: {len(told)} of {len(told)} are up to date in {out}")
        return
    columns = ("clip", "results", "frames", "boxes", "frames/s")
    shown = table(*columns, numbers=columns[2:])
    for each in told:
        numbers = ("", "", "")
        if each.state == "made":
            rate = f"{each.done.frames / each.seconds:.1f}"
            numbers = (str(each.done.frames), str(each.done.boxes), rate)
        shown.add_row(escape(each.name), each.state, *numbers)
    console(sys.stdout).print(shown)
    for each in told:
        if each.done.skipped:
            first = each.done.skipped[0]
            echo(f"{each.name}: {len(each.done.skipped)} frames could not be read, first: {first}")
        for file in each.done.files[each.done.results :]:
            echo(f"{each.name}: {file}")
    echo(f"detections ({setup.wanted.format}): {out}")
