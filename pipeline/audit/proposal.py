"""A random sample of boxes for people to look at: only of such a one follows how good all masks are.

Boxes are drawn in strata of class, size and believability, from each about as many as the square root of its
boxes, at least two: small strata are the uncertain ones. Within a stratum every box has the same chance, and
the drawn ones are spread evenly over videos and time (systematic sampling from a random start; Cochran,
Sampling Techniques, 1977, chapters 5 and 8).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from spotlabel.pipeline.atomic import write_atomically
from spotlabel.pipeline.boxes import size_of
from spotlabel.pipeline.datasets.coco_item import Item
from spotlabel.pipeline.datasets.coco_json import json_items, read_json
from spotlabel.pipeline.errors import DatasetError, SpotlabelError
from spotlabel.pipeline.exports.instances import shortest
from spotlabel.pipeline.manual import Key
from spotlabel.pipeline.store import FrameState, MaskReader

FORMAT = "proposal 1"
BANDS = {"low": 0.0, "middle": 0.5, "high": 0.8}
"""Least believability of each band."""
BY_HAND = "manual"
"""In place of a band: boxes that a person had decided when the sample was drawn."""
LEAST = 2
"""Boxes of a stratum that are drawn at least: of one alone nobody knows how far it may be off."""


@dataclass(frozen=True)
class Stratum:
    """Boxes of a kind.

    Attributes:
        class_name: of the boxes.
        size: ``small``, ``medium`` or ``large``.
        believability: a band of :data:`BANDS`, or :data:`BY_HAND`.
        boxes: how many there are.
        drawn: how many of them were drawn.
    """

    class_name: str
    size: str
    believability: str
    boxes: int
    drawn: int


@dataclass(frozen=True)
class Proposed:
    """A drawn box.

    Attributes:
        video: name of its video.
        frame: number of its frame.
        box: its row among those of the frame.
        track: -1 if it has none.
        xyxy: its edges.
        class_name: its class.
        stratum: place of its stratum in the list.
    """

    video: str
    frame: int
    box: int
    track: int
    xyxy: tuple[float, ...]
    class_name: str
    stratum: int

    @property
    def key(self) -> Key:
        """Of its correction."""
        return self.frame, self.track, () if self.track >= 0 else self.xyxy


@dataclass(frozen=True)
class Proposal:
    """A sample, in an order in which every beginning of it is a sample, too.

    Attributes:
        seed: of the draw.
        strata: all there are.
        boxes: the drawn ones.
    """

    seed: int
    strata: tuple[Stratum, ...]
    boxes: tuple[Proposed, ...]

    def of(self, video: str) -> dict[Key, Proposed]:
        """The drawn boxes of a video."""
        return {box.key: box for box in self.boxes if box.video == video}


def proposal_path(out: Path) -> Path:
    """Where the sample of an output root stands: beside the corrections, as nothing makes it again."""
    return out / "manual" / "proposal.json"


@dataclass(frozen=True)
class Population:
    """Boxes of one video that have a mask: N rows.

    Attributes:
        video: its name.
        frame: int64 (N,), number of the frame.
        box: int64 (N,), row among the boxes of the frame.
        track: int64 (N,).
        xyxy: float32 (N, 4).
        kind: for each box class, size and band.
    """

    video: str
    frame: npt.NDArray[np.int64]
    box: npt.NDArray[np.int64]
    track: npt.NDArray[np.int64]
    xyxy: npt.NDArray[np.float32]
    kind: list[tuple[str, str, str]]

    @classmethod
    def of(cls, masks: MaskReader) -> Population:
        """Boxes of a mask store: those in whose frames something is known, and whose mask is not unknown."""
        table, settings = masks.boxes, dict(masks.structure("settings"))
        frame = np.repeat(np.arange(len(table)), np.diff(table.offsets))
        there = (masks.state == FrameState.OK)[frame]
        if settings.get("weak_boxes") == "unknown":
            there &= masks.believed | (masks.manual > 0)
        if settings.get("classes") is not None:
            names = np.array([name in settings["classes"] for name in masks.class_names], np.bool_)
            there &= names[table.class_id]
        rows = np.flatnonzero(there)
        score = masks.quality.get("believability", np.full(len(frame), np.nan, np.float32))
        kind = [
            (
                masks.class_names[table.class_id[row]],
                size_of(table.xyxy[row]),
                _band(score[row], masks.manual[row]),
            )
            for row in rows.tolist()
        ]
        box = rows - table.offsets[frame[rows]]
        return cls(
            masks.sequence, masks.numbers[frame[rows]], box, table.track_id[rows], table.xyxy[rows], kind
        )

    def proposed(self, place: int, stratum: int) -> Proposed:
        """A box of it, drawn."""
        xyxy = tuple(shortest(edge) for edge in self.xyxy[place])
        return Proposed(
            self.video, int(self.frame[place]), int(self.box[place]), int(self.track[place]), xyxy,
            self.kind[place][0], stratum,
        )  # fmt: skip


def _band(score: float, manual: int) -> str:
    if manual:
        return BY_HAND
    return [name for name, least in BANDS.items() if not score < least][-1]


def propose(populations: Iterable[Population], count: int, seed: int) -> Proposal:
    """Draw a sample.

    Args:
        populations: of all videos, in order.
        count: how many boxes are asked for; all of them if there are no more.
        seed: the same gives the same sample of the same masks.

    Raises:
        SpotlabelError: so few are asked for that some strata would go without.
    """
    videos = list(populations)
    members: dict[tuple[str, str, str], list[tuple[int, int]]] = {}
    for number, video in enumerate(videos):
        for place, kind in enumerate(video.kind):
            members.setdefault(kind, []).append((number, place))
    kinds = sorted(members)
    sizes = np.array([len(members[kind]) for kind in kinds], np.int64)
    drawn = allocate(sizes, count)
    random = np.random.default_rng(seed)
    boxes = []
    for stratum, (kind, wanted) in enumerate(zip(kinds, drawn.tolist(), strict=True)):
        for place in systematic(len(members[kind]), wanted, random):
            number, row = members[kind][place]
            boxes.append(videos[number].proposed(row, stratum))
    order = random.permutation(len(boxes)).tolist()
    strata = tuple(
        Stratum(*kind, boxes=int(size), drawn=int(part))
        for kind, size, part in zip(kinds, sizes, drawn, strict=True)
    )
    return Proposal(seed, strata, tuple(boxes[place] for place in order))


def allocate(sizes: npt.NDArray[np.int64], count: int) -> npt.NDArray[np.int64]:
    """How many boxes are drawn of each stratum.

    Args:
        sizes: int64 (S,), boxes of each stratum, at least 1.
        count: in all.

    Returns:
        int64 (S,), at least :data:`LEAST` of each where there are so many, never more than there are; their
        sum is ``count``, or all boxes.

    Raises:
        SpotlabelError: ``count`` is too small for that.
    """
    drawn = np.minimum(sizes, LEAST)
    if count < drawn.sum():
        raise SpotlabelError(
            f"{len(sizes)} kinds of boxes (by class, size, believability): ask for at least {drawn.sum()}"
        )
    wanted = np.sqrt(sizes)
    while drawn.sum() < count and (drawn < sizes).any():
        # the stratum that is farthest behind its share gets the next one; of several the first
        behind = np.where(drawn < sizes, wanted / (drawn + 1), -1.0)
        drawn[int(behind.argmax())] += 1
    return drawn


def systematic(size: int, wanted: int, random: np.random.Generator) -> list[int]:
    """``wanted`` of ``size`` places, evenly spread from a random start; each has the same chance."""
    start = random.random()
    return [int((start + number) * size / wanted) for number in range(wanted)]


def write_proposal(path: Path, proposal: Proposal) -> None:
    """Write a sample as JSON, and beside it as a table for people (``proposal.tsv``)."""
    document = {
        "spotlabel": FORMAT,
        "seed": proposal.seed,
        "strata": [_renamed(asdict(stratum)) for stratum in proposal.strata],
        "boxes": [_renamed(asdict(box)) for box in proposal.boxes],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path.with_suffix(".tsv"), "".join(_lines(proposal)).encode())
    write_atomically(path, (json.dumps(document, indent=1) + "\n").encode())


def _renamed(values: dict[str, Any]) -> dict[str, Any]:
    return {"class" if name == "class_name" else name: value for name, value in values.items()}


def _lines(proposal: Proposal) -> Iterator[str]:
    yield "video\tframe\ttrack\tbox\tx0\ty0\tx1\ty1\tclass\tsize\tbelievability\n"
    for box in proposal.boxes:
        stratum = proposal.strata[box.stratum]
        values = (json.dumps(box.video)[1:-1], box.frame, box.track, box.box, *box.xyxy)
        kind = (json.dumps(box.class_name)[1:-1], stratum.size, stratum.believability)
        yield "\t".join(map(str, (*values, *kind))) + "\n"


def read_proposal(path: Path) -> Proposal | None:
    """The sample of an output root; None if none was drawn.

    Raises:
        DatasetError: the file cannot be used; names the element and the field.
    """
    if not path.exists():
        return None
    document = read_json(path)
    if not isinstance(document, dict) or document.get("spotlabel") != FORMAT:
        raise DatasetError.at(path, "spotlabel", f"expected {FORMAT!r}", "draw a sample with audit --propose")
    strata = tuple(_stratum(item) for item in json_items(path, document, "strata"))
    boxes = tuple(_proposed(item, len(strata)) for item in json_items(path, document, "boxes"))
    return Proposal(Item(path, "document", document).whole("seed"), strata, boxes)


def _stratum(item: Item) -> Stratum:
    return Stratum(
        class_name=item.text("class"),
        size=item.text("size"),
        believability=item.text("believability"),
        boxes=item.whole("boxes"),
        drawn=item.whole("drawn"),
    )


def _proposed(item: Item, strata: int) -> Proposed:
    numbers = {name: item.whole(name) for name in ("frame", "box", "track", "stratum")}
    xyxy = item.data.get("xyxy")
    if not isinstance(xyxy, list) or len(xyxy) != 4 or not all(map(_is_edge, xyxy)):
        raise item.error(f"xyxy is {str(xyxy)[:60]}, expected four numbers")
    if not 0 <= numbers["stratum"] < strata:
        raise item.error(f"stratum is {numbers['stratum']}, of {strata}")
    edges = tuple(float(np.float32(edge)) for edge in xyxy)
    return Proposed(video=item.text("video"), class_name=item.text("class"), xyxy=edges, **numbers)


def _is_edge(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 2**24
