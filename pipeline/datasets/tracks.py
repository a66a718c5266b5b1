"""Track ids as annotation tools write them: numbers, numbers as text, or any text."""

from __future__ import annotations

from spotlabel.pipeline.datasets.coco_item import whole_of

NO_TRACK = -1


def track_numbers(given: list[object]) -> list[int | None]:
    """Numbers of the tracks of one sequence.

    A whole number, also written as 7.0 or "7", stays; any other text gets the smallest number from 1 on that
    is not taken, in the order in which the texts first appear. No value, or an empty text, is no track.

    Args:
        given: as the file has them, in its order.

    Returns:
        One number each, -1 for no track, None for what can be no track id (a list, 1.5, true).
    """
    whole = [whole_of(value) for value in given]
    taken = {number for number in whole if number is not None}
    numbers: dict[str, int] = {}
    following = 1
    found: list[int | None] = []
    for value, number in zip(given, whole, strict=True):
        text = value.strip() if isinstance(value, str) else None
        if number is not None:
            found.append(number)
        elif value is None or text == "":
            found.append(NO_TRACK)
        elif text is None:
            found.append(None)
        else:
            if text not in numbers:
                while following in taken:
                    following += 1
                numbers[text] = following
                following += 1
            found.append(numbers[text])
    return found
