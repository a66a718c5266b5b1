"""Where a Dask scheduler is: checked without Dask, before any video is looked at."""

from __future__ import annotations

import json
import re
from pathlib import Path

from spotlabel.pipeline.errors import SpotlabelError

_ADDRESS = re.compile(r"(?:[a-z]+://)?(?:[^\s/:\[\]]+|\[[0-9A-Fa-f:.]+(?:%\w+)?\]):\d+")
"""``host:port``, ``tcp://host:port``; a host by IPv6 number stands in brackets (RFC 3986)."""


class DaskError(SpotlabelError):
    """A Dask cluster that cannot be reached or used."""


def scheduler_address(scheduler: str) -> str:
    """Address of a scheduler given as such or as a scheduler file.

    Raises:
        DaskError: neither.
    """
    path = Path(scheduler)
    if path.is_file():
        try:
            return str(json.loads(path.read_text())["address"])
        except (OSError, ValueError, LookupError, TypeError) as error:
            raise DaskError(
                f"--scheduler {path}: not a scheduler file (as `dask scheduler --scheduler-file` writes it)"
            ) from error
    if not _ADDRESS.fullmatch(scheduler):
        raise DaskError(
            f"--scheduler {scheduler}: expected an address like tcp://host:8786, or the path of a scheduler "
            "file that exists"
        )
    return scheduler
