"""The part of the page about one video: what was told of it, the video over time, its boxes as pictures."""

from __future__ import annotations

import base64
import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from spotlabel.pipeline.pages.charts import Points, line_chart
from spotlabel.pipeline.pages.html import Markup, join, tag
from spotlabel.pipeline.pages.report.choose import GROUPS
from spotlabel.pipeline.pages.report.crops import Crop
from spotlabel.pipeline.pages.report.summary import quality_data
from spotlabel.pipeline.pages.report.timeline import Timeline
from spotlabel.pipeline.pages.report.video import Contents, Video
from spotlabel.pipeline.pages.report.words import facts, number, percent, setting

_TRUTH_WORDS = {
    "frames": "frames compared", "f": "F", "iou": "IoU", "mean_iou": "mean IoU", "boundary_f": "boundary F",
}  # fmt: skip
Picture = tuple[Crop, bytes]
"""A box with its JPEG."""


def opening(place: int, video: Video) -> Markup:
    """Everything about a video but its pictures; these and :func:`closing` follow."""
    state = tag("span", video.standing.state, class_=f"state {video.standing.state}")
    head = tag("summary", tag("h3", video.name), " ", state)
    body = [
        _lines("problem", [video.standing.reason] if video.standing.reason else []),
        _lines("finding", video.findings),
        _lines("remark", video.remarks),
    ]
    if video.contents is not None:
        body += [
            _lines("remark", video.contents.notes),
            _about(video.contents),
            _over_time(video.contents.timeline),
        ]
    start = f'<details class="video" id="video-{place}">'
    return Markup(start + join(head, *body) + "\n")


def closing() -> Markup:
    """The end of a video's part."""
    return Markup("</details>\n")


def gallery(pictures: Sequence[Picture], *, names: Sequence[str] = (), level: int = 4) -> Markup:
    """Pictures by group, each group under its heading.

    Args:
        pictures: boxes with their JPEGs, in the order of the groups.
        names: the video of each, where they are of several.
        level: of the headings.
    """
    parts = []
    for group, told in GROUPS.items():
        chosen = [
            figure(crop, content, names[k] if names else "")
            for k, (crop, content) in enumerate(pictures)
            if crop.group == group
        ]
        if chosen:
            title = tag(f"h{level}", group.capitalize(), tag("small", f" {told}"))
            parts.append(tag("div", title, tag("div", *chosen, class_="crops"), class_="group"))
    return join(*parts)


def figure(crop: Crop, content: bytes, video: str = "") -> Markup:
    """One box: its picture, which it is, and why its mask is as it is."""
    title = f"{video}, {crop.title}" if video else crop.title
    verdict = "believed" if crop.facts.quality["believed"] else "not believed"
    words = f"{title}, {verdict}: image, evidence, mask. {'; '.join(crop.facts.why)}"
    source = Markup(f"data:image/jpeg;base64,{base64.b64encode(content).decode()}")
    flags = tag("span", ", ".join(crop.facts.flags), class_="flags") if crop.facts.flags else None
    caption = tag(
        "figcaption", tag("b", title), flags, *(tag("span", line, class_="why") for line in crop.facts.why)
    )
    return tag("figure", tag("img", src=source, alt=words, decoding="async"), caption)


def cost(crop: Crop, content: bytes) -> int:
    """Bytes that a picture takes in a page, its text included."""
    return len(figure(crop, b"").encode()) + 4 * -(-len(content) // 3) + 64


def as_data(video: Video) -> dict[str, Any]:
    """What the JSON twin says of a video beyond its row."""
    found = video.contents
    told = {"remarks": list(video.remarks), "findings": list(video.findings)}
    if found is None:
        return told
    return {
        **told,
        "notes": list(found.notes),
        "height": found.size[0],
        "width": found.size[1],
        "frame_states": dict(found.states),
        "missed": dict(found.missed),
        "manual": found.manual,
        "groups": {
            kind: {name: part.as_data() for name, part in parts.items()}
            for kind, parts in found.groups.items()
        },
        "made_from": dict(found.made_from),
        "timeline": found.timeline.as_data(),
        "shown": [crop.as_data() for crop in found.crops],
    }


def _lines(kind: str, lines: Iterable[str]) -> Markup | None:
    parts = [tag("li", line) for line in lines]
    return tag("ul", *parts, class_=f"told {kind}") if parts else None


def _about(found: Contents) -> Markup:
    states = ", ".join(f"{count:,} {name.replace('_', '-')}" for name, count in found.states.items())
    pairs: list[tuple[object, object]] = [
        ("frames", f"{states}; {found.size[1]}x{found.size[0]} px"),
        (
            "boxes",
            f"{found.total.boxes:,}, {found.total.believed:,} of {found.total.judged:,} judged are believed",
        ),
    ]
    if found.missed:
        missed = ", ".join(f"{count:,} miss {name}" for name, count in found.missed.items())
        pairs.append(("not believed", missed))
    if found.manual:
        pairs.append(("manual", f"{found.manual:,} boxes were decided by a person"))
    if found.unknown and found.pixels:
        shares = (f"{reason} {percent(pixels / found.pixels, 2)}" for reason, pixels in found.unknown.items())
        pairs.append(("unknown pixels", ", ".join(shares)))
    if quality := quality_data(found.quality):
        figures = ", ".join(f"{_TRUTH_WORDS.get(key, key)} {number(value)}" for key, value in quality.items())
        pairs.append(("ground truth", figures))
    made = found.made_from
    pairs.append(("made by", f"{made['labeler']}, mask rules {made['mask rules']}, reader {made['reader']}"))
    digests = [
        tag("div", f"{name} ", tag("code", setting(made[name])))
        for name in ("frames", "annotations", "evidence", "mask store")
    ]
    pairs.append(("digests", tag("details", tag("summary", "BLAKE2b"), *digests)))
    return facts(pairs)


def _over_time(line: Timeline) -> Markup:
    if not len(line.first):
        return Markup("")
    shares = {
        "fill of the judged boxes": _points(line.first, line.fill),
        "believed share": _points(line.first, line.believed),
        "unknown share of the pixels": _points(line.first, line.unknown),
    }
    return join(
        tag(
            "div",
            line_chart(shares, "Shares over time", "frame", top=1.0),
            line_chart({"boxes a frame": _points(line.first, line.boxes)}, "Boxes over time", "frame"),
            class_="plots",
        )
    )


def _points(first: npt.NDArray[np.int64], values: npt.NDArray[np.float64]) -> Points:
    pairs = zip(first.tolist(), values.tolist(), strict=True)
    return [(float(at), value if math.isfinite(value) else math.nan) for at, value in pairs]
