"""UA-DETRAC's vehicle types: the four of the original files and the finer ones of version 3."""

from __future__ import annotations

from enum import StrEnum


class Vocabulary(StrEnum):
    """Which classes vehicle types become.

    ``ORIGINAL``: car, van, bus, others. The finer types of version 3 are mapped onto them: sedan,
    hatchback, suv, taxi and police are cars; van and minivan are vans; every type that begins with
    "truck" is one of the others. ``FINE``: the types of version 3, all trucks as one class; car and others
    stay for files in the original vocabulary. ``SINGLE``: everything is a vehicle.
    """

    ORIGINAL = "original"
    FINE = "fine"
    SINGLE = "single"


FINE = ("sedan", "hatchback", "suv", "taxi", "police", "van", "minivan", "bus", "truck", "car", "others")
_TO_ORIGINAL = ("car", "car", "car", "car", "car", "van", "van", "bus", "others", "car", "others")
CLASS_NAMES = {
    Vocabulary.ORIGINAL: ("car", "van", "bus", "others"),
    Vocabulary.FINE: FINE,
    Vocabulary.SINGLE: ("vehicle",),
}


def class_of(vehicle_type: str, vocabulary: Vocabulary) -> int | None:
    """Index into ``CLASS_NAMES[vocabulary]``, ignoring case; None for a type nobody knows."""
    if vocabulary is Vocabulary.SINGLE:
        return 0
    fine = vehicle_type.strip().lower()
    fine = "truck" if fine.startswith("truck") else fine
    if fine not in FINE:
        return None
    name = fine if vocabulary is Vocabulary.FINE else _TO_ORIGINAL[FINE.index(fine)]
    return CLASS_NAMES[vocabulary].index(name)
