"""What each part of a student brings, and one student for several videos beside one for each.

    python -m benchmarks.learned.ablation DATA GROUP [--only car-shadow] [--boxes 150] [--steps 800]

GROUP is ``streets`` (rendered scenes of a fixed camera), ``davis`` or ``extra/davis`` (moving cameras). Each
variant is taught with one seed and compared on a few frames, all boxes kept: differences of less than a
hundredth say nothing. The teacher is asked about a box once, whatever is taught afterwards. Rows that
``OUT/results.json`` has are not made again.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from statistics import fmean
from typing import Any, cast

import click

from benchmarks.learned.some_frames import Replayed, SomeFrames
from benchmarks.learned.variants import VARIANTS, Variant, student, taught
from benchmarks.quality.tables import streets
from spotlabel.detector.teaching import school
from spotlabel.labelers.base import Rows, Study, TaughtLabeler
from spotlabel.labelers.learned.settings import TeachingSettings
from spotlabel.labelers.learned.student import Student
from spotlabel.labelers.learned.teacher import NEUTRAL
from spotlabel.pipeline.recipes.recipe import Recipe, build_recipe
from spotlabel.pipeline.running.job import run_sequence
from spotlabel.pipeline.sequence import Annotations, Camera
from spotlabel.pipeline.stages.clip import SequenceClip
from spotlabel.pipeline.stages.students import chosen_rows, kept_answers
from spotlabel.pipeline.store import EvidenceReader
from spotlabel.pipeline.upkeep.plan import Item, items

GROUPS: dict[str, dict[str, Any]] = {
    "streets": {"dataset": {"reader": "synthetic", "scenes": streets(21)}},
    "davis": {"dataset": {"reader": "davis"}},
    "extra/davis": {"dataset": {"reader": "davis"}},
}
FRAMES = 12
"""Compared of each video, spread over it."""
OTHER = "the other labeler alone"


@dataclass(frozen=True, eq=False)
class Video:
    """A video with its default evidence.

    Attributes:
        recipe: with students.
        item: of that recipe.
        inner: the default labeler's evidence.
    """

    recipe: Recipe
    item: Item
    inner: Replayed

    @cached_property
    def annotations(self) -> Annotations:
        """Its boxes."""
        return self.item.sequence.load()

    @cached_property
    def some(self) -> SomeFrames:
        """The frames that are compared."""
        return SomeFrames(self.item, 0, FRAMES)

    @property
    def fixed(self) -> bool:
        """Whether its camera is."""
        return self.item.sequence.camera == Camera.FIXED

    def student(self, teaching: TeachingSettings, files: Mapping[str, bytes]) -> Student:
        """A student of this video."""
        return student(self.fixed, self.inner, teaching, files)

    def study(self, rows: Rows, teaching: TeachingSettings, files: Mapping[str, bytes]) -> Study:
        """What the teacher says of some boxes, of which it may have spoken before."""
        answers = kept_answers(self.recipe, self.item)
        clip = SequenceClip(self.item.sequence, self.recipe.frames, self.annotations)

        def asked(done: int, total: int) -> None:
            answers.now_and_then()

        study = self.student(teaching, files).study(clip, rows, answers, asked)
        answers.save()
        return study

    def figure(self, labeler: Student | Replayed) -> float:
        """F-measure of a fixed camera's masks, mean IoU of a moving one's."""
        neutral = labeler.neutral if isinstance(labeler, Replayed) else NEUTRAL
        found = self.some.figures(list(labeler.label(self.some)), labeler.kind, neutral)
        return found.f_measure if self.fixed else found.mean_iou


class Ablation:
    """Variants on some videos.

    Args:
        videos: of one kind of camera.
        teaching: how students are taught without a change.
        files: the teacher.
    """

    def __init__(
        self, videos: Sequence[Video], teaching: TeachingSettings, files: Mapping[str, bytes]
    ) -> None:
        self._videos, self._teaching, self._files = videos, teaching, files
        self._study = cache(self._studied)

    def figures(self, variant: Variant) -> list[float]:
        """The figure of each video."""
        groups = [self._videos] if variant.shared else [[video] for video in self._videos]
        return [figure for group in groups for figure in self._of_group(group, variant)]

    def _of_group(self, videos: Sequence[Video], variant: Variant) -> list[float]:
        teaching = variant.taught(self._teaching, len(videos))
        first = videos[0].student(teaching, self._files)
        rows = chosen_rows(cast(TaughtLabeler, first), [(video.item, video.annotations) for video in videos])
        studies = [
            self._study(video, json.dumps(sorted(some.items())), teaching.size)
            for video, some in zip(videos, rows, strict=True)
        ]
        boxes = sum(len(video.annotations.boxes.xyxy) for video in videos)
        lesson = variant.lesson(first, studies, rows, boxes)
        state = self._videos[0].recipe.out / "ablation.state"
        network = school.taught(
            lesson.arrays, lesson.course, lesson.metadata, state=state, mark="", progress=_silent
        )
        state.unlink(missing_ok=True)
        found = []
        for video in videos:
            labeler = video.student(teaching, self._files)
            taught(labeler, network, variant.aided)
            found.append(video.figure(labeler))
        return found

    def _studied(self, video: Video, rows: str, size: int) -> Study:
        teaching = self._teaching.model_copy(update={"size": size})
        return video.study(dict(json.loads(rows)), teaching, self._files)


@click.command()
@click.argument("data", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("group", type=click.Choice([*GROUPS]))
@click.option("--network", type=click.Path(exists=True, path_type=Path), default=Path("models/u2net.onnx"))
@click.option("--out", type=click.Path(path_type=Path), default=Path("runs/ablation"), show_default=True)
@click.option("--only", multiple=True, metavar="SEQUENCE", help="Only sequences whose name ends so.")
@click.option("--variant", "titles", multiple=True, metavar="TITLE", help="Only rows whose title begins so.")
@click.option("--boxes", default=150, show_default=True, help="Boxes that the teacher is asked about.")
@click.option("--size", default="80", type=click.Choice(["64", "80", "96", "128"]), show_default=True)
@click.option("--steps", default=800, show_default=True, help="Of training.")
def main(
    data: Path, group: str, network: Path, out: Path, *, only: tuple[str, ...], titles: tuple[str, ...],
    boxes: int, size: str, steps: int,
) -> None:  # fmt: skip
    """Print a table: a row for each variant, a column for each video."""
    teaching = TeachingSettings.model_validate({"boxes": boxes, "size": int(size), "steps": steps})
    videos = _videos(data / group, out / group.replace("/", "-"), group, network, only)
    if not videos:
        raise click.UsageError(f"--only {', '.join(only)}: no such sequence in {group}")
    names = [video.item.sequence.name for video in videos]
    results = _Results(out / "results.json", f"{group} {boxes} {size} {steps} {' '.join(names)}")
    ablation = Ablation(videos, teaching, {"network": network.read_bytes()})
    click.echo(f"| {group} | " + " | ".join(names) + " | mean |\n|" + "---|" * (len(names) + 2))
    _tell(OTHER, results.once(OTHER, lambda: [video.figure(video.inner) for video in videos]))
    for variant in VARIANTS:
        if not titles or variant.title.startswith(titles):
            _tell(variant.title, results.once(variant.title, lambda one=variant: ablation.figures(one)))


def _videos(data: Path, out: Path, group: str, network: Path, only: tuple[str, ...]) -> list[Video]:
    """The videos of a group, with the evidence of the default labelers made where it is not there."""
    tree = {"data": str(data), "out": str(out), **GROUPS[group]}
    default = build_recipe(tree, where=group)
    settings = {name: {"network": str(network)} for name in ("boxbg-student", "egoflow-cut-student")}
    learned = build_recipe({**tree, "preset": "learned", "evidence": settings}, where=group)
    videos = []
    for item, made in zip(items(learned), items(default), strict=True):
        if only and not item.sequence.name.endswith(only):
            continue
        outcome = run_sequence(default, item.sequence.name, False, lambda stage, done, total: None)
        if outcome.failed:
            click.echo(f"{outcome.sequence}: {outcome.error}", err=True)
            sys.exit(1)
        videos.append(Video(learned, item, Replayed(EvidenceReader(made.evidence_path))))
    return videos


class _Results:
    """Rows that are kept in a file, by what they were made with."""

    def __init__(self, path: Path, made_with: str) -> None:
        self._path, self._made_with = path, made_with
        self._all: dict[str, dict[str, list[float]]] = json.loads(path.read_text()) if path.exists() else {}

    def once(self, title: str, compute: Any) -> list[float]:
        """A row, computed if it is not there."""
        rows = self._all.setdefault(self._made_with, {})
        if title not in rows:
            rows[title] = compute()
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._path.write_text(json.dumps(self._all, indent=1))
        return rows[title]


def _tell(title: str, figures: list[float]) -> None:
    click.echo(f"| {title} | " + " | ".join(f"{one:.3f}" for one in [*figures, fmean(figures)]) + " |")


def _silent(done: int, total: int) -> None:
    """Progress that nobody looks at."""


if __name__ == "__main__":
    main()
