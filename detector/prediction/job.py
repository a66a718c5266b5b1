"""One clip from images to result files."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Literal

from spotlabel.detector.errors import PredictionError
from spotlabel.detector.evaluation.boxes.places import IMAGES_SUFFIX
from spotlabel.detector.evaluation.traffic.files import Compat
from spotlabel.detector.prediction.behind import Behind
from spotlabel.detector.prediction.clips import Clip
from spotlabel.detector.prediction.coco_ids import CocoIds
from spotlabel.detector.prediction.pictures import AttentionMaps, Pictures, chosen_positions
from spotlabel.detector.prediction.predictor import Laid, Looked, Prediction, Predictor
from spotlabel.detector.prediction.results import (
    FrameResult,
    coco_rows,
    write_coco,
    write_images,
    write_text,
    write_voc,
)
from spotlabel.pipeline.errors import FrameError
from spotlabel.pipeline.frames.prefetch import prefetch
from spotlabel.pipeline.names import file_stem
from spotlabel.pipeline.sequence import Image

Format = Literal["ua-detrac", "uavdt", "coco", "voc"]
Report = Callable[[int, int], None]
Batch = list[tuple[int, Image]]
"""Positions in a clip, and the images there."""

AHEAD = 2
"""Batches that are ready for the network, and that wait to be written down, while it is busy."""

DRAWN_FROM = 0.3
"""Smallest score that is drawn, unless a larger one is the smallest that is written."""


@dataclass(frozen=True)
class Wanted:
    """Which results to write, and where.

    Attributes:
        out: root folder of all results.
        format: of the detections file.
        compat: text formats only; clean rows, or rows like SpotNet's.
        min_score: detections with a lower score are not written.
        only_annotated: leave out frames without a ground-truth box.
        draw: number of frames per clip to draw.
        attention: write attention maps.
        ids: COCO only; where ids of images and categories come from.
        threads: image files decoded at a time.
    """

    out: Path
    format: Format = "coco"
    compat: Compat = Compat.CLEAN
    min_score: float = 0.0
    only_annotated: bool = False
    draw: int = 0
    attention: bool = False
    ids: CocoIds | None = None
    threads: int = 1

    def images_file(self, clip: str) -> Path:
        """Where it stands which image ids of a clip's COCO results are which pictures."""
        return self.out / f"{file_stem(clip)}{IMAGES_SUFFIX}"

    def detections_file(self, clip: str) -> Path:
        """Where a clip's detections stand, as the benchmark's evaluation expects it; of VOC's, the folder."""
        if self.format == "voc":
            return self.out / file_stem(clip)
        if self.format == "coco":
            return self.out / f"{file_stem(clip)}.json"
        suffix = "_Det_SpotNet" if (self.format, self.compat) == ("ua-detrac", Compat.SPOTNET) else ""
        return self.out / f"{file_stem(clip)}{suffix}.txt"


@dataclass
class Done:
    """What was made of a clip.

    Attributes:
        files: what was written, detections first.
        results: number of files that hold detections, or say which pictures they are of.
        frames: number of frames looked at.
        boxes: number of detections written.
        skipped: why frames were left out, one line each.
    """

    files: list[Path] = field(default_factory=list)
    results: int = 1
    frames: int = 0
    boxes: int = 0
    skipped: list[str] = field(default_factory=list)


def detect_clip(clip: Clip, predictor: Predictor, wanted: Wanted, report: Report) -> Done:
    """Find objects in every frame of a clip and write the results.

    Args:
        clip: what to look at.
        predictor: the detector.
        wanted: what to write.
        report: called with frames done and frames in all.

    Raises:
        FrameError: a frame cannot be read, and the clip does not allow that.
        DatasetError: the video or the annotations cannot be used.
        PredictionError: the clip is empty, or the device has not enough memory.
    """
    total = len(clip.frames)
    if not total:
        raise PredictionError(f"{clip.name}: has no frames")
    only = clip.annotated() if wanted.only_annotated else None
    drawn = set(chosen_positions(total, wanted.draw)) if wanted.draw else set()
    outputs = _Outputs(clip, predictor, wanted, drawn)
    done = Done()
    laid = _laid(_batches(clip, wanted.threads, predictor.options.batch, done.skipped), predictor)
    with Behind(AHEAD) as behind:
        for batch, canvases in prefetch(laid, AHEAD):
            looked = predictor.look(canvases, outputs.attention_for(batch))
            behind.do(partial(outputs.put_batch, batch, looked))
            done.frames += len(batch)
            report(done.frames + len(done.skipped), total)
    frames = outputs.frames
    results, done.boxes = _write(clip, predictor, wanted, frames, only)
    done.files, done.results = [*results, *outputs.finish()], len(results)
    return done


