"""What the review's page can ask for."""

from __future__ import annotations

import base64
import binascii
import threading
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from spotlabel.pipeline.audit.proposal import Proposal
from spotlabel.pipeline.errors import StoreError
from spotlabel.pipeline.manual import Correction, Corrections, Decision, drop_manual, put_manual, read_manual
from spotlabel.pipeline.pages.review.box import View, crop, view
from spotlabel.pipeline.pages.review.gauge import Gauge
from spotlabel.pipeline.pages.review.page import files
from spotlabel.pipeline.pages.review.queue import WORDS, Asked, said_of
from spotlabel.pipeline.pages.serving.answer import (
    Answer,
    ChangedError,
    Query,
    RequestError,
    Routes,
    given,
    json_answer,
    planes_answer,
    whole,
)
from spotlabel.pipeline.pages.serving.videos import OpenVideo, Remembered, Videos
from spotlabel.pipeline.recipes.recipe import Recipe
from spotlabel.pipeline.store import MaskReader
from spotlabel.pipeline.text import one_line
from spotlabel.pipeline.upkeep.plan import Item

_VIEWS = 24
"""Boxes kept: the next ones are asked for ahead."""


class Review:
    """State of the review: its queue, and what is decided.

    Args:
        title: of the recipe, as it is shown.
        recipe: the recipe.
        chosen: its videos.
        queue: the boxes, in order.
        sample: that they are of, if they were drawn for the audit: its figure is then told.
    """

    def __init__(
        self,
        title: str,
        recipe: Recipe,
        chosen: list[Item],
        queue: Sequence[Asked],
        sample: Proposal | None = None,
    ) -> None:
        self._title, self._recipe, self._queue = title, recipe, list(queue)
        self._gauge = None if sample is None else Gauge(recipe, chosen, queue, sample)
        self._videos = Videos(recipe, chosen, also=lambda item: [item.mask_path])
        self._masks = Remembered[MaskReader](4)
        self._views = Remembered[tuple[View, bytes]](_VIEWS)
        self._lock = threading.RLock()
        self._undo: list[tuple[int, Correction | None, Correction]] = []

    def routes(self) -> Routes:
        """All there is to ask for."""
        return Routes(
            get={"start": self.start, "box": self.box, "picture": self.picture, "audit": self.audit},
            post={"decide": self.decide, "undo": self.undo, "reload": self.reload},
            files=files(self._title),
        )

    def start(self, _query: Query) -> Answer:
        """The queue, and which of it is decided."""
        names = self._videos.names()
        corrections = {
            place: read_manual(self._videos.items[place].manual_path)
            for place in {box.video for box in self._queue}
        }
        return json_answer(
            {
                "words": WORDS,
                "audit": self._gauge is not None,
                "boxes": [
                    {"video": names[box.video], "frame": box.frame, "track": box.key[1], "why": box.why}
                    for box in self._queue
                ],
                "decided": [_word(said_of(corrections[box.video], box)) for box in self._queue],
            }
        )

    def audit(self, _query: Query) -> Answer:
        """The figure of the sample as far as it is decided; nothing where the queue is no sample."""
        return json_answer(self._gauge.told() if self._gauge else {})

    def box(self, query: Query) -> Answer:
        """A box: where it is, why it is asked about, and the masks it could have."""
        asked, video, index, _ = self._box(query)
        seen, _png = self._view(asked, video, index)
        boxes, row = video.annotations.boxes, asked.row
        facts = {
            "edition": video.edition,
            "place": seen.place,
            "rect": seen.rect,
            "names": list(seen.candidates),
            "unknown": seen.unknown,
            "class": one_line(video.annotations.class_names[int(boxes.class_id[row])]),
            "quality": self._quality(asked, video),
            "decided": _word(said_of(read_manual(video.item.manual_path), asked)),
        }
        return planes_answer(facts, list(seen.candidates.values()))

    def picture(self, query: Query) -> Answer:
        """The part of the frame around a box, as PNG."""
        asked, video, index, _ = self._box(query)
        return Answer(self._view(asked, video, index)[1], "image/png")

    def _view(self, asked: Asked, video: OpenVideo, index: int) -> tuple[View, bytes]:
        decided = said_of(read_manual(video.item.manual_path), asked)
        said = None if decided is None else (decided.decision, decided.mask.tobytes(), decided.x, decided.y)

        def made() -> tuple[View, bytes]:
            row = asked.row - video.annotations.boxes.rows(index).start
            with self._lock:  # a reader of masks has one place in its file
                seen = view(video, self._reader(video), self._recipe.masks, (index, row), decided)
            return seen, crop(video, index, seen.place)

        return self._views.get((asked.video, video.edition, asked.row, said), made)

    def _reader(self, video: OpenVideo) -> MaskReader:
        return self._masks.get(video.edition, lambda: MaskReader(video.item.mask_path))

    def _quality(self, asked: Asked, video: OpenVideo) -> dict[str, float]:
        with self._lock:
            quality = self._reader(video).quality
        return {
            name: float(quality[name][asked.row])
            for name in ("fill", "believability", "temporal")
            if name in quality
        }

    def decide(self, posted: Mapping[str, Any]) -> Answer:
        """Write what a person says of a box, at once."""
        asked, video, _, at = self._box(posted)
        video.check(posted.get("edition"))
        box = video.annotations.boxes.xyxy[asked.row]
        word = given(posted, "decision", str)
        track = asked.key[1]
        if word == "mask":
            plane = _plane(posted, video)
            if not plane.any():
                raise RequestError(
                    "mask: has no pixel; say background where nothing of the object is to be seen"
                )
            correction = Correction.of(asked.frame, track, box, plane)
        elif word == "unknown":
            correction = Correction(asked.frame, track, box, Decision.UNKNOWN)
        elif word == "background":
            correction = Correction(asked.frame, track, box, Decision.BACKGROUND)
        else:
            raise RequestError("decision: expected mask, unknown or background")
        with self._lock:
            before = read_manual(video.item.manual_path).get(asked.key)
            put_manual(video.item.manual_path, video.item.sequence.name, [correction])
            self._undo.append((at, before, correction))
        return json_answer({"decided": _word(correction)})

    def undo(self, _posted: Mapping[str, Any]) -> Answer:
        """Take the last decision back; which box it was of."""
        with self._lock:
            if not self._undo:
                raise RequestError("nothing was decided since the page's server was started")
            at, before, after = self._undo[-1]
            asked = self._queue[at]
            item = self._videos.items[asked.video]
            if not _same(read_manual(item.manual_path).get(asked.key), after):
                self._undo.pop()
                raise RequestError(
                    f"box {at + 1} was decided anew from elsewhere: that stays, and undo goes on before it"
                )
            if before is None:
                drop_manual(item.manual_path, item.sequence.name, [asked.key])
            else:
                put_manual(item.manual_path, item.sequence.name, [before])
            self._undo.pop()
        return json_answer({"at": at, "decided": _word(said_of(read_manual(item.manual_path), asked))})

    def reload(self, posted: Mapping[str, Any]) -> Answer:
        """Look at a box's video as it stands on the disk now."""
        self._videos.look_again(self._queue[whole(posted, "at", len(self._queue))].video)
        return json_answer({})

    def _box(self, values: Mapping[str, Any]) -> tuple[Asked, OpenVideo, int, int]:
        """A box of the queue with its video, position of its frame, and place in the queue."""
        at = whole(values, "at", len(self._queue))
        asked = self._queue[at]
        video = self._videos.opened(asked.video)
        video.check(video.edition)
        boxes, numbers = video.annotations.boxes, video.item.sequence.frames.numbers
        index = int(np.searchsorted(numbers, asked.frame))
        if asked.row >= len(boxes.xyxy) or index >= len(numbers) or numbers[index] != asked.frame:
            raise ChangedError("this box is no longer there; start `spotlabel review` again")
        rows = boxes.rows(index)
        same = rows.start <= asked.row < rows.stop and int(boxes.track_id[asked.row]) == asked.key[1]
        if not same or tuple(boxes.xyxy[asked.row].tolist()) != asked.box:
            raise ChangedError("this box is no longer there; start `spotlabel review` again")
        if not np.array_equal(self._reader(video).boxes.xyxy, boxes.xyxy):
            raise StoreError(f"{video.item.mask_path}: its masks are of other boxes; run `spotlabel relabel`")
        return asked, video, index, at

    def close(self) -> None:
        """Let go of files."""
        if self._gauge:
            self._gauge.close()
        self._videos.close()


