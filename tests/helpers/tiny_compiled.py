"""A compiled function that costs nothing, for tests of the cache."""

from __future__ import annotations

from pathlib import Path

from spotlabel.labelers.compiling import compile_cached, sources_digest


def _doubled(number: int) -> int:
    return 2 * number


doubled = compile_cached(_doubled, sources_digest(Path(__file__).parent.parent / "labelers"))
