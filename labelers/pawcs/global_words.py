"""Global words: what the whole scene has shown, and where (WACV 2015, section 3.3; TIP 2016, III-B)."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from spotlabel.labelers.pawcs.jit import compiled, float32, inlined, int64, population_count
from spotlabel.labelers.pawcs.lbsp import RIM, colour_distortion, colour_l1, mix_distance
from spotlabel.labelers.pawcs.model import GlobalWords, Pixel
from spotlabel.labelers.pawcs.rows import Newcomers

MAP_SCALE = 2
"""Pixels per side of a cell of the weight maps."""
_DECAY = 0.1
_BITS_SCALE = 4
"""Bit counts must agree to within this fraction of the descriptor threshold."""


@inlined
def fits_global(features: npt.NDArray[np.int64], pixel: Pixel, bits: int) -> bool:
    """Whether a pixel (or its best word) matches a global word: bit count and colour."""
    if abs(bits - features[4]) > pixel.descriptor_limit // _BITS_SCALE:
        return False
    l1 = colour_l1(pixel.c0, pixel.c1, pixel.c2, features[1], features[2], features[3])
    if l1 // 2 > pixel.colour_limit:
        return False
    distortion = colour_distortion(pixel.c0, pixel.c1, pixel.c2, features[1], features[2], features[3])
    return mix_distance(l1, distortion) <= pixel.colour_limit


@inlined
def find_global(words: GlobalWords, pixel: Pixel, bits: int) -> int:
    """First global word, in this pixel's order, that matches it; -1 if none does."""
    for place in range(words.totals.size):
        slot = int64(words.local_order[pixel.number, place])
        if fits_global(words.features[slot], pixel, bits):
            return slot
    return -1


