"""The frame of every page: head, style, scripts, and a rule to fetch nothing and run nothing else."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from pathlib import Path

from spotlabel.pipeline.pages.html import Markup, join, tag

_ASSETS = Path(__file__).parent / "assets"
GENERATOR = "spotlabel"
"""What every page says near its head of who made it."""
_ICON = "data:,"
"""An empty icon: without any, browsers ask the place that the page comes from for one."""


def opening(title: str, scripts: tuple[str, ...]) -> str:
    """Everything before a page's content.

    The page carries its rule with it (Content-Security-Policy): pictures are those inside of it, style and
    scripts are these by their hashes. What a name in the data would smuggle in is neither run nor fetched.

    Args:
        title: of the page.
        scripts: names of the modules in ``assets`` that :func:`closing` will be given.
    """
    style = asset("page.css")
    policy = (
        f"default-src 'none'; img-src data:; style-src {_hash(style)}; "
        f"script-src {' '.join(_hash(asset(name)) for name in scripts)}; base-uri 'none'; form-action 'none'"
    )
    head = join(
        tag("meta", charset="utf-8"),
        tag("meta", name="generator", content=Markup(GENERATOR)),
        tag("meta", http_equiv="Content-Security-Policy", content=Markup(policy)),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", title),
        tag("link", rel="icon", href=Markup(_ICON)),
        tag("style", Markup(style)),
        between="\n",
    )
    return f'<!doctype html>\n<html lang="en">\n<head>\n{head}\n</head>\n<body>\n'


def closing(scripts: tuple[str, ...]) -> str:
    """Everything after a page's content: its scripts, each a module of its own."""
    parts = [tag("script", Markup(asset(name)), type="module") for name in scripts]
    return "\n".join([*parts, "</body>\n</html>\n"])


@cache
def asset(name: str) -> str:
    """Text of a style sheet or script that comes with spotlabel."""
    return (_ASSETS / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
