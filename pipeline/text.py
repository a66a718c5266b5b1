"""Text that leaves the program: names and messages hold what data and files say, which may be anything."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

_HIDDEN = ("Cc", "Cf", "Cs", "Zl", "Zp")
"""Unicode categories: control and format characters (terminal codes, changes of direction), halves of
surrogate pairs, separators of lines and paragraphs."""
_JOINERS = "\u200c\u200d"
"""Format characters that spell words in Persian and Indic scripts, and do nothing else."""
_FEW = 3
"""Names that are told where there may be thousands."""
_FORMULA_STARTS = ("=", "+", "-", "@")


def one_line(text: object) -> str:
    """A text as one line that shows what is in it: whatever would act instead of being seen is spelled out.

    Args:
        text: anything; its ``str`` counts.

    Returns:
        The text, with control characters, line breaks, changes of writing direction and undecodable bytes as
        Python writes them in a literal (``\\x1b``, ``\\n``, ``\\u202e``, ``\\udcff``).
    """
    found = str(text)
    return found if found.isprintable() else "".join(map(_shown, found))


def lines(text: object) -> str:
    """As :func:`one_line`, but line feeds and tabs stay: for whole documents."""
    found = str(text)
    return found if found.isprintable() else "".join(c if c in "\n\t" else _shown(c) for c in found)


def csv_cell(value: object) -> object:
    """A value for a CSV row: texts as one line, and never a formula to a spreadsheet.

    Args:
        value: a text, or anything that the csv module writes by itself (numbers, None).

    Returns:
        Numbers and None as they are; a text that starts with ``=``, ``+``, ``-`` or ``@`` behind a ``'``.
    """
    if not isinstance(value, str):
        return value
    text = one_line(value)
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text


def few(names: Sequence[str]) -> str:
    """The first of some names and how many there are beside: ``a, b, c and 5 more``."""
    more = len(names) - _FEW
    return ", ".join(names[:_FEW]) + (f" and {more} more" if more > 0 else "")


def failures(failed: int, count: int) -> str:
    """How many videos failed, and, if some did not, that nothing is wrong with those."""
    return f"{failed} of {count} videos failed" + ("; the others are whole" if failed < count else "")


def acts(text: str) -> bool:
    """Whether :func:`one_line` would change the text."""
    return one_line(text) != text


def _shown(character: str) -> str:
    if unicodedata.category(character) not in _HIDDEN or character in _JOINERS:
        return character
    return character.encode("unicode_escape").decode("ascii")
