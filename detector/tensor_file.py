"""Tensors and facts in one safetensors file; its header holds digests of both, so that damage is seen."""

from __future__ import annotations

import hashlib
import io
import itertools
import json
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import torch
from safetensors import safe_open
from torch import Tensor

from spotlabel.pipeline.atomic import replacing
from spotlabel.pipeline.hashing import canonical_json, text_digest

_KEY = "spotlabel"
_NAMES = {
    torch.int64: "I64", torch.float64: "F64", torch.float32: "F32", torch.int32: "I32",
    torch.bfloat16: "BF16", torch.float16: "F16", torch.int16: "I16",
    torch.int8: "I8", torch.uint8: "U8", torch.bool: "BOOL",
}  # fmt: skip
_TYPES = list(_NAMES)
"""Types in the order in which safetensors lays tensors down, the largest first, so that each is aligned."""
_ALIGNED = 8
_DIGEST = 32
_LOG = logging.getLogger("spotlabel")


class DamagedError(ValueError):
    """The file does not hold what was written to it."""


def write(path: Path, format_: str, facts: object, tensors: Mapping[str, Tensor]) -> None:
    """A whole safetensors file under its name or none; see :func:`as_bytes`.

    Tensor by tensor, each once, from the memory where it is: a training state is four times the network, and
    there is no second one beside it.

    Raises:
        OSError: the disk is full or will not take it.
    """
    with replacing(path) as file:
        _lay_down(file, format_, facts, tensors)


def as_bytes(format_: str, facts: object, tensors: Mapping[str, Tensor]) -> bytes:
    """A whole safetensors file; equal content gives equal bytes.

    Args:
        format_: what the file is, a name and a version.
        facts: JSON-able; kept in the header.
        tensors: of any device and memory layout.
    """
    file = io.BytesIO()
    _lay_down(file, format_, facts, tensors)
    return file.getvalue()


def _lay_down(file: BinaryIO, format_: str, facts: object, tensors: Mapping[str, Tensor]) -> None:
    """Put every tensor in its place as its digest is taken, then the head that tells the digest."""
    in_order = sorted(tensors, key=lambda name: (_TYPES.index(tensors[name].dtype), name))
    ends = list(itertools.accumulate((tensors[name].nbytes for name in in_order), initial=0))
    places = dict(zip(in_order, itertools.pairwise(ends), strict=True))
    first = len(_head(format_, facts, tensors, places, "0" * 2 * _DIGEST))

    def put(name: str, content: memoryview) -> None:
        file.seek(first + places[name][0])
        file.write(content)

    digest = _digest(tensors, put)
    file.seek(0)
    file.write(_head(format_, facts, tensors, places, digest))


def _head(
    format_: str,
    facts: object,
    tensors: Mapping[str, Tensor],
    places: Mapping[str, tuple[int, int]],
    digest: str,
) -> bytes:
    """Length of the header, and the header; as long whatever the digest of the tensors is."""
    # As they will be read back: with texts for keys, which sort in another order than numbers.
    found = json.loads(json.dumps({"format": format_, "facts": facts, "tensors": digest}))
    # Under one key: the order of several would change from run to run.
    text = json.dumps({**found, "digest": text_digest(canonical_json(found))}, sort_keys=True)
    header: dict[str, Any] = {"__metadata__": {_KEY: text}}
    for name, place in places.items():
        kind, shape = _NAMES[tensors[name].dtype], list(tensors[name].shape)
        header[name] = {"dtype": kind, "shape": shape, "data_offsets": place}
    head = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    head += b" " * (-len(head) % _ALIGNED)
    return len(head).to_bytes(8, "little") + head


def read(path: Path, format_: str, with_tensors: bool = True) -> tuple[Any, dict[str, Tensor]]:
    """Facts and tensors, compared with their digests.

    Files of versions before 0.2 have no digests; they are read as they are, and the log says so.

    Args:
        path: an existing file.
        format_: what the file has to be.
        with_tensors: False reads the header alone, and compares no tensor.

    Returns:
        The facts, and the tensors on the CPU by name.

    Raises:
        DamagedError: content and digests do not fit.
        ValueError: a file of something else; the message says what it is.
        safetensors.SafetensorError: no safetensors file.
        OSError: it cannot be read.
    """
    with safe_open(path, framework="pt") as file:
        header = _header(file.metadata())
        if header.get("format") != format_:
            what = f"holds {header['format']}" if "format" in header else "says nothing of spotlabel"
            raise ValueError(f"expected {format_!r}, the file {what}")
        _check_header(path, header, tell=with_tensors)
        names = file.keys() if with_tensors else ()
        tensors = {name: file.get_tensor(name) for name in names}
    if with_tensors and "tensors" in header and _digest(tensors) != header["tensors"]:
        raise DamagedError("its tensors are not those that were written (their digest differs)")
    return header["facts"], tensors


def _header(metadata: Mapping[str, str] | None) -> dict[str, Any]:
    """What :func:`as_bytes` wrote; empty if the file was not written by spotlabel."""
    try:
        found = json.loads((metadata or {})[_KEY])
        return {**found, "format": str(found["format"]), "facts": found["facts"]}
    except (KeyError, ValueError, TypeError, RecursionError):
        return {}


def _check_header(path: Path, header: dict[str, Any], tell: bool) -> None:
    said = header.pop("digest", None)
    if said is None and header.keys() == {"format", "facts"}:
        if tell:
            _LOG.warning("%s: of an older version, without digests: damage to it cannot be seen", path)
    elif said != text_digest(canonical_json(header)):
        raise DamagedError("its header is not the one that was written (its digest differs)")


def _digest(
    tensors: Mapping[str, Tensor], met: Callable[[str, memoryview], None] = lambda _name, _content: None
) -> str:
    """BLAKE2b-256 over names, types, shapes and bytes, as hex; in order of the names.

    Args:
        tensors: what it is taken of.
        met: told the bytes of every tensor.
    """
    hasher = hashlib.blake2b(digest_size=_DIGEST)
    for name, value in sorted(tensors.items()):
        hasher.update(f"{name}\n{value.dtype}\n{list(value.shape)}\n".encode())
        content = _content(value)
        hasher.update(content)
        met(name, content)
    return hasher.hexdigest()


def _content(tensor: Tensor) -> memoryview:
    """The bytes of a tensor, where they are if it is plain and on the CPU."""
    # A parameter in channels_last memory must be made plain: the file knows one layout alone.
    plain = tensor.detach().cpu().contiguous()
    content: memoryview = plain.reshape(-1).view(torch.uint8).numpy().data
    return content
