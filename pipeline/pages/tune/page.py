"""The tuner's page: its frame in HTML; what moves in it is in ``assets/tune*.js``."""

from __future__ import annotations

from collections.abc import Mapping

from spotlabel.pipeline.pages.html import Markup, join, tag
from spotlabel.pipeline.pages.serving.answer import Answer
from spotlabel.pipeline.pages.serving.files import page_files

SCRIPTS = ("tune.js", "tune-form.js", "tune-frames.js", "tune-run.js", "planes.js", "view.js", "wire.js")
STYLES = ("page.css", "serve.css")


def files(recipe: str) -> Mapping[str, Answer]:
    """The page, its style and scripts, by the name they are asked for.

    Args:
        recipe: as it is shown.
    """
    return page_files(f"Tune {recipe}", _body(recipe), STYLES, ("theme.js", "tune.js"), SCRIPTS)


def _body(recipe: str) -> Markup:
    return join(
        tag("a", "To the settings", href="#settings", class_="skip"),
        tag(
            "header",
            tag(
                "div", tag("h1", "Tune ", tag("code", recipe)),
                tag("button", "Dark", id="theme", type="button"), class_="bar",
            ),
        ),
        tag("div", id="banner", role="alert", hidden=True),
        tag("main", _settings(), _stage(), class_="tuner"),
    )  # fmt: skip


def _settings() -> Markup:
    buttons = (
        ("undo", "Undo", "u"), ("redo", "Redo", "r"), ("reset", "As in the recipe", None),
    )  # fmt: skip
    return tag(
        "section",
        tag("h2", "Settings"),
        tag(
            "div",
            tag("label", "Start from ", tag("select", id="preset")),
            *(
                tag("button", text, id=name, type="button", aria_keyshortcuts=key)
                for name, text, key in buttons
            ),
            class_="controls",
        ),
        tag("form", id="form", autocomplete="off"),
        tag("p", id="problem", class_="told problem", role="status", hidden=True),
        tag("h3", "Difference to the recipe"),
        tag("pre", "none", id="difference", tabindex="0", aria_label="difference as YAML"),
        tag(
            "div",
            tag("button", "Save to the recipe", id="save", type="button", class_="main"),
            tag("button", "Apply to all videos", id="apply", type="button"),
            tag("button", "Break off", id="stop", type="button", hidden=True),
            class_="controls",
        ),
        tag("progress", id="run", max=1, value=0, hidden=True, aria_label="masks made"),
        tag("p", id="run-told", class_="hint", role="status"),
        id="settings",
        aria_label="settings",
    )


def _stage() -> Markup:
    return tag(
        "section",
        tag(
            "div",
            tag("label", "Video ", tag("select", id="video")),
            tag("label", "Frame ", tag("input", id="frame", type="number", min=0, step=1)),
            tag("input", id="place", type="range", min=0, value=0, aria_label="frame"),
            class_="controls frames",
        ),
        tag("div", id="telling", role="group", aria_label="telling frames"),
        tag(
            "div",
            tag("label", "Show ", tag("select", *(
                tag("option", text, value=value) for value, text in (
                    ("difference", "differences to the recipe"), ("mask", "mask"), ("owners", "objects"),
                    ("none", "the frame alone"),
                )
            ), id="mode")),
            tag("label", tag("input", id="show-boxes", type="checkbox", checked=True), " boxes"),
            tag("label", tag("input", id="beside", type="checkbox"), " beside another"),
            tag("span", "keys: arrows and n p frames, b boxes, d differences, a beside, u r undo and redo",
                class_="hint"),
            class_="controls",
        ),
        tag("div", *(_pane(number) for number in (0, 1)), class_="panes"),
        tag("p", id="legend", class_="legend"),
        aria_label="frame",
        id="stage",
    )  # fmt: skip


def _pane(number: int) -> Markup:
    """A picture with its mask and figures; the second is for comparing."""
    rules = tag("label", "Rules ", tag("select", id="rules-1")) if number else tag("b", "these settings")
    return tag(
        "figure",
        tag(
            "figcaption", rules, tag("label", " Labeler ", tag("select", id=f"labeler-{number}")),
            class_="controls",
        ),
        tag("canvas", id=f"canvas-{number}", role="img", tabindex="0"),
        tag("dl", id=f"figures-{number}", class_="figures"),
        tag("p", id=f"told-{number}", class_="hint", role="status"),
        class_="pane",
        id=f"pane-{number}",
        hidden=number > 0,
    )  # fmt: skip
