"""Heights and widths on the command line."""

from __future__ import annotations

import click


def height_and_width(
    _context: click.Context, _option: click.Parameter, text: str | None
) -> tuple[int, int] | None:
    """Callback of an option like ``--size 540x960``; None stays None."""
    if text is None:
        return None
    height, cross, width = text.lower().partition("x")
    if not (cross and height.isdecimal() and width.isdecimal() and int(height) and int(width)):
        raise click.BadParameter(f"expected HEIGHTxWIDTH like 540x960, found {text!r}")
    return int(height), int(width)
