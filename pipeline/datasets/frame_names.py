"""Frame numbers and sequences in the names of image files, as exporters write them."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable
from collections.abc import Sequence as Seq

_DIGITS = re.compile(r"[0-9]+")
_EXPORTED = re.compile(r"[_.-](?:jpe?g|png|bmp|webp|tiff?)\.rf\.[0-9A-Za-z]+$", re.IGNORECASE)
"""What Roboflow puts behind a name: the old ending and a hash (``_jpg.rf.<hash>``)."""
_COUNTER_WORD = re.compile(r"(?:(?:^|[-_. ])(?:img|image|frame|frm|f))?[-_. ]*$", re.IGNORECASE)
_LONGEST_NUMBER = 15
MAX_HOLES = 100
"""Most frames per image of a sequence, counting those without an image."""


def own_stem(stem: str) -> str:
    """A file name without its ending, and without the ending and the hash that an exporter put behind it."""
    return _EXPORTED.sub("", stem)


def last_number(stem: str) -> str | None:
    """The last run of digits of a name, None if there is none or it is too long for a frame number."""
    found = _DIGITS.findall(own_stem(stem))
    return found[-1] if found and len(found[-1]) <= _LONGEST_NUMBER else None


def spread(numbers: Iterable[int]) -> int:
    """How many frames a video has that counts from the lowest to the highest of some numbers.

    It counts in steps of the greatest common divisor of their differences.
    """
    found = sorted(numbers)
    step = math.gcd(*(number - found[0] for number in found)) or 1
    return (found[-1] - found[0]) // step + 1


def scattered(numbers: Collection[int]) -> bool:
    """Whether numbers cannot be frame numbers of one video, such as times in milliseconds."""
    return spread(numbers) > MAX_HOLES * len(numbers)


def counted(stems: Seq[str]) -> list[tuple[str, int]] | None:
    """What counts up in the names of a folder, where the last run of digits does not.

    Taken is the rightmost run of digits that tells all names apart together with the text before it, and
    whose text before it is shared by two names on average: so the 12 of ``a_0012_8bit`` is
    found, and the last digits of a hash are not.

    Args:
        stems: file names without their endings.

    Returns:
        For each name the text before its number and the number; None if no run of digits counts.
    """
    names = [own_stem(stem) for stem in stems]
    runs = [list(_DIGITS.finditer(name)) for name in names]
    for k in range(min(map(len, runs), default=0) - 1, -1, -1):
        if any(len(found[k][0]) > _LONGEST_NUMBER for found in runs):
            continue
        pairs = [
            (name[: found[k].start()], int(found[k][0])) for name, found in zip(names, runs, strict=True)
        ]
        shared = 2 * len({before for before, _ in pairs}) <= len(pairs)
        if shared and len({*pairs}) == len(pairs):
            return pairs
    return None


def sequence_of(before: str) -> str:
    """Name of a sequence: the text before the frame number without ``_img``, ``frame``, dashes at its end."""
    return _COUNTER_WORD.sub("", before)
