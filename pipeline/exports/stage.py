"""One video from its mask store to the files of a format."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from spotlabel.labelers.masks import MaskSettings
from spotlabel.pipeline.datasets.mot_rows import NO_CLASS
from spotlabel.pipeline.errors import (
    ChangedInputError,
    ExportError,
    SpotlabelError,
    StoreError,
    one_sentence,
)
from spotlabel.pipeline.exports.formats.registry import FORMATS
from spotlabel.pipeline.exports.images import Images
from spotlabel.pipeline.exports.instances import Frames
from spotlabel.pipeline.exports.objects import objects_of
from spotlabel.pipeline.exports.options import ExportOptions
from spotlabel.pipeline.exports.publish import publish
from spotlabel.pipeline.exports.record import VERSION, Record, digests, record_path, what_differs
from spotlabel.pipeline.exports.staging import staging
from spotlabel.pipeline.exports.video import Video
from spotlabel.pipeline.hashing import text_digest
from spotlabel.pipeline.inputs import check_inputs
from spotlabel.pipeline.names import file_stem
from spotlabel.pipeline.progress import FrameProgress
from spotlabel.pipeline.recipes.recipe import Recipe
from spotlabel.pipeline.store import FrameState, MaskReader
from spotlabel.pipeline.store.seal import sealed_digest
from spotlabel.pipeline.upkeep.labelled import check_labelled
from spotlabel.pipeline.upkeep.plan import Item


def dataset_classes(items: Iterable[Item]) -> tuple[str, ...]:
    """All classes of the videos that have masks, in the order of the videos.

    A video whose store cannot be read has none; it fails by itself, see :func:`why_export`.
    """
    names: dict[str, None] = {}
    for item in items:
        try:
            sealed_digest(item.mask_path, item.cache)
            masks = MaskReader(item.mask_path, sealed=True)
        except (SpotlabelError, OSError):
            continue
        names |= dict.fromkeys(_class_names(masks))
        masks.close()
    return tuple(names)


def _class_names(masks: MaskReader) -> tuple[str, ...]:
    """Classes of a video; of one without boxes not the name that readers give to what has no class."""
    nothing = not len(masks.boxes.xyxy) and masks.class_names == (NO_CLASS,)
    return () if nothing else masks.class_names


def origins(items: Iterable[Item], options: ExportOptions) -> dict[str, dict[str, Any] | str]:
    """What the files of every video would be made from now, or why that cannot be told, by name."""
    found: dict[str, dict[str, Any] | str] = {}
    for item in items:
        try:
            found[item.sequence.name] = made_from(item, options)
        except (SpotlabelError, OSError) as error:
            found[item.sequence.name] = one_sentence(error)
    return found


def why_export(recipe: Recipe, item: Item, options: ExportOptions, to: Path) -> str:
    """Why a video has to be exported (again); empty if what is there is whole and up to date.

    Raises:
        StoreError, DatasetError: it has no masks, or not those that the recipe asks for.
        OSError: a file cannot be read.
    """
    check_labelled(recipe, item)
    stem = file_stem(item.sequence.name)
    cache = digests(to, options.format, stem)
    if recipe.verify == "full":
        cache.forget_all()
    reason = what_differs(to, options.format, stem, made_from(item, options), cache)
    if to.is_dir():
        cache.save()
    return reason


def made_from(item: Item, options: ExportOptions, masks: str = "") -> dict[str, Any]:
    """What decides the files of a video; the seal of the masks stands for frames and boxes behind them.

    Args:
        item: the video.
        options: what is asked for.
        masks: digest of its masks; by default of those that are there now.
    """
    origin = {
        "export": VERSION,
        "sequence": item.sequence.name,
        "masks": masks or sealed_digest(item.mask_path, item.cache),
        "options": options.model_dump(mode="json"),
    }
    if options.images == "link":  # the same images may lie elsewhere by now, and a copy of them still there
        folders = {os.path.abspath(file.parent) for file in item.sequence.frames.files()}
        origin["image paths"] = text_digest("\n".join(sorted(folders)))
    return origin


def export_video(
    recipe: Recipe, item: Item, options: ExportOptions, to: Path, progress: FrameProgress
) -> Record:
    """Write the files of one video; all of them take their names together.

    Args:
        recipe: the recipe.
        item: one of its sequences, with masks.
        options: what is asked for.
        to: the export's folder.
        progress: called after every frame.

    Returns:
        What was written; among its remarks also what was kept of others.

    Raises:
        ExportError: the format cannot hold it, or the disk cannot.
        StoreError, DatasetError: the masks are missing, damaged or not those that the recipe asks for.
        ChangedInputError: masks or images changed meanwhile.
    """
    check_labelled(recipe, item)
    masks, form = MaskReader(item.mask_path, sealed=True), FORMATS[options.format]
    origin = made_from(item, options, masks.digest)
    stem = file_stem(item.sequence.name)
    images = Images(item.sequence, form.counted)
    images.check(options.images)
    try:
        chosen = masks.numbers % options.every == 0
        if not form.whole_videos:
            chosen &= masks.state == FrameState.OK
        video = video_of(item, masks, options, images, np.flatnonzero(chosen))
        settings, regions = MaskSettings(**masks.structure("settings")), item.sequence.load().regions
        frames = Frames(masks, settings, options.min_believability, regions)
        with staging(to, stem) as stage:
            writer, objects = form.writer(video, stage), 0
            for place, index in enumerate(video.indices.tolist()):
                frame = frames.read(index)
                writer.put(frame)
                images.put(
                    index,
                    options.images,
                    stage,
                    f"{form.images.format(stem)}/{video.images[place]}",
                    FrameState(masks.state[index]),
                )
                objects += len(frame.instances)
                progress(place + 1, len(video.indices))
            remarks = [*writer.finish(), *_left_out(video, options), *_by_hand(masks), *images.remarks()]
            _check_still(item, masks)
            record = Record("whole", origin, {}, len(video.indices), objects, remarks)
            kept = publish(to, record_path(to, form.name, stem), form.own_of(stem), stage, record)
            return replace(record, remarks=[*remarks, *kept])
    finally:
        masks.close()


def video_of(
    item: Item, masks: MaskReader, options: ExportOptions, images: Images, indices: npt.NDArray[np.int64]
) -> Video:
    """What writers of formats know of a video.

    Args:
        item: the video.
        masks: its masks.
        options: of the export.
        images: of the video.
        indices: int64 (n,), positions of the exported frames, rising.

    Raises:
        StoreError: the masks are of other frames.
        ExportError: a class is none of ``options.classes``.
    """
    frames, known = item.sequence.frames, masks.state == FrameState.OK
    if not np.array_equal(masks.numbers, frames.numbers) or masks.size != frames.size:
        raise StoreError(f"{masks.path}: was made from other frames; run `spotlabel label` again")
    if not set(_class_names(masks)) <= set(options.classes):
        raise ExportError(
            f"{item.sequence.name}: its classes changed while the export was prepared; run again"
        )
    chosen = masks.numbers % options.every == 0
    return Video(
        name=item.sequence.name,
        stem=file_stem(item.sequence.name),
        size=masks.size,
        numbers=masks.numbers,
        indices=indices,
        known=known,
        images=tuple(images.name(index) for index in indices.tolist()),
        boxes=masks.boxes,
        objects=objects_of(masks.boxes, np.flatnonzero(chosen & known)),
        classes=options.classes,
        class_of=np.array([options.classes.index(name) for name in _class_names(masks)], np.int64),
    )


def _left_out(video: Video, options: ExportOptions) -> list[str]:
    """Frames of which nothing is known, in words."""
    chosen = video.numbers % options.every == 0
    count = int((chosen & ~video.known).sum())
    if not count:
        return []
    there = FORMATS[options.format].whole_videos
    return [f"{count} frames of which nothing is known are {'unknown' if there else 'left out'}"]


def _by_hand(masks: MaskReader) -> list[str]:
    """How many boxes a person decided, in words."""
    count = int(np.count_nonzero(masks.manual))
    return [f"{count} boxes of the video were decided by a person (docs/corrections.md)"] if count else []


def _check_still(item: Item, masks: MaskReader) -> None:
    """A last look before files take their names."""
    check_inputs()
    masks.check_unchanged()
    if sealed_digest(item.mask_path, item.cache) != masks.digest:
        raise ChangedInputError(f"{item.mask_path}: was made again while it was being exported; run again")
