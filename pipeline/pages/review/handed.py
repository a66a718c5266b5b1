"""The queue as files for CVAT: the frames and boxes that are asked about, and no others.

A task of CVAT is one video's: ``<video>/annotations.xml``, written by the exporter, its images in the order
of the queue. What stands where in the queue is told by ``queue.tsv``: CVAT shows images by their names, which
have to stay, for by them the masks come back.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from spotlabel.labelers.masks import MaskSettings
from spotlabel.pipeline.atomic import fsync_folder
from spotlabel.pipeline.errors import ChangedInputError, ExportError
from spotlabel.pipeline.exports.formats.cvat import CvatWriter
from spotlabel.pipeline.exports.frame import ExportFrame
from spotlabel.pipeline.exports.images import Images
from spotlabel.pipeline.exports.instances import Frames
from spotlabel.pipeline.exports.options import ExportOptions
from spotlabel.pipeline.exports.stage import dataset_classes, video_of
from spotlabel.pipeline.exports.staging import MAKING, Staging, clear_staging, staging
from spotlabel.pipeline.manual import read_manual
from spotlabel.pipeline.names import file_stem
from spotlabel.pipeline.pages.review.queue import WORDS, Asked, said_of
from spotlabel.pipeline.recipes.recipe import Recipe
from spotlabel.pipeline.store import MaskReader
from spotlabel.pipeline.store.seal import sealed_digest
from spotlabel.pipeline.upkeep.labelled import check_labelled
from spotlabel.pipeline.upkeep.plan import Item

LIST = "queue.tsv"
ImageMode = Literal["link", "copy", "none"]
_HEAD = "place\tvideo\timage\tframe\ttrack\tclass\tas\twhy\n"
_AS = _HEAD.split("\t").index("as")
_NO_PIXEL = "nothing"
"""In the list, of boxes that the format cannot hold: neither a pixel of theirs is known, nor one unknown."""


@dataclass(frozen=True)
class Handed:
    """What was handed over.

    Attributes:
        files: one for each video, in the order of the recipe.
        images: number of frames.
        boxes: number of boxes.
        decided: boxes of the queue that were left out, since a person has decided them.
        bare: those that could not be handed over, without a pixel to show.
        nameless: masks of boxes without a track, which the format cannot name: their edges have to tell.
    """

    files: tuple[Path, ...]
    images: int
    boxes: int
    decided: int
    bare: int
    nameless: int


def hand_over(
    recipe: Recipe, chosen: Sequence[Item], queue: Sequence[Asked], to: Path, images: ImageMode
) -> Handed:
    """Write the undecided boxes of a queue, all files or none.

    Args:
        recipe: the recipe.
        chosen: its videos.
        queue: the boxes, in order.
        to: folder of the files; empty, or not there yet.
        images: whether the frames go along.

    Raises:
        ExportError: all boxes are decided, the folder is in use, the format cannot hold a video, or the disk
            is full.
        StoreError, DatasetError: masks are missing, damaged or not those that the recipe asks for.
        ChangedInputError: masks changed meanwhile.
    """
    _check_empty(to)
    options = ExportOptions(format="cvat", images=images, classes=dataset_classes(chosen))
    waiting: dict[int, list[tuple[int, Asked]]] = {}
    said = {video: read_manual(chosen[video].manual_path) for video in {box.video for box in queue}}
    for place, box in enumerate(queue, 1):
        if said_of(said[box.video], box) is None:
            waiting.setdefault(box.video, []).append((place, box))
    if not waiting:
        raise ExportError(
            f"--to {to}: nothing to write: all {len(queue)} boxes are decided already; "
            "`spotlabel relabel` puts them into the masks"
        )
    with staging(to, "queue") as stage:
        lines: dict[int, str] = {}
        for video in sorted(waiting):
            lines |= _Task(recipe, chosen[video], options, stage).write(waiting[video])
        stage.write(LIST, (_HEAD + "".join(lines[place] for place in sorted(lines))).encode())
        stage.sync()
        _publish(stage, to)
    clear_staging(to)
    with suppress(OSError):  # another run's
        (to / MAKING).rmdir()
    shapes = {place: line.split("\t")[_AS] for place, line in lines.items()}
    bare = sum(shape == _NO_PIXEL for shape in shapes.values())
    nameless = sum(shape == "mask" and queue[place - 1].key[1] < 0 for place, shape in shapes.items())
    stems = [file_stem(chosen[video].sequence.name) for video in sorted(waiting)]
    files = tuple(to / stem / "annotations.xml" for stem in stems)
    frames = len({(box.video, box.frame) for boxes in waiting.values() for _, box in boxes})
    return Handed(files, frames, len(lines) - bare, len(queue) - len(lines), bare, nameless)


def _check_empty(to: Path) -> None:
    if to.exists() and (not to.is_dir() or any(path.name != MAKING for path in to.iterdir())):
        raise ExportError(f"--to {to}: holds something already; name a folder that is not there yet")


def _publish(stage: Staging, to: Path) -> None:
    """The list last: where it is, all is."""
    for top in sorted(stage.folder.iterdir(), key=lambda path: (path.name == LIST, path.name)):
        top.rename(to / top.name)
    fsync_folder(to)


class _Task:
    """One video's files."""

    def __init__(self, recipe: Recipe, item: Item, options: ExportOptions, stage: Staging) -> None:
        check_labelled(recipe, item)
        self._item, self._options, self._stage = item, options, stage
        self._images = Images(item.sequence)
        self._images.check(options.images)

    def write(self, boxes: Sequence[tuple[int, Asked]]) -> dict[int, str]:
        """Write them; a line of the list by place in the queue."""
        masks = MaskReader(self._item.mask_path, sealed=True)
        try:
            found = dict(self._written(masks, boxes))
            masks.check_unchanged()
            if sealed_digest(self._item.mask_path, self._item.cache) != masks.digest:
                raise ChangedInputError(f"{self._item.mask_path}: was made again meanwhile; run again")
            return found
        finally:
            masks.close()

    def _written(self, masks: MaskReader, boxes: Sequence[tuple[int, Asked]]) -> Iterator[tuple[int, str]]:
        frames = Frames(masks, MaskSettings(**masks.structure("settings")))
        by_index: dict[int, list[tuple[int, Asked]]] = {}
        for place, box in boxes:
            by_index.setdefault(int(np.searchsorted(masks.numbers, box.frame)), []).append((place, box))
        indices = np.array(sorted(by_index), np.int64)
        video = video_of(self._item, masks, self._options, self._images, indices)
        writer = CvatWriter(video, self._stage)
        for index, asked in by_index.items():  # as the queue has them
            frame = _only(frames.read(index), {box.row for _, box in asked})
            writer.put(frame)
            image = video.image(index)
            self._images.put(index, self._options.images, self._stage, f"{video.stem}/images/{image}")
            shapes = {one.row: "mask" for one in frame.instances} | {one.row: "box" for one in frame.unknown}
            for place, box in asked:
                name = masks.class_names[int(masks.boxes.class_id[box.row])]
                values = (_plain(video.name), image, box.frame, box.key[1], _plain(name))
                shape = shapes.get(box.row, _NO_PIXEL)
                yield place, "\t".join(map(str, (place, *values, shape, WORDS[box.why]))) + "\n"
        writer.finish()


def _only(frame: ExportFrame, rows: set[int]) -> ExportFrame:
    """The asked boxes of a frame; further unknown pixels are nobody's to decide."""
    return replace(
        frame,
        instances=tuple(one for one in frame.instances if one.row in rows),
        unknown=tuple(one for one in frame.unknown if one.row in rows),
        rest=None,
    )


def _plain(text: str) -> str:
    """A name without what would break a line or a column, as the audit's list has it."""
    return json.dumps(text)[1:-1]
