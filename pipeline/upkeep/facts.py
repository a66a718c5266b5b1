"""What a store says of itself, remembered: to tell that nothing is to be done, no store need be opened."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from spotlabel.pipeline.hashing import DigestCache, canonical_json
from spotlabel.pipeline.store import EvidenceReader, MaskReader
from spotlabel.pipeline.store.schema import STATES_WITH_PIXELS
from spotlabel.pipeline.store.seal import sealed_digest


@dataclass(frozen=True)
class EvidenceFacts:
    """Of evidence that is whole.

    Attributes:
        fingerprint: what it depends on, as recorded.
        content: digest of what it says; see :attr:`spotlabel.pipeline.store.EvidenceReader.content`.
        without_pixels: number of frames that could not be read.
    """

    fingerprint: dict[str, Any]
    content: str
    without_pixels: int


@dataclass(frozen=True)
class MaskFacts:
    """Of masks that are whole.

    Attributes:
        fingerprint: what they depend on, as recorded.
    """

    fingerprint: dict[str, Any]


_Facts = TypeVar("_Facts", EvidenceFacts, MaskFacts)


def evidence_facts(path: Path, cache: DigestCache) -> EvidenceFacts:
    """Facts of an evidence store, compared with its seal.

    Raises:
        StoreError: it is missing, damaged or none.
    """

    def read() -> EvidenceFacts:
        store = EvidenceReader(path, sealed=True)
        bad = np.count_nonzero(~np.isin(store.state, STATES_WITH_PIXELS))
        return EvidenceFacts(store.fingerprint, store.content, int(bad))

    return _remembered(EvidenceFacts, path, cache, read)


def mask_facts(path: Path, cache: DigestCache) -> MaskFacts:
    """Facts of a mask store; as :func:`evidence_facts`."""
    return _remembered(MaskFacts, path, cache, lambda: MaskFacts(MaskReader(path, sealed=True).fingerprint))


def _remembered(kind: type[_Facts], path: Path, cache: DigestCache, read: Callable[[], _Facts]) -> _Facts:
    """Facts as the cache has them, or read."""

    def compute(file: Path) -> str:
        sealed_digest(file, cache)
        return canonical_json(asdict(read()))

    try:
        return kind(**json.loads(cache.remembered(path, kind.__name__, compute)))
    except (ValueError, TypeError):  # as another version noted them
        cache.forget(path)
        return kind(**json.loads(cache.remembered(path, kind.__name__, compute)))