def _word(correction: Correction | None) -> str | None:
    return None if correction is None else correction.decision.name.lower()


def _same(one: Correction | None, other: Correction) -> bool:
    return one is not None and Corrections([one]).digest == Corrections([other]).digest


def _plane(posted: Mapping[str, Any], video: OpenVideo) -> npt.NDArray[np.uint8]:
    """The mask that was painted, in the whole image: ``place``, and its pixels as bits in base64."""
    height, width = video.item.sequence.frames.size
    place = given(posted, "place", list)
    if len(place) != 4 or not all(isinstance(edge, int) and not isinstance(edge, bool) for edge in place):
        raise RequestError("place: expected four whole numbers")
    x0, y0, x1, y1 = place
    if not (0 <= x0 < x1 <= width and 0 <= y0 < y1 <= height):
        raise RequestError("place: leads out of the image")
    try:
        packed = np.frombuffer(base64.b64decode(given(posted, "mask", str), validate=True), np.uint8)
    except binascii.Error as error:
        raise RequestError(f"mask: {error}") from error
    pixels = (x1 - x0) * (y1 - y0)
    if len(packed) != -(-pixels // 8):
        raise RequestError(f"mask: {len(packed)} bytes for {pixels} pixels")
    plane = np.zeros((height, width), np.uint8)
    plane[y0:y1, x0:x1] = np.unpackbits(packed, count=pixels).reshape(y1 - y0, x1 - x0)
    return plane
