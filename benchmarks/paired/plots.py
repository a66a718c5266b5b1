"""Figures as files."""

from __future__ import annotations

import io
from typing import Any

from matplotlib.figure import Figure


def as_png(figure: Figure) -> bytes:
    """The figure's file; without date and version, so that equal results give equal files."""
    buffer = io.BytesIO()
    metadata: dict[str, Any] = {"Software": None}
    figure.savefig(buffer, format="png", metadata=metadata)
    return buffer.getvalue()
