"""Where a report goes: a file of another kind is never replaced."""

from __future__ import annotations

import re
from pathlib import Path

from spotlabel.pipeline.pages.document import GENERATOR
from spotlabel.pipeline.pages.report.against import ReportError
from spotlabel.pipeline.regular import open_regular

_HEAD_BYTES = 512
_TWIN = re.compile(rb'\s*\{\s*"format":\s*"spotlabel-report ')
_PAGE = re.compile(rf'<meta name="generator" content="{GENERATOR}">'.encode())


def check_target(target: Path) -> None:
    """Refuse to replace what is no report, judged by the first bytes.

    A page counts as one, too, if the twin beside it is a report's.

    Args:
        target: of the page; the twin has the suffix ``.json``.

    Raises:
        ReportError: a page or JSON file stands there that is none of ``spotlabel report``.
        OSError: what stands there cannot be read.
    """
    twin = target.with_suffix(".json")
    if twin.exists():
        if not _TWIN.match(_head(twin)):
            raise _refusal(twin)
    elif target.exists() and not _PAGE.search(_head(target)):
        raise _refusal(target)


def _head(path: Path) -> bytes:
    with open_regular(path) as file:
        return file.read(_HEAD_BYTES)


def _refusal(path: Path) -> ReportError:
    return ReportError(
        f"{path}: would be replaced, but is no report of `spotlabel report`; "
        "give another --out, or move it away"
    )
