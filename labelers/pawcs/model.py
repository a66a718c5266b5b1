"""Model of PAWCS for one video: local words, global words and maps, as arrays by field with packed words.

A local word takes two int64. The first holds the descriptor (bits 0-47) and the first two colour channels
(48-55, 56-63); the second the third channel (0-7), the frame of its first occurrence (16-31), of the last
(32-47) and the number of occurrences (48-63). The first four words of a pixel lie in an array of their own,
one cache line per pixel: a background pixel rarely needs more.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from spotlabel.labelers.pawcs.jit import compiled, float32, inlined, int64

HEAD = 4
"""Words per pixel kept in the head array."""
ALL_SORTED = 255
"""No place of the tail is out of order."""
CLOCK_LIMIT = 60_000
"""Frame number at which all frame numbers in the model are moved back by :data:`CLOCK_STEP`."""
CLOCK_STEP = 30_000
MAX_COUNT = 65_535
BITS_48 = (1 << 48) - 1

Floats = npt.NDArray[np.float32]
Bytes = npt.NDArray[np.uint8]
Longs = npt.NDArray[np.int64]


class Words(NamedTuple):
    """Local words of all pixels, row-major; P pixels of N words.

    Attributes:
        head: int64 (P, 2 * HEAD).
        tail: int64 (P, 2 * (N - HEAD)), the first halves of all tail words, then the second halves.
        sorted_until: uint16 (P,): until that frame, without writes, tail words stay sorted by weight but for
            those in ``unsorted``.
        unsorted: uint16 (P,): first (low byte) and last place (high byte) at which a tail word may outweigh
            the one before it; none if the first is ALL_SORTED.
        fifth: int64 (P,): copy of the second half of the first tail word, to weigh it without the tail.
    """

    head: Longs
    tail: Longs
    sorted_until: npt.NDArray[np.uint16]
    unsorted: npt.NDArray[np.uint16]
    fifth: Longs


class Maps(NamedTuple):
    """Per-pixel state (H, W).

    Attributes:
        distance: float32, the distance factor R.
        variation: float32, v.
        rate: float32, T.
        mean_distance: float32 (2, H, W), running means of the minimal distance, long and short term.
        mean_raw: float32 (2, H, W), of the raw segmentation.
        mean_final: float32 (2, H, W), of the final segmentation.
        unstable, blinking, illumination: uint8.
        last_mask: uint8, the last final mask, 0 or 255.
        raw: uint8, the raw segmentation of the current frame, 0 or 255.
        descriptor: int64, descriptors of the last frame, of the current one where the pixel is done.
        held: uint8, pixels that must not be learnt.
        level: uint8, distance evidence.
    """

    distance: Floats
    variation: Floats
    rate: Floats
    mean_distance: Floats
    mean_raw: Floats
    mean_final: Floats
    unstable: Bytes
    blinking: Bytes
    illumination: Bytes
    last_mask: Bytes
    raw: Bytes
    descriptor: Longs
    held: Bytes
    level: Bytes


class GlobalWords(NamedTuple):
    """The G global words.

    Attributes:
        features: int64 (G, 5): descriptor, three colours, bit count.
        maps: float32 (G, H // 2, W // 2): weight of each word around each place.
        totals: float32 (G,): total weight.
        order: int64 (G,): the words by total weight, roughly.
        local_order: uint8 (P, G): each pixel's own order.
    """

    features: Longs
    maps: Floats
    totals: Floats
    order: Longs
    local_order: Bytes


class Pixel(NamedTuple):
    """One pixel of the current frame, with the thresholds that its feedback state gives it.

    Attributes:
        number: row-major index.
        x, y: place.
        descriptor: intra descriptor.
        c0, c1, c2: colour.
        flat: fewer than FLAT_BITS bits set in the descriptor.
        colour_limit: largest mix distance of a matching word.
        descriptor_limit: largest descriptor distance of a matching word.
        needed: sum of weights that makes background (W*).
        step: what an occurrence adds to a word's count.
        update_rate: learning happens with probability 1/update_rate.
    """

    number: int
    x: int
    y: int
    descriptor: int
    c0: int
    c1: int
    c2: int
    flat: bool
    colour_limit: int
    descriptor_limit: int
    needed: float
    step: int
    update_rate: int


class Tick(NamedTuple):
    """What is the same for all pixels of a frame.

    Attributes:
        clock: frame number as the words count it.
        weight_offset: w0 of the words' weights.
        newcomer_weight: float32, sum of weights below which a pixel is all new to a list of words.
        bootstrapping: one of the first frames.
        moving: the camera is held to move.
        cooldown: frames until the model may be refreshed again.
        blend_long, blend_short: float32, weight of the current frame in the running means.
        key: of the counter-based random numbers.
        with_level: whether distance evidence is asked for.
    """

    clock: int
    weight_offset: int
    newcomer_weight: float
    bootstrapping: bool
    moving: bool
    cooldown: int
    blend_long: float
    blend_short: float
    key: np.uint64
    with_level: bool


def create_words(pixels: int, count: int) -> Words:
    """Empty local words."""
    return Words(
        _on_cache_lines((pixels, 2 * HEAD)),
        _on_cache_lines((pixels, 2 * (count - HEAD))),
        np.zeros(pixels, np.uint16),
        np.zeros(pixels, np.uint16),
        np.zeros(pixels, np.int64),
    )


def _on_cache_lines(shape: tuple[int, int]) -> Longs:
    """Zeros whose first element begins a cache line of 64 bytes."""
    size = shape[0] * shape[1]
    room = np.zeros(size + 7, np.int64)
    start = -(room.ctypes.data // 8) % 8
    return room[start : start + size].reshape(shape)


def create_maps(height: int, width: int, rate_min: float) -> Maps:
    """Per-pixel state before the first frame."""
    shape = (height, width)

    def filled(value: float) -> Floats:
        return np.full(shape, value, np.float32)

    def bytes_() -> Bytes:
        return np.zeros(shape, np.uint8)

    def pair() -> Floats:
        return np.zeros((2, *shape), np.float32)

    return Maps(
        filled(2), filled(10), filled(rate_min), pair(), pair(), pair(), bytes_(), bytes_(), bytes_(),
        bytes_(), bytes_(), np.zeros(shape, np.int64), bytes_(), bytes_(),
    )  # fmt: skip


def create_global_words(height: int, width: int, count: int) -> GlobalWords:
    """Empty global words, every pixel's order the same."""
    return GlobalWords(
        np.zeros((count, 5), np.int64),
        np.zeros((count, height // 2, width // 2), np.float32),
        np.zeros(count, np.float32),
        np.arange(count, dtype=np.int64),
        np.tile(np.arange(count, dtype=np.uint8), (height * width, 1)),
    )


def state_bytes(*parts: NamedTuple) -> int:
    """Memory of the arrays of such tuples, in bytes."""
    return sum(array.nbytes for part in parts for array in part)


@inlined
def tail_size(words: Words) -> int:
    """Number of tail words per pixel."""
    return int64(words.tail.shape[1] // 2)


@inlined
def word_low(words: Words, pixel: int, index: int) -> int:
    """First half of a word: descriptor and two colour channels."""
    if index < HEAD:
        return int64(words.head[pixel, 2 * index])
    return int64(words.tail[pixel, index - HEAD])


@inlined
def word_high(words: Words, pixel: int, index: int) -> int:
    """Second half of a word: third colour channel and its history."""
    if index < HEAD:
        return int64(words.head[pixel, 2 * index + 1])
    return int64(words.tail[pixel, tail_size(words) + index - HEAD])


@inlined
def put_word(words: Words, pixel: int, index: int, low: int, high: int) -> None:
    """Write a word."""
    if index < HEAD:
        words.head[pixel, 2 * index] = low
        words.head[pixel, 2 * index + 1] = high
    else:
        words.tail[pixel, index - HEAD] = low
        words.tail[pixel, tail_size(words) + index - HEAD] = high
        if index == HEAD:
            words.fifth[pixel] = high


@inlined
def pack_low(descriptor: int, c0: int, c1: int) -> int:
    """First half of a word."""
    return descriptor | (c0 << 48) | (c1 << 56)


@inlined
def pack_high(c2: int, first: int, last: int, count: int) -> int:
    """Second half of a word."""
    return c2 | (first << 16) | (last << 32) | (min(count, MAX_COUNT) << 48)


@inlined
def seen(high: int, frame: int, step: int) -> int:
    """Second half of a word after ``step`` more occurrences, the last of them in ``frame``."""
    count = min(((high >> 48) & 0xFFFF) + step, MAX_COUNT)
    return (high & 0x00000000FFFFFFFF) | (frame << 32) | (count << 48)


@inlined
def age_at_zero(high: int, offset: int) -> int:
    """The part of a word's age that does not grow: its age in frame t is this plus 2 t."""
    return offset - ((high >> 16) & 0xFFFF) - ((high >> 32) & 0xFFFF)


@inlined
def occurrences(high: int) -> int:
    """How often a word occurred."""
    return (high >> 48) & 0xFFFF


@inlined
def weight(high: int, frame: int, offset: int) -> float:
    """Weight of a word (WACV 2015, eq. 3): occurrences / ((last - first) + 2 (t - last) + w0)."""
    return float32(occurrences(high)) / float32(age_at_zero(high, offset) + 2 * frame)


@compiled
def turn_back_clock(words: Words, offset: int) -> None:
    """Move all frame numbers back by CLOCK_STEP; older words keep their weight."""
    for pixel in range(words.head.shape[0]):
        for index in range(HEAD + tail_size(words)):
            high = word_high(words, pixel, index)
            first = (high >> 16) & 0xFFFF
            last = (high >> 32) & 0xFFFF
            old = weight(high, CLOCK_LIMIT, offset)
            first = max(first - CLOCK_STEP, 0)
            last = max(last - CLOCK_STEP, 0)
            age = offset - first - last + 2 * (CLOCK_LIMIT - CLOCK_STEP)
            count = int64(np.float64(old) * age + 0.5)
            put_word(
                words, pixel, index, word_low(words, pixel, index), pack_high(high & 0xFF, first, last, count)
            )
        words.sorted_until[pixel] = 0
