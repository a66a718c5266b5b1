"""Seeded changes of bytes, texts, trees of values and arrays; equal draws give equal changes."""

from __future__ import annotations

import copy
import random
import re
from typing import Any

import numpy as np
import numpy.typing as npt

HOSTILE = (
    b"nan", b"inf", b"-inf", b"1e400", b"-1e9", b"-1", b"0", b"99999999999999999999", b"1.5", b"\0",
    b"\xff\xfe", b"", b"<", b">", b'"', b",", b"{", b"]", b"&b;", b'<!ENTITY b "c">', b"\n", b"null",
    b"true", b"[]", b"{}", b"1e308", b"-0", b"0x10", b"1_000", b"\xd9\xa3", b"2147483648", b"\r", b";", b"\t",
    b"\xef\xbb\xbf", b"../", b"%", b"'", b"*a", b"&a ", b"- ", b": ", b"~", b"!!python/name:os.system ",
    b"1e-320", b"9" * 400, b"\xed\xa0\x80", b"\x1b[31m", b"[" * 3000, b"<a>" * 3000, b"{\"a\":" * 3000,
)  # fmt: skip
"""Words that programs stumble over; the first 25 are those of earlier campaigns."""
VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2**31, 2**63, 10**30, 0.5, -0.0, 1e308, 1e-320, float("nan"), float("inf"),
    "", "\0", "x" * 1000, "\ud800", "nan", "../x", "\x1b[31m", "=1+1", [], {}, [[]], [0], [None], {"": {}},
    [1e308, 1e308], ["a", "a"], {"a": 1}, "car\nbus", "12", (), [0, 0, 0, 0], 3, 1000, 10_000_000,
)  # fmt: skip
"""Values that no part of a recipe or header has in common."""
_NUMBER = re.compile(rb"-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")
_WORD = re.compile(rb"[\w.-]+")


def changed(content: bytes, draw: random.Random) -> bytes:
    """One to three changes of a file, whatever is in it; one in ten is cut short, too."""
    for _ in range(draw.randint(1, 3)):
        at, length = draw.randrange(len(content) + 1), draw.choice((0, 1, 1, 3, 20))
        piece = draw.choice(
            (bytes([draw.randrange(256)]), draw.choice(HOSTILE), content[at : at + length] * 2)
        )
        content = content[:at] + piece + content[at + length :]
    return content[: draw.randrange(len(content) + 1)] if draw.random() < 0.1 else content


def flipped(content: bytes, draw: random.Random, start: int = 0) -> bytes:
    """One to eight bytes at and after ``start`` get other values; the length stays."""
    made = bytearray(content)
    for _ in range(draw.choice((1, 1, 2, 8))):
        at = draw.randrange(start, len(made))
        made[at] = draw.choice((made[at] ^ (1 << draw.randrange(8)), 0, 255, draw.randrange(256)))
    return bytes(made)


def text(content: bytes, draw: random.Random) -> bytes:
    """A change of a text: of its bytes, of one of its numbers or words, or of the order of its lines."""
    way = draw.randrange(4)
    if way == 0:
        return changed(content, draw)
    if way == 3:
        return _lines(content, draw)
    found = list((_NUMBER if way == 1 else _WORD).finditer(content))
    if not found:
        return changed(content, draw)
    for one in sorted(draw.sample(found, min(len(found), draw.choice((1, 1, 2)))), key=lambda m: -m.start()):
        other = draw.choice(found)[0] if draw.random() < 0.4 else draw.choice(HOSTILE)
        content = content[: one.start()] + other + content[one.end() :]
    return content


def _lines(content: bytes, draw: random.Random) -> bytes:
    lines = content.splitlines(keepends=True) or [b""]
    at, other = draw.randrange(len(lines)), draw.randrange(len(lines))
    way = draw.randrange(4)
    if way == 0:
        del lines[at]
    elif way == 1:
        lines.insert(other, lines[at])
    elif way == 2:
        lines[at], lines[other] = lines[other], lines[at]
    else:
        lines[at : at + 1] = [lines[at]] * draw.choice((2, 50))
    return b"".join(lines)


def tree(value: Any, draw: random.Random) -> Any:
    """A copy of plain data with one to three of its parts replaced, taken away, or put elsewhere."""
    root = {"": copy.deepcopy(value)}
    for _ in range(draw.choice((1, 1, 2, 3))):
        places = list(_places(root))
        parent, key = draw.choice(places)
        way = draw.randrange(6)
        if way == 0 and parent is not root:
            del parent[key]
        elif way == 1 and isinstance(parent, dict) and parent is not root:
            parent[draw.choice(("", "x", str(key) + "s", "\ud800", "a.b", "0"))] = parent.pop(key)
        elif way == 2:
            other, there = draw.choice(places)
            parent[key] = copy.deepcopy(other[there])
        elif way == 3:
            parent[key] = deep(draw.choice((1, 3, 50)))
        else:
            parent[key] = copy.deepcopy(draw.choice(VALUES))
    return root[""]


def deep(levels: int) -> Any:
    """Lists in lists."""
    made: Any = []
    for _ in range(levels):
        made = [made]
    return made


def _places(node: Any) -> Any:
    for key in list(node) if isinstance(node, dict) else range(len(node)):
        yield node, key
        if isinstance(node[key], (dict, list)):
            yield from _places(node[key])


def array(values: npt.NDArray[Any], draw: random.Random) -> npt.NDArray[Any]:
    """A copy with a hostile number, of another shape, or of another type."""
    way = draw.randrange(5)
    if way == 0:
        return values.astype(draw.choice((np.float64, np.int8, np.uint8, np.int64, np.float16, np.complex64)))
    if way == 1:
        return values[: draw.randrange(len(values) + 1)] if values.ndim else values.reshape(1)
    if way == 2:
        return draw.choice(
            (values.T, values.reshape(-1), np.concatenate([values, values]), values[..., None])
        )
    made = values.copy()
    if made.size:
        flat = made.reshape(-1)
        for _ in range(draw.choice((1, 1, 3))):
            flat[draw.randrange(made.size)] = _number(made.dtype, draw)
    return made


def _number(dtype: np.dtype[Any], draw: random.Random) -> Any:
    if np.issubdtype(dtype, np.floating):
        return draw.choice((np.nan, np.inf, -np.inf, -1, -0.0, 1e30, 0, 1e-40, 65536.5))
    about = np.iinfo(dtype)
    return draw.choice((about.min, about.max, about.max - 1, 0, 1, 2, about.max // 2))
