"""The owners of a frame put together from its groups of boxes, and what there is to say about each box."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from spotlabel.labelers.masks.owners.decide import Decision, FrameOwners, Group, within
from spotlabel.labelers.masks.owners.plane import to_runs


class FrameTally:
    """Collects groups.

    Args:
        claims: bool (N,), the box claims the foreground inside it.
        width: of the frame.
    """

    def __init__(self, claims: npt.NDArray[np.bool_], width: int) -> None:
        self._claims, self._width = claims, width
        self._contested = np.where(claims, 0, np.nan).astype(np.float32)
        self._won = np.full(len(claims), np.nan, np.float32)
        self._by_depth = np.full(len(claims), np.nan, np.float32)
        self._places: list[npt.NDArray[np.int64]] = []
        self._owners: list[npt.NDArray[np.uint16]] = []

    def add(self, group: Group, rects: list[list[int]], decision: Decision) -> None:
        """Add the owners of a group."""
        left, top = decision.place[:2]
        contested, owner = decision.contested, decision.owner
        y, x = np.nonzero(contested)
        self._places.append((y + top) * self._width + x + left)
        self._owners.append(owner[y, x])
        by_depth = contested & decision.foremost
        for box, place in decision.places.items():
            part = within(place, decision.place)
            shared = contested[part]
            count = cv2.countNonZero(shared.view(np.uint8))
            if not count:
                continue
            own = cv2.countNonZero((shared & (owner[part] == box)).view(np.uint8))
            foreground = cv2.countNonZero(group.foreground[within(rects[box], group.place)])
            self._contested[box], self._won[box] = count / foreground, own / count
            self._by_depth[box] = cv2.countNonZero(by_depth[part].view(np.uint8)) / count

    def owners(self) -> FrameOwners:
        """Everything that was added."""
        if self._places:
            places, found = np.concatenate(self._places), np.concatenate(self._owners)
            found = found[np.argsort(places, kind="stable")]
        else:
            found = np.zeros(0, np.uint16)
        return FrameOwners(self._claims, to_runs(found), self._contested, self._won, self._by_depth)
