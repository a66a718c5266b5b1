"""Header lines of CSV files: which separator a file has, and which of its columns say what.

Names are compared without regard to case, blanks, ``-`` and ``_``. A box is given by one of the quadruples of
:data:`QUADRUPLES`; the first one whose four columns are all there counts.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from spotlabel.pipeline.datasets.native import CORNERS
from spotlabel.pipeline.datasets.text import decimal, read_text
from spotlabel.pipeline.errors import DatasetError

logger = logging.getLogger("spotlabel")

HEADER_BYTES = 1 << 16
SEPARATORS = ",;\t"
NAMES_SHOWN = 200

Names4 = tuple[str, str, str, str]


class Shape(Enum):
    """What the four numbers of a box are."""

    CORNERS = "left, top, right and bottom edge"
    SIZE = "left and top edge, width and height"
    CENTRE = "centre, width and height"


QUADRUPLES: tuple[tuple[Shape, Names4], ...] = (
    (Shape.CORNERS, ("x0", "y0", "x1", "y1")),
    (Shape.CORNERS, ("x1", "y1", "x2", "y2")),
    (Shape.CORNERS, ("xmin", "ymin", "xmax", "ymax")),
    (Shape.CORNERS, ("left", "top", "right", "bottom")),
    (Shape.CORNERS, ("xtl", "ytl", "xbr", "ybr")),
    (Shape.CORNERS, ("xleft", "ytop", "xright", "ybottom")),
    (Shape.CORNERS, ("x", "y", "x2", "y2")),
    (Shape.SIZE, ("left", "top", "width", "height")),
    (Shape.SIZE, ("left", "top", "w", "h")),
    (Shape.SIZE, ("xmin", "ymin", "width", "height")),
    (Shape.SIZE, ("xmin", "ymin", "w", "h")),
    (Shape.SIZE, ("x0", "y0", "width", "height")),
    (Shape.SIZE, ("x0", "y0", "w", "h")),
    (Shape.SIZE, ("x1", "y1", "width", "height")),
    (Shape.SIZE, ("x1", "y1", "w", "h")),
    (Shape.CENTRE, ("xcenter", "ycenter", "width", "height")),
    (Shape.CENTRE, ("centerx", "centery", "width", "height")),
    (Shape.CENTRE, ("xcentre", "ycentre", "width", "height")),
    (Shape.CENTRE, ("cx", "cy", "width", "height")),
    (Shape.CENTRE, ("cx", "cy", "w", "h")),
    (Shape.SIZE, ("x", "y", "width", "height")),
    (Shape.SIZE, ("x", "y", "w", "h")),
)
PREFIXES = ("bbox", "bb", "box")
"""What may stand before the name of a box column, as in ``bb_left``."""
_SIDES = frozenset(name for _, names in QUADRUPLES for name in names)
ROLES: Mapping[str, tuple[str, ...]] = {
    "frame": (
        "frame", "frameid", "framenumber", "frameno", "framenum", "frameindex", "frameidx", "framenr", "fn",
    ),
    "image": (
        "image", "imagename", "imagefile", "imagepath", "imageid", "filename", "file", "filepath", "img",
        "imgname", "imgpath",
    ),
    "track": ("track", "trackid", "objectid", "objid", "instanceid", "targetid", "id", "trackno"),
    "class": (
        "class", "classname", "label", "labelname", "category", "categoryname", "objecttype", "vehicletype",
        "type", "classlabel", "objectclass", "classid", "categoryid",
    ),
}  # fmt: skip
"""Names of the other columns; of several in one header the first counts."""


@dataclass(frozen=True)
class Header:
    """Where the columns of a file are.

    Attributes:
        names: all columns as the file writes them.
        frame: position of the frame number, or of the name of an image with the number in it.
        box: positions of the four columns of a box.
        shape: what these four are.
        class_: position of the class, None if there is none.
        track: position of the track, None if there is none.
        unread: positions of the columns that nobody knows.
        images: whether ``frame`` holds names of images.
    """

    names: tuple[str, ...]
    frame: int
    box: tuple[int, int, int, int]
    shape: Shape
    class_: int | None
    track: int | None
    unread: tuple[int, ...]
    images: bool = False

    def fields(self) -> Names4:
        """Names of left and top edge, width and height, for messages."""
        a, b, c, d = (self.names[i] for i in self.box)
        if self.shape is Shape.CORNERS:
            return (a, b, *CORNERS[2:]) if (c, d) == ("x1", "y1") else (a, b, f"{c} - {a}", f"{d} - {b}")
        return a, b, c, d

    def row_ids(self) -> bool:
        """Whether the track is called ``id``, which is as well a number of the row."""
        return self.track is not None and _key(self.names[self.track]) == "id"


def first_line(text: str) -> tuple[int, str]:
    """Number and text of the first line that holds rows or names: not blank, and no ``sep=;`` of Excel."""
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip() and not re.fullmatch(r"\"?sep=.\"?", line.strip(), re.IGNORECASE):
            return number, line
    return 1, ""


def has_header(path: Path) -> bool:
    """Whether the first line that is not blank has names where rows of numbers have none.

    Raises:
        DatasetError: the file cannot be read.
    """
    line = first_line(read_text(path, HEADER_BYTES))[1]
    cells = [cell.strip().strip('"') for cell in re.split(rf"[{SEPARATORS}]", line)]
    return any(cell[:1].isalpha() or cell.startswith(("_", "#")) for cell in cells) and not any(
        map(_is_number, cells)
    )


def separator(line: str) -> str:
    """The separator of a header: the one that makes most columns of it, the comma if several do."""
    return max(SEPARATORS, key=line.count)


def read_header(path: Path, line: int, cells: Iterable[str]) -> Header:
    """Find the columns.

    Args:
        path: the file, for messages.
        line: number of the header's line.
        cells: what stands in it.

    Raises:
        DatasetError: a column is missing or there twice; names it, and the names it may have.
    """
    names = tuple(cell.strip() for cell in cells)
    keys = [_key(name) for name in names]
    at: dict[str, int] = {}
    for position, key in enumerate(keys):
        if key and key in at:
            problem = f"column {names[position]!r} a second time"
            raise DatasetError.at(path, f"line {line}", problem, f"the header is {_shown(names)}")
        at[key] = position
    shape, box = _box(path, line, names, at)
    roles = {role: next((at[name] for name in known if name in at), None) for role, known in ROLES.items()}
    frame = roles["image"] if roles["frame"] is None else roles["frame"]
    if frame is None:
        raise _missing(
            path, line, names, "no column 'frame' (or frame_id, frame_number, image, filename, ...)"
        )
    used = {frame, roles["class"], roles["track"], *box}
    unread = tuple(i for i, key in enumerate(keys) if key and i not in used)
    images = roles["frame"] is None
    return Header(names, frame, box, shape, roles["class"], roles["track"], unread, images)


def tell_unread(path: Path, header: Header, filled: set[int]) -> None:
    """Say which columns with values were not read, and what a box given by ``x,y`` is taken for.

    Args:
        path: the file.
        header: its columns.
        filled: positions of the unread columns in which some row has a value.
    """
    if names := [repr(header.names[i])[:40] for i in header.unread if i in filled]:
        logger.warning("%s: not read, not known: column%s %s", path, "s" * (len(names) > 1), ", ".join(names))
    sides = [header.names[i] for i in header.box[:2]]
    if header.shape is Shape.SIZE and list(_bare({_key(name): 0 for name in sides})) == ["x", "y"]:
        edges = "are taken for the left and top edge (call them cx,cy if they are the centre)"
        logger.warning("%s: %s %s", path, ",".join(sides), edges)


def _is_number(cell: str) -> bool:
    try:
        decimal(cell)
    except ValueError:
        return False
    return True


def _key(name: str) -> str:
    return re.sub(r"[\s_\-]+", "", name.lstrip("#")).lower()


def _box(
    path: Path, line: int, names: tuple[str, ...], at: Mapping[str, int]
) -> tuple[Shape, tuple[int, int, int, int]]:
    bare = _bare(at)
    for shape, wanted in QUADRUPLES:
        if all(name in bare for name in wanted):
            a, b, c, d = (bare[name] for name in wanted)
            return shape, (a, b, c, d)
    lacking = min(
        ([name for name in wanted if name not in bare] for _, wanted in QUADRUPLES),
        key=len,
    )
    known = (
        "x0,y0,x1,y1 or x1,y1,x2,y2 or xmin,ymin,xmax,ymax or left,top,right,bottom; "
        "left,top,width,height or x,y,w,h; cx,cy,w,h"
    )
    raise _missing(path, line, names, f"no column {', '.join(map(repr, lacking))} (a box is {known})")


def _bare(at: Mapping[str, int]) -> dict[str, int]:
    """Positions by the names of box columns without what stands before them.

    Beside ``bbox_width`` a ``width`` is the image's.
    """
    bare: dict[str, int] = {}
    for prefix in PREFIXES:
        for key, position in at.items():
            if key.startswith(prefix) and (side := key.removeprefix(prefix)) in _SIDES:
                bare.setdefault(side, position)
    return bare | {key: position for key, position in at.items() if key not in bare}


def _missing(path: Path, line: int, names: tuple[str, ...], problem: str) -> DatasetError:
    return DatasetError.at(path, f"line {line}", f"the header {_shown(names)} has {problem}")


def _shown(names: tuple[str, ...]) -> str:
    return repr(",".join(names))[:NAMES_SHOWN]
