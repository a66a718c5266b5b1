"""Text for XML files."""

from __future__ import annotations

from xml.sax.saxutils import escape, quoteattr

from spotlabel.pipeline.text import one_line


def element(name: str, content: object) -> str:
    """``<name>content</name>``; what XML cannot hold (control characters) is spelled out."""
    return f"<{name}>{escape(one_line(content))}</{name}>"


def opening(name: str, attributes: dict[str, object], *, empty: bool = False) -> str:
    """``<name key="value" ...>``, or ``<name ... />`` if it is empty."""
    listed = "".join(f" {key}={quoteattr(one_line(value))}" for key, value in attributes.items())
    return f"<{name}{listed}{' /' if empty else ''}>"
