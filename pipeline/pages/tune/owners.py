"""Whose the pixels of the shown frame are, worked out while the page goes on.

By rule ``tracks`` that needs the frames before and some behind, so it takes as long as these take, and the
page asks until it is there.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from spotlabel.labelers.masks import MaskSettings
from spotlabel.labelers.masks.owners import owner_plane
from spotlabel.pipeline.errors import SpotlabelError, one_sentence
from spotlabel.pipeline.pages.serving.server import SECONDS_TO_END
from spotlabel.pipeline.pages.serving.videos import OpenVideo
from spotlabel.pipeline.stages.frame_masks import MaskSource

_MOST = 4
_PATIENCE = 0.25


class _Stopped(Exception):
    """Nobody asks for it any more."""


@dataclass
class Task:
    """One frame's owners in the making.

    Attributes:
        done: frames gone through.
        needed: frames to go through.
        plane: uint16 (H, W), of :func:`spotlabel.labelers.masks.owners.owner_plane`; None while in the
            making, and where there are none.
        problem: why it failed; empty otherwise.
    """

    done: int = 0
    needed: int = 1
    plane: npt.NDArray[np.uint16] | None = None
    problem: str = ""
    ended: threading.Event = field(default_factory=threading.Event)
    stop: threading.Event = field(default_factory=threading.Event)


class OwnerTasks:
    """The last few frames whose owners were asked for."""

    def __init__(self) -> None:
        self._tasks: OrderedDict[str, Task] = OrderedDict()
        self._leaving: list[Task] = []
        self._lock = threading.Lock()

    def asked(self, key: str, video: OpenVideo, labeler: object, rules: MaskSettings, index: int) -> Task:
        """The task of a frame, begun if it is new, after a moment's patience.

        Args:
            key: names video, state of the disk, labeler, rules and frame.
            video: the video.
            labeler: whose evidence.
            rules: the settings.
            index: of the frame.
        """
        with self._lock:
            task = self._tasks.get(key)
            if task is None:
                source = MaskSource(video.reader(labeler), video.annotations, rules)
                task = self._tasks[key] = Task()
                threading.Thread(target=_work, args=(task, source, index), daemon=True).start()
            self._tasks.move_to_end(key)
            while len(self._tasks) > _MOST:
                oldest = self._tasks.popitem(last=False)[1]
                oldest.stop.set()
                self._leaving = [one for one in (*self._leaving, oldest) if not one.ended.is_set()]
        task.ended.wait(_PATIENCE)
        return task

    def close(self) -> None:
        """Stop all, and wait until they have."""
        with self._lock:
            tasks = [*self._tasks.values(), *self._leaving]
        for task in tasks:
            task.stop.set()
        for task in tasks:
            task.ended.wait(SECONDS_TO_END)


def _work(task: Task, source: MaskSource, index: int) -> None:
    def progress(done: int, needed: int) -> None:
        task.done, task.needed = done, needed
        if task.stop.is_set():
            raise _Stopped

    try:
        owners, made = source.one_with_owners(index, progress), source.one(index)
        if owners is not None and made is not None:
            task.plane = owner_plane(made.mask.mask, made.claimed.rects, owners.claims, owners.runs)
    except _Stopped:
        task.problem = "stopped"
    except (SpotlabelError, OSError, MemoryError) as error:
        task.problem = one_sentence(error)
    finally:
        task.ended.set()
