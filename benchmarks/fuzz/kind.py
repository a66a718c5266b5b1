"""What a kind of file offers to be fuzzed."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

Trial = Callable[[random.Random], list[str]]
"""Make one file anew with a change and read it: says what is wrong with what was accepted (nothing: all is
well); a refusal is the :class:`spotlabel.pipeline.errors.SpotlabelError` that the reader raises."""


@dataclass(frozen=True)
class Kind:
    """Files of one kind.

    Attributes:
        name: for ``--only``.
        row: the promise.
        share: of all inputs, relative to the other kinds.
        what: how they are changed and what an accepted one has to be, for the report.
        prepare: makes whole files in an empty folder and gives the trial.
    """

    name: str
    row: str
    share: float
    what: str
    prepare: Callable[[Path], Trial]
