"""A mask as a single polygon: its parts and holes are joined by bridges without width.

A polygon that goes to a hole, around it and back the same way leaves the hole out under the even-odd rule.
Vertices are the centres of border pixels, as OpenCV's contours are; filled with OpenCV, which also draws the
border, a part comes out as it was, holes included. What is lost is the pixels under bridges between parts.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from spotlabel.pipeline.exports.frame import Piece, Plane

Points = npt.NDArray[np.int32]


def polygon(piece: Piece) -> Points:
    """One closed polygon around all pixels of a piece.

    Every contour is joined to the others at the closest pair of vertices (a minimum spanning tree, Prim
    1957), so holes to the part they are in or to another hole of it, and parts to each other.

    Returns:
        int32 (n, 2), n >= 1: x and y of the centres of border pixels, counted in the image.
    """
    # Every border pixel is a vertex where bridges begin or end, so that a bridge to a hole stays in its part.
    found, _ = cv2.findContours(piece.mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    contours = [contour.reshape(-1, 2) for contour in found]
    joined = _walk(contours, _bridges(contours))
    return _without_straight(joined) + np.array([piece.x, piece.y], np.int32)


@dataclass(frozen=True, order=True, slots=True)
class _Bridge:
    """From a vertex of one contour to one of another, which was not joined to any before."""

    distance: int
    """Squared, px^2."""
    start: int
    end: int
    start_vertex: int
    end_vertex: int


def _bridges(contours: list[Points]) -> list[_Bridge]:
    """Bridges that join all contours to the first one, in the order of joining."""
    built: list[_Bridge] = []
    best: dict[int, _Bridge] = {}
    newest, left = 0, set(range(1, len(contours)))
    while left:
        for end in left:
            bridge = _closest(contours, newest, end)
            best[end] = min(bridge, best.get(end, bridge))
        built.append(min(best[end] for end in left))
        newest = built[-1].end
        left.remove(newest)
    return built


def _closest(contours: list[Points], start: int, end: int) -> _Bridge:
    a, b = contours[start].astype(np.int64), contours[end].astype(np.int64)
    distance = (a[:, 0, None] - b[None, :, 0]) ** 2 + (a[:, 1, None] - b[None, :, 1]) ** 2
    place = int(distance.argmin())
    near, far = divmod(place, len(b))
    return _Bridge(int(distance[near, far]), start, end, near, far)


def _walk(contours: list[Points], bridges: list[_Bridge]) -> Points:
    """Around the first contour, over every bridge to what hangs on it, around that and back."""
    starts = {bridge.end: bridge.end_vertex for bridge in bridges}
    hanging: dict[int, list[_Bridge]] = {}
    for bridge in bridges:
        hanging.setdefault(bridge.start, []).append(bridge)
    walks: dict[int, Points] = {}
    for own in [*(bridge.end for bridge in reversed(bridges)), 0]:  # what hangs on a contour comes before it
        contour, start = contours[own], starts.get(own, 0)
        parts, done = [], 0
        at = sorted(hanging.get(own, []), key=lambda bridge: (bridge.start_vertex - start) % len(contour))
        around = np.concatenate([contour[start:], contour[: start + 1]])  # closed: its first vertex again
        for bridge in at:
            place = (bridge.start_vertex - start) % len(contour)
            parts += [around[done : place + 1], walks.pop(bridge.end)]
            done = place
        walks[own] = np.concatenate([*parts, around[done:]])
    return walks[0]


def _without_straight(points: Points) -> Points:
    """The same polygon without vertices in the middle of straight lines."""
    points = points[:-1] if len(points) > 1 else points  # the last is the first again
    if len(points) < 3:
        return points
    before, after = points - np.roll(points, 1, axis=0), np.roll(points, -1, axis=0) - points
    turn = before[:, 0] * after[:, 1] - before[:, 1] * after[:, 0]
    forward = (before * after).sum(axis=1) > 0
    kept = (turn != 0) | ~forward
    return points[kept] if kept.any() else points[:1]


def filled(points: Points, size: tuple[int, int]) -> Plane:
    """Pixels of a polygon as OpenCV fills it: uint8 (H, W)."""
    plane = np.zeros(size, np.uint8)
    cv2.fillPoly(plane, [points], 1)
    return plane


def kept_iou(piece: Piece, points: Points) -> float:
    """IoU of a piece with its polygon, filled again."""
    back = filled(points - np.array([piece.x, piece.y], np.int32), (piece.mask.shape[0], piece.mask.shape[1]))
    both, either = cv2.countNonZero(back & piece.mask), cv2.countNonZero(back | piece.mask)
    return both / either
