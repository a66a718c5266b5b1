"""Which videos are trained on and which are held out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence as Seq
from dataclasses import dataclass

from spotlabel.detector.data.labelled import Labelled
from spotlabel.detector.errors import TrainingError
from spotlabel.pipeline.validation import nearest

HELD_OUT = 6
"""One video in this many is held out: 10 of UA-DETRAC's 60, 5 of UAVDT's 30."""
TAIL = 5
"""Of a lone video, the last 1/TAIL of its frames is held out."""


@dataclass(frozen=True)
class Part:
    """Frames of one video.

    Attributes:
        video: the video.
        indices: positions of its frames.
    """

    video: Labelled
    indices: tuple[int, ...]


@dataclass(frozen=True)
class Split:
    """What is trained on and what is held out.

    Attributes:
        train: parts to train on.
        held_out: parts to validate on.
        rule: how it came about, for people.
    """

    train: tuple[Part, ...]
    held_out: tuple[Part, ...]
    rule: str

    def as_data(self) -> dict[str, object]:
        """Names and frame counts as plain data, to stand next to the run."""
        sides = {"train": self.train, "held_out": self.held_out}
        counts = {
            side: {part.video.name: len(part.indices) for part in parts} for side, parts in sides.items()
        }
        return {"rule": self.rule, **counts}


def split_videos(videos: Seq[Labelled], held_out: Seq[str], *, every: int, every_held_out: int) -> Split:
    """Hold out whole videos; frames of one video are too alike to be on both sides.

    Args:
        videos: all labelled videos.
        held_out: names to hold out. Empty holds out one in six, spread over the values of the attribute
            ``weather`` where there is one; a lone video is split in time, its last fifth held out.
        every: of the videos trained on, one frame in this many.
        every_held_out: likewise of those held out.

    Raises:
        TrainingError: a name that no video has, or nothing left on a side.
    """
    names = [video.name for video in videos]
    for name in held_out:
        if name not in names:
            raise TrainingError(f"training.held_out: no video {name!r}; {nearest(name, names)}")
    if not videos:
        raise TrainingError("there is no video to train on")
    if len(videos) == 1 and not held_out:
        return _checked(_split_in_time(videos[0], every, every_held_out))
    chosen = set(held_out) or _spread(videos)
    split = Split(
        train=tuple(Part(v, tuple(v.usable(every))) for v in videos if v.name not in chosen),
        held_out=tuple(Part(v, tuple(v.usable(every_held_out))) for v in videos if v.name in chosen),
        rule="named in training.held_out" if held_out else f"one video in {HELD_OUT}, spread over weather",
    )
    return _checked(split)


def _split_in_time(video: Labelled, every: int, every_held_out: int) -> Split:
    cut = len(video.masks) - max(1, len(video.masks) // TAIL)
    train = tuple(index for index in video.usable(every) if index < cut)
    rest = tuple(index for index in video.usable(every_held_out) if index >= cut)
    rule = f"the last 1/{TAIL} of the only video (too alike to what was trained on to say much)"
    return Split((Part(video, train),), (Part(video, rest),), rule)


def _spread(videos: Seq[Labelled]) -> set[str]:
    """Names to hold out, taken in turn from the groups of equal weather."""
    groups: dict[str, list[str]] = defaultdict(list)
    for video in videos:
        groups[dict(video.attributes).get("weather", "")].append(video.name)
    wanted, chosen = max(1, round(len(videos) / HELD_OUT)), list[str]()
    ordered = sorted(groups.values(), key=lambda group: (-len(group), group))
    place = 0
    while len(chosen) < wanted:
        chosen += [group[-1 - place] for group in ordered if place < len(group)][: wanted - len(chosen)]
        place += 1
    return set(chosen)


def _checked(split: Split) -> Split:
    for side, parts in (("train on", split.train), ("validate on", split.held_out)):
        if not any(part.indices for part in parts):
            raise TrainingError(
                f"no usable frame to {side}: every frame is missing, unreadable, in its warm-up, or not one "
                "of those that training.every keeps"
            )
    return split
