"""The videos that a page shows: by their place in the recipe's list, opened once and held as they are.

Evidence stays open and annotations stay in memory, so that what a page shows is never of two states of the
disk. When a file is replaced meanwhile the next request says so, and the page offers to look again.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Generic, TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from spotlabel.labelers.errors import LabelerError
from spotlabel.labelers.registry import labeler_names
from spotlabel.pipeline.datasets.cdnet_truth import EvaluatedFrame
from spotlabel.pipeline.errors import DatasetError, SpotlabelError, one_sentence
from spotlabel.pipeline.hashing import canonical_json, text_digest
from spotlabel.pipeline.measures.quality import true_frame
from spotlabel.pipeline.names import evidence_path
from spotlabel.pipeline.pages.serving.answer import ChangedError, RequestError
from spotlabel.pipeline.pictures.render import frame_image
from spotlabel.pipeline.recipes.recipe import Recipe
from spotlabel.pipeline.sequence import Annotations
from spotlabel.pipeline.store import EvidenceReader
from spotlabel.pipeline.text import one_line
from spotlabel.pipeline.upkeep.freshness import State
from spotlabel.pipeline.upkeep.plan import Item, evidence_need, with_labeler

PICTURE_QUALITY = 90
OPEN_VIDEOS = 4
"""Videos held open at a time; the one that was not looked at for longest is let go."""
_PICTURES = 64

_Value = TypeVar("_Value")


class Remembered(Generic[_Value]):
    """The last few values by key; the one not asked for longest goes first."""

    def __init__(self, most: int) -> None:
        self._most, self._values, self._lock = most, OrderedDict[Hashable, _Value](), threading.Lock()

    def get(self, key: Hashable, make: Callable[[], _Value]) -> _Value:
        """The value of a key; made outside the lock, so perhaps twice, if it is not there."""
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
                return self._values[key]
        value = make()
        with self._lock:
            self._values[key] = value
            while len(self._values) > self._most:
                self._values.popitem(last=False)
        return value


class SharedEvidence(EvidenceReader):
    """Evidence that several threads read, one at a time: a reader has one place in its file."""

    def __init__(self, path: Path | str, sealed: bool = False) -> None:
        super().__init__(path, sealed)
        self._turn = threading.Lock()

    def read(self, index: int) -> npt.NDArray[np.bool_] | npt.NDArray[np.uint8]:
        """As :meth:`EvidenceReader.read`."""
        with self._turn:
            return super().read(index)


class OpenVideo:
    """One video with its evidence, as it stood when it was opened.

    Args:
        recipe: labelers and their settings.
        item: the video.
        also: further files whose change is to be told.

    Raises:
        DatasetError: it cannot be used.
    """

    def __init__(self, recipe: Recipe, item: Item, also: Iterable[Path] = ()) -> None:
        if item.sequence.problem:
            raise DatasetError(item.sequence.problem)
        self._recipe, self.item, self._also = recipe, item, tuple(also)
        self.lock = threading.RLock()
        self._before = self._signature()
        self.annotations: Annotations = item.sequence.load()
        self.evidence: dict[str, EvidenceReader] = {}
        self.unfit: dict[str, str] = {}
        """Labelers whose evidence is there and does not fit, and why."""
        for name in labeler_names():
            self._open(name)
        if self._signature() != self._before:
            raise ChangedError("the video's files change right now; look again in a moment")
        self._pictures, self._truths = Remembered[bytes](_PICTURES), Remembered[EvaluatedFrame | None](8)

    def _open(self, name: str) -> None:
        if not self._evidence_path(name).exists():
            return
        try:
            item = with_labeler(self._recipe, self.item, name)
            need = evidence_need(self._recipe, item, masks_only=True)
            if need.state != State.FRESH:
                self.unfit[name] = f"its evidence is {need}"
                return
            reader = SharedEvidence(item.evidence_path, sealed=True)
            if len(reader) != len(self.annotations.boxes):
                self.unfit[name] = f"its evidence has {len(reader)} frames"
                return
            assert reader.kind  # opened: from here on this file is read, whatever takes its name
            self.evidence[name] = reader
        except (SpotlabelError, LabelerError, OSError) as error:
            self.unfit[name] = one_sentence(error)

    def _evidence_path(self, name: str) -> Path:
        return evidence_path(self._recipe.out, name, self.item.sequence.name)

    @cached_property
    def edition(self) -> str:
        """Names the state of the disk that this video shows."""
        return text_digest(canonical_json(self._before))[:16]

    def check(self, edition: object) -> None:
        """Whether a page speaks of the state that is held here, and that state still stands on the disk.

        Raises:
            ChangedError: it does not.
        """
        if edition != self.edition or self._signature() != self._before:
            raise ChangedError("the evidence or the annotations of this video changed on the disk; reload it")

    def _signature(self) -> list[list[int] | None]:
        """Inode, size and time of every file that decides masks."""
        sequence = self.item.sequence
        paths = [*map(self._evidence_path, labeler_names()), *sequence.annotation_files, *self._also]
        if sequence.annotated_file is not None:
            paths.append(sequence.annotated_file)
        return [signature(path) for path in paths]

    def reader(self, labeler: object) -> EvidenceReader:
        """Evidence of a labeler.

        Raises:
            RequestError: there is none that fits.
        """
        if not isinstance(labeler, str) or labeler not in self.evidence:
            told = self.unfit.get(str(labeler), "there is no evidence of it; run `spotlabel label`")
            raise RequestError(f"{one_line(self.item.sequence.name)}: labeler {one_line(labeler)}: {told}")
        return self.evidence[labeler]

    def picture(self, index: int) -> bytes:
        """A frame as JPEG; one that cannot be read is a grey panel that says so."""
        return self._pictures.get(index, lambda: self._picture(index))

    def _picture(self, index: int) -> bytes:
        frames = self.item.sequence.frames
        with self.lock:  # decoders of videos have one place at a time
            image = frame_image(frames, int(frames.numbers[index]), frames.size)
        done, encoded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, PICTURE_QUALITY])
        assert done
        return encoded.tobytes()

    def truth(self, index: int) -> EvaluatedFrame | None:
        """Ground truth of a frame; None where there is none, or none that can be used."""
        return self._truths.get(index, lambda: self._truth(index))

    def _truth(self, index: int) -> EvaluatedFrame | None:
        try:
            return true_frame(self.item.sequence, self.annotations.regions, index)
        except (SpotlabelError, OSError):
            return None

    def close(self) -> None:
        """Let go of its files."""
        with self.lock:
            for reader in self.evidence.values():
                reader.close()


def evidence_files(item: Item) -> list[Path]:
    """Files of evidence that a video has, by whichever labelers; whether they fit is not looked at."""
    paths = (evidence_path(item.out, name, item.sequence.name) for name in labeler_names())
    return [path for path in paths if path.exists()]


def signature(path: Path) -> list[int] | None:
    """What tells a replaced file from the one before; None if there is none."""
    try:
        stat = path.stat()
    except OSError:
        return None
    return [stat.st_ino, stat.st_size, stat.st_mtime_ns]


class Videos:
    """The videos of a recipe, by their place in its list.

    Args:
        recipe: the recipe.
        chosen: the videos.
        also: further files of a video whose change is to be told.
    """

    def __init__(
        self, recipe: Recipe, chosen: list[Item], also: Callable[[Item], list[Path]] = lambda _item: []
    ) -> None:
        self._recipe, self.items, self._also = recipe, chosen, also
        self._open: OrderedDict[int, OpenVideo] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        """Number of videos."""
        return len(self.items)

    def names(self) -> list[str]:
        """Names as they are shown: what would act in them is spelled out."""
        return [one_line(item.sequence.name) for item in self.items]

    def opened(self, place: int) -> OpenVideo:
        """A video; opened if it is not yet.

        Raises:
            SpotlabelError: it cannot be used.
        """
        with self._lock:
            if place not in self._open:
                self._open[place] = OpenVideo(self._recipe, self.items[place], self._also(self.items[place]))
                while len(self._open) > OPEN_VIDEOS:  # whoever still reads it closes it at the end
                    self._open.popitem(last=False)
            self._open.move_to_end(place)
            return self._open[place]

    def at(self, values: Mapping[str, Any], place: int) -> OpenVideo:
        """A video of which a page shows the state ``values["edition"]``.

        Raises:
            ChangedError: that state is gone.
        """
        video = self.opened(place)
        video.check(values.get("edition"))
        return video

    def look_again(self, place: int) -> OpenVideo:
        """The video as it stands on the disk now."""
        with self._lock:
            self._open.pop(place, None)
        return self.opened(place)

    def close(self) -> None:
        """Let go of all."""
        with self._lock:
            for video in self._open.values():
                video.close()
            self._open.clear()
