"""Illumination updates without an order of pixels.

On the CPU a word that takes its pixel's looks lights the pixel's neighbours in the same row, and a lit pixel
takes looks more readily: a chain from left to right. It can be cut, since taking looks changes nothing else
of the pixel's comparison, and since what a dark pixel's words take, a lit pixel's take as well (the same
number is drawn from a larger range). So the scan decides both cases at once, and a pixel whose answer differs
asks the pixel to the left; those are few, and runs of them short.
"""

from __future__ import annotations

from spotlabel.labelers.pawcs.cuda.views import Findings, Local
from spotlabel.labelers.pawcs.jit import int64
from spotlabel.labelers.pawcs.model import Bytes, Maps, Pixel, Tick, pack_low, put_word, word_high
from spotlabel.labelers.pawcs.rng import chance

KEEPS, TAKES, TAKES_IF_LIT = 0, 1, 2
"""In :attr:`Findings.light`: whether any word of the pixel takes its looks."""


def decide(pixel: Pixel, tick: Tick, index: int, dark: int, lit: int) -> tuple[int, int]:
    """Draw whether a word takes the pixel's looks, for a pixel that starts dark and for one that starts lit.

    Args:
        pixel, tick: the current pixel and frame.
        index: place of the word.
        dark, lit: words that have taken the pixel's looks so far, as bits by place.

    Returns:
        ``dark`` and ``lit``, perhaps with bit ``index``.
    """
    bit = int64(1) << int64(index)
    readily = pixel.update_rate // 2 + 1
    if chance(tick.key, pixel.number, index, readily):
        lit |= bit
    if chance(tick.key, pixel.number, index, readily if dark != 0 else pixel.update_rate):
        dark |= bit
    return dark, lit


def record(words: Local, maps: Maps, found: Findings, pixel: Pixel, dark: int, lit: int) -> None:
    """Let the words take the pixel's looks that do so in any case, and note the others."""
    if maps.illumination[pixel.y, pixel.x] != 0:
        dark = lit
    _take_looks(words, pixel, dark)
    found.postponed[pixel.number] = lit & ~dark
    found.light[pixel.number] = TAKES if dark != 0 else TAKES_IF_LIT if lit != 0 else KEEPS


def settle_light(words: Local, maps: Maps, found: Findings, pixel: Pixel) -> None:
    """Decide what was left open and renew the pixel's counter, once all pixels have been recorded."""
    before = _took(found.light, pixel.number - 1)
    if before and found.postponed[pixel.number] != 0:
        _take_looks(words, pixel, found.postponed[pixel.number])
    value = int64(maps.illumination[pixel.y, pixel.x])
    if before:
        value = 1
    if _took(found.light, pixel.number):
        value = 2
    value = max(value - 1, 0)
    if _took(found.light, pixel.number + 1):
        value = 1
    maps.illumination[pixel.y, pixel.x] = value


def _took(light: Bytes, number: int) -> bool:
    """Whether a pixel's words took its looks; the rim's keep theirs, which ends the search."""
    while light[number] == TAKES_IF_LIT:
        number -= 1
    return bool(light[number] == TAKES)


def _take_looks(words: Local, pixel: Pixel, places: int) -> None:
    """Give the words at ``places`` (bits) the pixel's looks."""
    index = int64(0)
    while places != 0:
        if places & 1 != 0:
            high = (word_high(words, pixel.number, index) & ~int64(0xFF)) | pixel.c2
            put_word(words, pixel.number, index, pack_low(pixel.descriptor, pixel.c0, pixel.c1), high)
        places = (places >> 1) & ~(int64(1) << int64(63))
        index += 1
