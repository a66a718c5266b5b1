"""The audit's figure while its sample is gone through: the same that `spotlabel audit` then gives.

What the rules made of a box stands in the masks on the disk, unless these hold a correction of its frame
already; then the video's masks are made again, once and in the background.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np

from spotlabel.pipeline.audit.figures import overall
from spotlabel.pipeline.audit.judged import Judged
from spotlabel.pipeline.audit.made import MadeBox, made_boxes, rules_of, stored_box
from spotlabel.pipeline.audit.proposal import Proposal
from spotlabel.pipeline.errors import SpotlabelError, one_sentence
from spotlabel.pipeline.manual import Corrections, Decision, read_manual
from spotlabel.pipeline.pages.review.queue import Asked, said_of
from spotlabel.pipeline.pages.serving.server import SECONDS_TO_END
from spotlabel.pipeline.pages.serving.videos import signature
from spotlabel.pipeline.recipes.recipe import Recipe
from spotlabel.pipeline.store import MaskReader
from spotlabel.pipeline.text import one_line
from spotlabel.pipeline.upkeep.labelled import check_labelled
from spotlabel.pipeline.upkeep.plan import Item


class _Closed(Exception):
    """The page is gone."""


class Gauge:
    """The figure of a drawn sample.

    Args:
        recipe: the recipe.
        chosen: its videos.
        queue: the sample's boxes.
        proposal: the sample.
    """

    def __init__(
        self, recipe: Recipe, chosen: Sequence[Item], queue: Sequence[Asked], proposal: Proposal
    ) -> None:
        self._proposal, self._closed = proposal, threading.Event()
        names = {item.sequence.name for item in chosen}
        drawn = {(box.video, box.key) for box in proposal.boxes}
        self._proposed = len(drawn)
        self._elsewhere = sum(video not in names for video, _ in drawn)
        places = sorted({box.video for box in queue})
        self._videos = [
            _Video(recipe, chosen[place], [box for box in queue if box.video == place], self._closed)
            for place in places
        ]
        self._lock = threading.Lock()

    def told(self) -> dict[str, Any]:
        """The figure as plain data.

        Returns:
            ``proposed``, ``decided``, ``unsure`` (decided, and nobody can tell) and ``boxes`` (those that the
            figure is of); ``mean``, ``low`` and ``high`` are None without any. ``pending`` boxes are being
            worked out, ``lacking`` cannot be, for the reason in ``problem``; ``elsewhere`` are of videos that
            were not chosen: then the figure is not of all masks.
        """
        with self._lock:
            sample = [one for video in self._videos for one in video.judged()]
            found = overall(sample, self._proposal)
        unsure = sum(one.decision == Decision.UNKNOWN for one in sample)
        pending = sum(video.pending for video in self._videos)
        lacking = sum(video.lacking for video in self._videos)
        return {
            "proposed": self._proposed,
            "elsewhere": self._elsewhere,
            "decided": len(sample) + pending + lacking,
            "unsure": unsure,
            "pending": pending,
            "lacking": lacking,
            "problem": next((one_line(video.problem) for video in self._videos if video.problem), ""),
            "boxes": found.boxes if found else 0,
            "mean": found.mean if found else None,
            "low": found.low if found else None,
            "high": found.high if found else None,
        }

    def close(self) -> None:
        """Break off what goes on in the background, and wait for its end."""
        self._closed.set()
        for video in self._videos:
            video.wait(SECONDS_TO_END)


class _Video:
    """The sample's boxes of one video."""

    def __init__(self, recipe: Recipe, item: Item, boxes: list[Asked], closed: threading.Event) -> None:
        self._recipe, self._item, self._closed = recipe, item, closed
        self._boxes = sorted(boxes, key=lambda box: box.row)  # as the audit goes: the same bits
        self._made: dict[int, MadeBox] = {}
        self._names: dict[int, str] = {}
        self._said = Corrections()
        self._read: list[int] | None = None
        self._thread: threading.Thread | None = None
        self._looked = False
        self.pending = self.lacking = 0
        self.problem = ""

    def judged(self) -> list[Judged]:
        """Its decided boxes of which it is known what the rules made of them."""
        said = self._corrections()
        decided = [(box, one) for box in self._boxes if (one := said_of(said, box)) is not None]
        if decided and not self._looked:
            self._looked = True
            self._look()
        working = self._thread is not None and self._thread.is_alive()  # first: it may end at any moment
        known = [(box, one) for box, one in decided if box.row in self._made]
        self.pending = (len(decided) - len(known)) * working
        self.lacking = len(decided) - len(known) - self.pending
        name = self._item.sequence.name
        return [Judged.of(name, self._names[box.row], one, self._made[box.row]) for box, one in known]

    def wait(self, seconds: float) -> None:
        """Until nothing goes on in the background."""
        if self._thread is not None:
            self._thread.join(seconds)

    def _corrections(self) -> Corrections:
        now = signature(self._item.manual_path)
        if now != self._read:
            self._said, self._read = read_manual(self._item.manual_path), now
        return self._said

    def _look(self) -> None:
        """What the store tells; the rest is begun."""
        try:
            check_labelled(self._recipe, self._item, trusted=("manual",))
            masks = MaskReader(self._item.mask_path, sealed=True)
            try:
                rest = self._look_into(masks)
            finally:
                masks.close()
        except (SpotlabelError, OSError) as error:
            self.problem = one_sentence(error)
            return
        if rest:
            self._thread = threading.Thread(target=self._make, args=(rest,), daemon=True)
            self._thread.start()

    def _look_into(self, masks: MaskReader) -> list[int]:
        rest = []
        for box in self._boxes:
            index = int(np.searchsorted(masks.numbers, box.frame))
            self._names[box.row] = masks.class_names[int(masks.boxes.class_id[box.row])]
            place = box.row - masks.boxes.rows(index).start
            found = stored_box(masks, self._recipe.masks, index, place)
            if found is None:
                rest.append(box.row)
            else:
                self._made[box.row] = found
        return rest

    def _make(self, rows: list[int]) -> None:
        def progress(_done: int, _total: int) -> None:
            if self._closed.is_set():
                raise _Closed

        try:
            with rules_of(self._recipe, self._item) as source:
                self._made |= made_boxes(source, rows, progress)
        except _Closed:
            return
        except (SpotlabelError, OSError, MemoryError) as error:
            self.problem = one_sentence(error)