@inlined
def learn_global(words: GlobalWords, slot: int, y: int, x: int, weight: float) -> float:
    """Raise a word's weight around a place by ``weight`` if it is below it; returns what the total gains."""
    cell = words.maps[slot, y // MAP_SCALE]
    if cell[x // MAP_SCALE] < weight:
        cell[x // MAP_SCALE] += weight
        return weight
    return float32(0)


@inlined
def set_global(words: GlobalWords, slot: int, pixel: Pixel) -> None:
    """Give a global word a pixel's appearance; its weights are the caller's business."""
    words.features[slot, 0] = pixel.descriptor
    words.features[slot, 1] = pixel.c0
    words.features[slot, 2] = pixel.c1
    words.features[slot, 3] = pixel.c2
    words.features[slot, 4] = population_count(pixel.descriptor)
    words.totals[slot] = 0


@compiled
def replace_global(words: GlobalWords, pixel: Pixel, weight: float) -> None:
    """The last global word gives way to one with the appearance of ``pixel`` and has its weight there."""
    slot = words.order[words.order.size - 1]
    words.maps[slot] = 0
    set_global(words, slot, pixel)
    words.totals[slot] += learn_global(words, slot, pixel.y, pixel.x, weight)


@compiled
def replace_newcomers(
    words: GlobalWords,
    newcomers: Newcomers,
    planes: npt.NDArray[np.uint8],
    descriptors: npt.NDArray[np.int64],
    touched: npt.NDArray[np.int64],
) -> None:
    """Book what the global words gained in phase one, then let pixels that fitted none become the last word.

    Of several that ask in one frame, a later one that fits the newest word strengthens it instead.

    Args:
        words: the global words.
        newcomers: of phase one.
        planes, descriptors: the current frame.
        touched: int64 (n, 2), scratch for the cells set since the map was cleared; n newcomers at most.
    """
    for slot in range(words.totals.size):
        gain = 0.0
        for y in range(RIM, planes.shape[1] - RIM):
            gain += newcomers.gained[y, slot]
        words.totals[slot] += float32(gain)
    slot = words.order[words.order.size - 1]
    touches = -1  # the map has not been cleared yet
    for y in range(RIM, planes.shape[1] - RIM):
        for place in range(newcomers.asked[y]):
            pixel = _newcomer(newcomers, planes, descriptors, y, place)
            fits = touches >= 0 and fits_global(
                words.features[slot], pixel, population_count(pixel.descriptor)
            )
            if not fits:
                if touches < 0:
                    words.maps[slot] = 0
                for touch in range(touches):
                    words.maps[slot, touched[touch, 0], touched[touch, 1]] = 0
                touches = 0
                set_global(words, slot, pixel)
            words.totals[slot] += learn_global(words, slot, y, pixel.x, pixel.needed)
            touched[touches, 0], touched[touches, 1] = y // MAP_SCALE, pixel.x // MAP_SCALE
            touches += 1


@inlined
def note_newcomer(newcomers: Newcomers, pixel: Pixel, weight: float) -> None:
    """Note that a pixel asks to become a global word of that weight."""
    place = newcomers.asked[pixel.y]
    newcomers.place[pixel.y, place, 0] = pixel.x
    newcomers.place[pixel.y, place, 1] = pixel.colour_limit << 16 | pixel.descriptor_limit
    newcomers.weight[pixel.y, place] = weight
    newcomers.asked[pixel.y] = place + 1


@inlined
def _newcomer(
    newcomers: Newcomers,
    planes: npt.NDArray[np.uint8],
    descriptors: npt.NDArray[np.int64],
    y: int,
    place: int,
) -> Pixel:
    """The pixel that asked, with the weight it brings as ``needed``."""
    x = int64(newcomers.place[y, place, 0])
    limits = int64(newcomers.place[y, place, 1])
    return Pixel(
        y * planes.shape[2] + x, x, y, descriptors[y, x],
        int64(planes[0, y, x]), int64(planes[1, y, x]), int64(planes[2, y, x]),
        False, limits >> 16, limits & 0xFFFF, newcomers.weight[y, place], 1, 1,
    )  # fmt: skip


def refine_globals(
    words: GlobalWords, background: npt.NDArray[np.uint8], recount: bool, refine: bool
) -> None:
    """Upkeep after a frame: totals, decay where background is sure, blur, one ordering pass by total.

    Args:
        words: the global words.
        background: uint8 (H, W), 255 where the last but one mask, dilated, is background.
        recount: recompute the totals and forget words below 1.
        refine: decay and blur the maps.
    """
    height, width = words.maps.shape[1:]
    if refine:
        sure = cv2.resize(background, (width, height), interpolation=cv2.INTER_NEAREST)
        factor = np.full((height, width), -_DECAY, np.float32)
    for place in range(words.order.size):
        slot = words.order[place]
        if recount and words.totals[slot] > 0:
            words.totals[slot] = words.maps[slot].sum(dtype=np.float64)
            if words.totals[slot] < 1:
                words.totals[slot] = 0
                words.maps[slot] = 0
        if refine and words.totals[slot] > 0:
            cv2.accumulateProduct(words.maps[slot], factor, words.maps[slot], mask=sure)
            words.totals[slot] *= float32(1 - _DECAY)
            cv2.blur(words.maps[slot], (3, 3), dst=words.maps[slot], borderType=cv2.BORDER_REPLICATE)
        if place > 0 and words.totals[slot] > words.totals[words.order[place - 1]]:
            words.order[place], words.order[place - 1] = words.order[place - 1], slot


@compiled
def order_globals(words: GlobalWords, start: int, stop: int, width: int, here: npt.NDArray[np.int32]) -> None:
    """One ordering pass, by the weight around it, over each pixel's own order of the global words.

    Weights are never negative, so they compare as the integers that their bits spell, which is faster.

    Args:
        words: the global words.
        start, stop: rows.
        width: of the frame.
        here: int32 (W // 2, G), scratch.
    """
    count = words.totals.size
    cells = words.maps.view(np.int32)
    for y in range(start, stop):
        if y % MAP_SCALE == 0 or y == start:
            for slot in range(count):
                for column in range(here.shape[0]):
                    here[column, slot] = cells[slot, y // MAP_SCALE, column]
        for x in range(RIM, width - RIM):
            own, weights = words.local_order[y * width + x], here[x // MAP_SCALE]
            lightest = int64(own[0])
            least = int64(weights[lightest])
            for place in range(1, count):  # the lightest so far is carried on; without branches
                slot = int64(own[place])
                own_weight = int64(weights[slot])
                heavier = own_weight > least
                own[place - 1] = np.uint8(slot if heavier else lightest)
                lightest = lightest if heavier else slot
                least = min(least, own_weight)
            own[count - 1] = np.uint8(lightest)
