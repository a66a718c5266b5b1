"""A served page as fixed files: HTML, style and scripts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from spotlabel.pipeline.pages.document import GENERATOR, asset
from spotlabel.pipeline.pages.html import Markup, join, tag
from spotlabel.pipeline.pages.serving.answer import Answer

_FOLDER = "asset/"


def page_files(
    title: str, body: Markup, styles: Sequence[str], run: Sequence[str], scripts: Sequence[str]
) -> Mapping[str, Answer]:
    """The page under the empty name, and each of its assets.

    Args:
        title: of the page.
        body: what is in it.
        styles: names of style sheets among the assets.
        run: names of the modules that the page starts.
        scripts: names of those, and of the modules that they import.
    """
    head = join(
        tag("meta", charset="utf-8"),
        tag("meta", name="generator", content=GENERATOR),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", title),
        tag("link", rel="icon", href="data:,"),
        *(tag("link", rel="stylesheet", href=f"{_FOLDER}{name}") for name in styles),
        *(tag("script", type="module", src=f"{_FOLDER}{name}") for name in run),
        between="\n",
    )
    page = f'<!doctype html>\n<html lang="en">\n<head>\n{head}\n</head>\n<body>\n{body}\n</body>\n</html>\n'
    made = {"": Answer(page.encode(), "text/html; charset=utf-8")}
    for name in styles:
        made[f"{_FOLDER}{name}"] = Answer(asset(name).encode(), "text/css; charset=utf-8")
    for name in dict.fromkeys([*run, *scripts]):
        made[f"{_FOLDER}{name}"] = Answer(asset(name).encode(), "text/javascript; charset=utf-8")
    return made
