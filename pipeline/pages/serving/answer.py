"""What a page's server answers."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from spotlabel.pipeline.errors import SpotlabelError

_Value = TypeVar("_Value")


class RequestError(SpotlabelError):
    """A request that makes no sense: a page of another version, or no page of ours."""


class ChangedError(SpotlabelError):
    """What the page shows is no longer what stands on the disk."""


@dataclass(frozen=True)
class Answer:
    """One answer.

    Attributes:
        body: bytes.
        kind: MIME type.
        status: of HTTP.
    """

    body: bytes
    kind: str = "application/json"
    status: int = 200


Query = Mapping[str, str]
"""Parameters of a request's address, each once."""
Get = Callable[[Query], Answer]
Post = Callable[[Mapping[str, Any]], Answer]


@dataclass(frozen=True)
class Routes:
    """What can be asked for, by name; nothing else can.

    Attributes:
        get: answers that change nothing.
        post: answers to JSON objects.
        files: fixed answers: the page, its style and scripts.
    """

    get: Mapping[str, Get]
    post: Mapping[str, Post]
    files: Mapping[str, Answer]


def json_answer(value: object, status: int = 200) -> Answer:
    """Plain data; NaN becomes null, which JSON has."""
    text = json.dumps(_plain(value), ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return Answer(text.encode(), status=status)


def planes_answer(facts: Mapping[str, object], planes: Sequence[npt.NDArray[Any]]) -> Answer:
    """Facts and arrays in one: length of the facts (uint32, little-endian), facts as JSON, array by array."""
    told = json_answer(facts).body
    told += b" " * (-len(told) % 4)  # arrays begin at a multiple of 4, so that a browser can look into them
    parts = [struct.pack("<I", len(told)), told, *(np.ascontiguousarray(plane).tobytes() for plane in planes)]
    return Answer(b"".join(parts), "application/octet-stream")


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return {str(key): _plain(child) for key, child in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(child) for child in value]
    if isinstance(value, (np.ndarray, np.generic)):
        return _plain(value.tolist())
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    return value


def whole(values: Mapping[str, Any], name: str, below: int) -> int:
    """A whole number from 0 to less than ``below``, from an address or a JSON object.

    Raises:
        RequestError: it is missing, no whole number, or out of range.
    """
    value = values.get(name)
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) <= 12:
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < below:
        raise RequestError(f"{name}: expected a whole number from 0 to {below - 1}")
    return value


def given(values: Mapping[str, Any], name: str, kind: type[_Value]) -> _Value:
    """A value of a JSON object.

    Raises:
        RequestError: it is missing or of another kind.
    """
    value = values.get(name)
    if not isinstance(value, kind):
        raise RequestError(f"{name}: expected a {kind.__name__}")
    return value
