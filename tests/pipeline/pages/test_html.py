"""Text in a page: escaped by one function, wherever it comes from."""

from __future__ import annotations

from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from spotlabel.pipeline.pages.html import Markup, escape, join, tag
from spotlabel.pipeline.text import one_line


class Seen(HTMLParser):
    """What a browser would make of a piece of a page."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def test_text_is_escaped_and_markup_is_not() -> None:
    assert tag("p", "a < b & c", tag("b", '"d"')) == "<p>a &lt; b &amp; c<b>&quot;d&quot;</b></p>"
    assert join("<", Markup("<br>"), None, 3, between=" ") == "&lt; <br> 3"


def test_what_would_act_is_spelled_out() -> None:
    assert escape("a\x1b[2J\n\u202eb\udcff") == r"a\x1b[2J\n\u202eb\udcff"


def test_attributes() -> None:
    shown = tag("td", class_="a b", data_v='"><script>', hidden=True, title=None, draggable=False, x=2)
    assert shown == '<td class="a b" data-v="&quot;&gt;&lt;script&gt;" hidden x="2"></td>'
    assert tag("input", type="search", name="q") == '<input type="search" name="q">'


@given(st.text())
def test_no_text_becomes_anything_but_text(text: str) -> None:
    seen = Seen(tag("p", text, title=text))
    assert seen.tags == [("p", {"title": one_line(text)})]
    assert seen.text == one_line(text)
