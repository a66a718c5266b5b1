"""Attention maps of a folder against the sequences of a CDnet root."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from spotlabel.detector.evaluation.attention.boxes import BOXES_NAME, inside_boxes, read_boxes
from spotlabel.detector.evaluation.attention.maps import THRESHOLD, GreyCounts, count_greys
from spotlabel.pipeline.datasets import cdnet
from spotlabel.pipeline.datasets.cdnet_truth import evaluated_frames
from spotlabel.pipeline.datasets.label_image import read_label_image
from spotlabel.pipeline.errors import DatasetError
from spotlabel.pipeline.frames import scan_images
from spotlabel.pipeline.frames.options import FrameOptions
from spotlabel.pipeline.sequence import Sequence
from spotlabel.pipeline.validation import nearest

MAP_NAME = r"(?:in|bin)(\d+)\.png"


@dataclass(frozen=True)
class VideoCounts:
    """One sequence.

    Attributes:
        frames: number of frames that count.
        counts: their pixels.
        in_boxes: the maps were cut to the boxes beside them.
    """

    frames: int
    counts: GreyCounts
    in_boxes: bool = False


@dataclass(frozen=True)
class AttentionResult:
    """One run.

    Attributes:
        thresholds: where maps are cut, as asked for.
        videos: by sequence name.
        missing: sequences of the root that have no maps.
    """

    thresholds: tuple[float, ...]
    videos: Mapping[str, VideoCounts]
    missing: tuple[str, ...]

    def mean_f(self, threshold: float) -> float:
        """Mean F over the videos that have one; NaN if none has."""
        figures = [video.counts.at(threshold).f_measure for video in self.videos.values()]
        known = [figure for figure in figures if not np.isnan(figure)]
        return sum(known) / len(known) if known else float("nan")


def run_attention(
    truth: Path,
    maps: Path,
    only: tuple[str, ...] = (),
    thresholds: tuple[float, ...] = (THRESHOLD,),
    whole_maps: bool = False,
) -> AttentionResult:
    """Count every frame that CDnet evaluates.

    Args:
        truth: root of CDnet, one of its categories, or a single sequence folder.
        maps: folder with ``<category>/<sequence>`` or ``<sequence>`` for each sequence that has maps:
            8-bit ``in000001.png`` or ``bin000001.png``, 0 the least and 255 the most attention of the frame.
        only: sequence names, with or without category; empty takes every sequence that has maps.
        thresholds: where maps are cut, in [0, 1].
        whole_maps: do not look at the ``boxes.json`` of a sequence, which else makes what lies outside its
            boxes background.

    Raises:
        DatasetError: no usable ground truth, maps or boxes, or an evaluated frame without a map or boxes.
    """
    sequences = cdnet.READER.sequences(truth, cdnet.CdnetOptions(), FrameOptions())
    if not maps.is_dir():
        raise DatasetError.at(maps, "", "no such folder of attention maps")
    names = {name for sequence in sequences for name in (sequence.name, _short(sequence))}
    for name in only:
        if name not in names:
            raise DatasetError.at(truth, "", f"no sequence {name}; {nearest(name, names)}")
    wanted = [s for s in sequences if not only or s.name in only or _short(s) in only]
    folders = {sequence.name: _folder(maps, sequence, sequences) for sequence in wanted}
    missing = tuple(name for name, folder in folders.items() if not folder.is_dir())
    if only and missing:
        raise DatasetError.at(folders[missing[0]], "", f"no such folder, expected the maps of {missing[0]}")
    if len(missing) == len(wanted):
        problem = f"holds no maps of {', '.join(s.name for s in sequences[:5])}"
        raise DatasetError.at(maps, "", problem, "one folder per sequence, with in000001.png...")
    videos = {s.name: _count(s, folders[s.name], whole_maps) for s in wanted if s.name not in missing}
    return AttentionResult(thresholds, videos, missing)


def _short(sequence: Sequence) -> str:
    return sequence.name.rpartition("/")[2]


def _folder(maps: Path, sequence: Sequence, sequences: list[Sequence]) -> Path:
    """Where the maps of a sequence are: under its category, or without where no other has the name."""
    whole, short = maps / sequence.name, maps / _short(sequence)
    unique = sum(_short(other) == _short(sequence) for other in sequences) == 1
    return whole if whole.is_dir() or not unique else short


def _count(sequence: Sequence, folder: Path, whole_maps: bool) -> VideoCounts:
    path = folder / BOXES_NAME
    boxes = None if whole_maps or not path.is_file() else read_boxes(path)
    files = scan_images(folder, MAP_NAME)
    zeros = np.zeros(256, np.int64)
    counts, frames = GreyCounts(zeros, zeros), 0
    for frame in evaluated_frames(sequence):
        number = int(sequence.frames.numbers[frame.position])
        if number not in files:
            problem = f"no map of frame {number}, which the benchmark evaluates"
            raise DatasetError.at(folder, "", problem, f"expected in{number:06d}.png")
        greys = read_label_image(files[number], sequence.frames.size)
        if boxes is not None:
            if number not in boxes:
                advice = "is it of another run than the maps?"
                raise DatasetError.at(path, "", f"says nothing of frame {number}", advice)
            greys = np.where(inside_boxes(greys.shape, boxes[number]), greys, 0)
        counts += count_greys(greys, frame.foreground, frame.valid)
        frames += 1
    return VideoCounts(frames, counts, in_boxes=boxes is not None)
