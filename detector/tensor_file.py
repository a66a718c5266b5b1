"""Tensors and facts in one safetensors file; its header holds digests of both, so that damage is seen."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor

from spotlabel.pipeline.hashing import canonical_json, text_digest

_KEY = "spotlabel"
_LOG = logging.getLogger("spotlabel")


class DamagedError(ValueError):
    """The file does not hold what was written to it."""


def as_bytes(format_: str, facts: object, tensors: Mapping[str, Tensor]) -> bytes:
    """A whole safetensors file; equal content gives equal bytes.

    Args:
        format_: what the file is, a name and a version.
        facts: JSON-able; kept in the header.
        tensors: of any device and memory layout.
    """
    # A parameter in channels_last memory must be made plain: the file knows one layout alone.
    plain = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    # As they will be read back: with texts for keys, which sort in another order than numbers.
    found = json.loads(json.dumps({"format": format_, "facts": facts, "tensors": _digest(plain)}))
    # Under one key: the order of several would change from run to run.
    text = json.dumps({**found, "digest": text_digest(canonical_json(found))}, sort_keys=True)
    return save(plain, {_KEY: text})


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


def _digest(tensors: Mapping[str, Tensor]) -> str:
    """BLAKE2b-256 over names, types, shapes and bytes, as hex; in order of the names."""
    hasher = hashlib.blake2b(digest_size=32)
    for name, value in sorted(tensors.items()):
        content = value.contiguous()
        hasher.update(f"{name}\n{content.dtype}\n{list(content.shape)}\n".encode())
        hasher.update(content.reshape(-1).view(torch.uint8).numpy().data)
    return hasher.hexdigest()