class _Outputs:
    """Collects detections; writes pictures and maps as they come."""

    def __init__(self, clip: Clip, predictor: Predictor, wanted: Wanted, drawn: set[int]) -> None:
        self.frames: list[FrameResult] = []
        self._predictor = predictor
        self._wanted = wanted
        self._drawn = drawn
        self._numbers = clip.frames.numbers
        attentions = predictor.attentions
        self._maps = (
            AttentionMaps(wanted.out / "attention", clip.name, attentions) if wanted.attention else None
        )
        names, floor = predictor.spec.class_names, max(wanted.min_score, 0.0) or DRAWN_FROM
        title = f"{clip.name}   {predictor.spec.preset}"
        folder = wanted.out / "pictures" / file_stem(clip.name)
        self._pictures = Pictures(folder, title, names, floor, len(drawn), attentions) if drawn else None

    def attention_for(self, batch: Batch) -> bool:
        drawing = any(index in self._drawn for index, _ in batch)
        return self._maps is not None or (drawing and bool(self._predictor.attentions))

    def put_batch(self, batch: Batch, looked: list[Looked]) -> None:
        for (index, image), found in zip(batch, self._predictor.found(looked), strict=True):
            self._put(index, image, found)

    def _put(self, index: int, image: Image, found: Prediction) -> None:
        number, size = int(self._numbers[index]), (image.shape[0], image.shape[1])
        self.frames.append(FrameResult.of(number, size, found, self._wanted.min_score))
        if self._maps is not None:
            self._maps.put(number, found)
        if self._pictures is not None and index in self._drawn:
            self._pictures.put(number, image, found)

    def finish(self) -> list[Path]:
        sheet = self._pictures.finish() if self._pictures is not None else None
        boxes = self._maps.finish() if self._maps is not None else []
        return [*([sheet] if sheet else []), *boxes]


def _laid(batches: Iterator[Batch], predictor: Predictor) -> Iterator[tuple[Batch, list[Laid]]]:
    """Batches with their images on canvases."""
    for batch in batches:
        yield batch, predictor.lay([image for _, image in batch])


def _batches(clip: Clip, threads: int, size: int, skipped: list[str]) -> Iterator[Batch]:
    """Position and image of the readable frames, ``size`` at a time; ``skipped`` gets why others are not."""

    def readable() -> Iterator[tuple[int, Image]]:
        for index, frame in enumerate(clip.read(threads)):
            if not isinstance(frame, FrameError):
                yield index, frame
            elif clip.skip_bad:
                skipped.append(str(frame))
            else:
                raise frame

    frames = readable()
    while batch := list(islice(frames, size)):
        yield batch


def _write(
    clip: Clip,
    predictor: Predictor,
    wanted: Wanted,
    frames: list[FrameResult],
    only: Collection[int] | None,
) -> tuple[list[Path], int]:
    """Write the results; their files, and the number of boxes in them."""
    path, names = wanted.detections_file(clip.name), predictor.spec.class_names
    path.parent.mkdir(parents=True, exist_ok=True)
    if wanted.format == "voc":
        pictures = {number: file.stem for number, file in clip.image_files().items()}
        files = write_voc(path, clip.split or file_stem(clip.name), frames, pictures, names)
        return files, sum(len(frame.clipped()) for frame in frames)
    if wanted.format != "coco":
        return [path], write_text(path, wanted.format, frames, compat=wanted.compat, only=only)
    kept = [frame for frame in frames if only is None or frame.number in only]
    if wanted.ids is not None:
        given = wanted.ids.of_clip(clip)
        rows = coco_rows(kept, [given[frame.number] for frame in kept], wanted.ids.of_classes(names))
        write_coco(path, rows)
        return [path], len(rows)
    ids = clip.image_ids()
    image_ids = [ids[frame.number] for frame in kept]
    rows = coco_rows(kept, image_ids, list(range(1, len(names) + 1)))
    write_coco(path, rows)
    write_images(wanted.images_file(clip.name), kept, image_ids, _file_names(clip), names)
    return [path, wanted.images_file(clip.name)], len(rows)


def _file_names(clip: Clip) -> dict[int, str]:
    """Name of the file that every frame is in: its image, or the video; none where frames are rendered."""
    if images := clip.image_files():
        return {number: file.name for number, file in images.items()}
    files = clip.frames.files()
    return dict.fromkeys(clip.frames.numbers.tolist(), files[0].name) if len(files) == 1 else {}
