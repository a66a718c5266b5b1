"""One object of a COCO file, with its place: checked values, in the types that exporters really write."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spotlabel.pipeline.datasets.native import NO_BOX, corners
from spotlabel.pipeline.datasets.text import MAX_WHOLE, decimal, whole_number
from spotlabel.pipeline.errors import DatasetError

Id = int | str

_YES = ("1", "1.0", "true", "yes", "t", "y")
_NO = ("", "0", "0.0", "false", "no", "f", "n", "none", "null")


@dataclass(frozen=True)
class Item:
    """One JSON object; reads checked fields.

    Attributes:
        path: the file.
        place: where the object stands in it.
        data: its fields.
    """

    path: Path
    place: str
    data: Mapping[str, Any]

    def error(self, problem: str, advice: str = "") -> DatasetError:
        """An error that names file and place."""
        return DatasetError.at(self.path, self.place, problem, advice)

    def value(self, *keys: str) -> Any:
        """The first of some fields that has a value, here or under ``attributes`` (CVAT); None if none."""
        attributes = self.data.get("attributes")
        for fields in (self.data, attributes if isinstance(attributes, dict) else {}):
            for key in keys:
                if fields.get(key) is not None:
                    return fields[key]
        return None

    def has(self, *keys: str) -> str | None:
        """The first of some fields of the object itself that has a value."""
        return next((key for key in keys if self.data.get(key) is not None), None)

    def identifier(self, key: str) -> Id:
        """A number or text that names something; a number written as 1.0 is 1."""
        value = self.data.get(key)
        if isinstance(value, float) and value.is_integer() and abs(value) < MAX_WHOLE:
            return int(value)
        if isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool)):
            return value
        raise self.error(f"{key} is {shown(value)}, expected a number or text")

    def text(self, key: str) -> str:
        """Text that is not empty."""
        value = self.data.get(key)
        if not isinstance(value, str) or not value:
            raise self.error(f"{key} is {shown(value)}, expected text")
        return value

    def whole(self, key: str) -> int:
        """A whole number; 7, 7.0 and "7" alike."""
        value = whole_of(self.data.get(key))
        if value is None:
            raise self.error(f"{key} is {shown(self.data.get(key))}, expected a whole number")
        return value

    def truth(self, *keys: str) -> bool:
        """Whether one of some fields says yes: true, 1, "1", "true"; no if there is none of them."""
        return any(self._truth(key) for key in keys)

    def _truth(self, key: str) -> bool:
        value = self.value(key)
        if isinstance(value, str) and value.strip().lower() in (*_YES, *_NO):
            return value.strip().lower() in _YES
        if value is None or isinstance(value, int | float):
            return bool(value)
        raise self.error(f"{key} is {shown(value)}, expected 0 or 1")

    def box(self) -> tuple[float, float, float, float]:
        """Corners of ``bbox``; those of a box without area if it is empty or null."""
        value = self.data.get("bbox")
        if "bbox" in self.data and value in (None, []):
            return NO_BOX
        numbers = [_decimal_of(entry) for entry in value] if isinstance(value, list) else []
        known = [number for number in numbers if number is not None]
        if len(numbers) != 4 or len(known) != 4:
            raise self.error(f"bbox is {shown(value)}, expected [x, y, width, height]")
        return corners(*known)


def whole_of(value: object) -> int | None:
    """A whole number below 2**53 that is written as 7, 7.0 or "7"; None for anything else."""
    try:
        if isinstance(value, str):
            return whole_number(value)
        if isinstance(value, bool) or not isinstance(value, int | float):
            return None
        return int(value) if abs(value) < MAX_WHOLE and value == int(value) else None
    except (ValueError, OverflowError):
        return None


def _decimal_of(value: object) -> float | None:
    """A number, also as text; NaN and infinity too: they are refused with the geometry."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if isinstance(value, int) and abs(value) >= MAX_WHOLE:
        return None
    try:
        return decimal(value) if isinstance(value, str) else float(value)
    except ValueError:
        return None


def shown(value: object) -> str:
    """A value as errors show it."""
    return "missing" if value is None else repr(value)[:60]
