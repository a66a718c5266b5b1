"""Illumination updates on the device, without an order of pixels.

On the CPU a word that takes its pixel's appearance (descriptor and colour) lights the pixel's neighbours in
the same row, and a lit pixel's words take it more readily: a chain from left to right. It can be cut, since
that changes nothing else of the pixel's comparison, and since what a dark pixel's words take, a lit pixel's
take as well (the same number is drawn from a larger range). So the scan decides both cases at once, and a
pixel whose answer differs asks the pixel to the left; those are few, and runs of them short.
"""

from __future__ import annotations

from spotlabel.labelers.pawcs.cuda.views import Findings, Local
from spotlabel.labelers.pawcs.jit import int64
from spotlabel.labelers.pawcs.model import Bytes, Maps, Pixel, Tick, pack_low, put_word, word_high
from spotlabel.labelers.pawcs.rng import chance

KEEPS, TAKES, TAKES_IF_LIT = 0, 1, 2
"""In :attr:`Findings.illumination`: whether any word of the pixel takes its appearance."""


def decide(pixel: Pixel, tick: Tick, index: int, dark: int, lit: int) -> tuple[int, int]:
    """Draw whether a word takes the pixel's appearance if the pixel starts dark, and if it starts lit.

    Args:
        pixel, tick: the current pixel and frame.
        index: place of the word.
        dark, lit: words that have taken the pixel's appearance so far, as bits by place.

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


def record(words: Local, maps: Maps, findings: Findings, pixel: Pixel, dark: int, lit: int) -> None:
    """Let the words take the pixel's appearance that do so in any case, and note the others."""
    if maps.illumination[pixel.y, pixel.x] != 0:
        dark = lit
    _take_appearance(words, pixel, dark)
    findings.postponed[pixel.number] = lit & ~dark
    findings.illumination[pixel.number] = TAKES if dark != 0 else TAKES_IF_LIT if lit != 0 else KEEPS


def settle_illumination(words: Local, maps: Maps, findings: Findings, pixel: Pixel) -> None:
    """Decide what was left open and renew the pixel's counter, once all pixels have been recorded."""
    before = _took(findings.illumination, pixel.number - 1)
    if before and findings.postponed[pixel.number] != 0:
        _take_appearance(words, pixel, findings.postponed[pixel.number])
    value = int64(maps.illumination[pixel.y, pixel.x])
    if before:
        value = 1
    if _took(findings.illumination, pixel.number):
        value = 2
    value = max(value - 1, 0)
    if _took(findings.illumination, pixel.number + 1):
        value = 1
    maps.illumination[pixel.y, pixel.x] = value


def _took(illumination: Bytes, number: int) -> bool:
    """Whether a pixel's words took its appearance; the rim's keep theirs, which ends the search."""
    while illumination[number] == TAKES_IF_LIT:
        number -= 1
    return bool(illumination[number] == TAKES)


def _take_appearance(words: Local, pixel: Pixel, places: int) -> None:
    """Give the words at ``places`` (bits) the pixel's appearance."""
    index = int64(0)
    while places != 0:
        if places & 1 != 0:
            high = (word_high(words, pixel.number, index) & ~int64(0xFF)) | pixel.c2
            put_word(words, pixel.number, index, pack_low(pixel.descriptor, pixel.c0, pixel.c1), high)
        places = (places >> 1) & ~(int64(1) << int64(63))
        index += 1
