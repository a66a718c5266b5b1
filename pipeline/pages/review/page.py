"""The review's page: its frame in HTML; what moves in it is in ``assets/review*.js``."""

from __future__ import annotations

from collections.abc import Mapping

from spotlabel.pipeline.pages.html import Markup, join, tag
from spotlabel.pipeline.pages.serving.answer import Answer
from spotlabel.pipeline.pages.serving.files import page_files

SCRIPTS = ("review.js", "review-audit.js", "brush.js", "view.js", "wire.js")
BUTTONS = (
    ("accept", "Accept", "Enter", "the shown mask is right"),
    ("unknown", "Unknown", "u", "nobody can tell"),
    ("fill", "Fill the box", "f", "all of the box is the object"),
    ("empty", "Empty", "e", "nothing of the object is to be seen"),
    ("next", "Next mask", "c", "another candidate"),
    ("skip", "Skip", "s", "later"),
    ("back", "Back", "k", "the box before, without undoing"),
    ("undo", "Undo", "z", "take the last decision back"),
)


def files(recipe: str) -> Mapping[str, Answer]:
    """The page, its style and scripts, by the name they are asked for.

    Args:
        recipe: as it is shown.
    """
    scripts = ("theme.js", "review.js")
    return page_files(f"Review {recipe}", _body(recipe), ("page.css", "serve.css"), scripts, SCRIPTS)


def _body(recipe: str) -> Markup:
    buttons = [
        tag("button", text, " ", tag("kbd", key), id=name, type="button", title=told, aria_keyshortcuts=key)
        for name, text, key, told in BUTTONS
    ]
    return join(
        tag(
            "header",
            tag(
                "div",
                tag("h1", "Review ", tag("code", recipe)),
                tag("button", "Dark", id="theme", type="button"),
                class_="bar",
            ),
        ),
        tag("div", id="banner", role="alert", hidden=True),
        tag(
            "main",
            tag("progress", id="done", max=1, value=0, aria_label="boxes decided"),
            tag("p", id="progress", class_="hint"),
            tag("div", tag("p", id="audit-told"), tag("div", id="audit-chart"), id="audit", hidden=True),
            tag("h2", id="title", role="status"),
            tag("p", id="why"),
            tag("canvas", id="canvas", role="img", tabindex="0"),
            tag("div", *buttons, class_="controls decisions"),
            tag(
                "div",
                tag("button", "Brush ", tag("kbd", "b"), id="brush", type="button", aria_pressed="false"),
                tag("button", "Eraser ", tag("kbd", "x"), id="eraser", type="button", aria_pressed="false"),
                tag(
                    "label", "Size ", tag("kbd", "[ ]"), " ",
                    tag("input", id="size", type="range", min=1, max=40, value=6),
                ),
                tag("button", "Hide ", tag("kbd", "h"), id="hide", type="button", aria_pressed="false"),
                tag("span", id="candidate", class_="hint", role="status"),
                class_="controls",
            ),
            class_="review",
        ),
    )  # fmt: skip
