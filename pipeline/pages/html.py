"""HTML made of elements: text becomes part of a page through one function, which escapes it."""

from __future__ import annotations

import html

from spotlabel.pipeline.text import one_line

Value = str | int | float | bool | None

_VOID = ("br", "col", "img", "input", "link", "meta")


class Markup(str):
    """Text that is HTML already; every other text is escaped when it becomes part of an element."""

    __slots__ = ()


def escape(text: object) -> Markup:
    """Any text as HTML, for elements and attributes alike.

    Characters that would act instead of being seen (control characters, changes of writing direction, halves
    of surrogate pairs) are spelled out as :func:`spotlabel.pipeline.text.one_line` does.
    """
    return text if isinstance(text, Markup) else Markup(html.escape(one_line(text), quote=True))


def tag(name: str, /, *children: object, **attributes: Value) -> Markup:
    """One element.

    Args:
        name: of the element; ours, never data.
        children: escaped unless they are :class:`Markup`; None is left out.
        attributes: ``class_`` stands for ``class`` and ``aria_label`` for ``aria-label``. True stands alone,
            None and False are left out.
    """
    written = "".join(
        f" {_attribute(key)}" + ("" if value is True else f'="{escape(value)}"')
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    if name in _VOID:
        return Markup(f"<{name}{written}>")
    return Markup(f"<{name}{written}>{join(*children)}</{name}>")


def join(*parts: object, between: str = "") -> Markup:
    """Parts one after another, escaped unless they are :class:`Markup`; None is left out."""
    return Markup(between.join(escape(part) for part in parts if part is not None))


def _attribute(key: str) -> str:
    return key.removesuffix("_").replace("_", "-")
