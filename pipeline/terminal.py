"""The only ways to a terminal: lines, tables and log records, in which no name or message can act."""

from __future__ import annotations

import logging
from typing import Any

import click
from rich import markup
from rich.console import Console
from rich.text import Text

from spotlabel.pipeline.text import lines, one_line


def echo(text: object, err: bool = False, nl: bool = True) -> None:
    """Print one line, as :func:`spotlabel.pipeline.text.one_line` shows it.

    Args:
        text: what to print.
        err: to standard error.
        nl: end the line.
    """
    click.echo(one_line(text), err=err, nl=nl)


def echo_lines(text: object, err: bool = False, nl: bool = True) -> None:
    """As :func:`echo`, for documents: line feeds and tabs in ``text`` are meant."""
    click.echo(lines(text), err=err, nl=nl)


def escape(text: object) -> str:
    """A text for a table or a bar: one line, and no markup of rich."""
    return markup.escape(one_line(text))


class SafeConsole(Console):
    """A console that shows control characters, and falls silent when its reader has gone.

    With a gone reader (``spotlabel label ... 2>&1 | head``) the work goes on.
    """

    def render_str(self, text: str, **options: Any) -> Text:
        """As rich's: here every text passes that is printed, alone or in a table."""
        return super().render_str(lines(text), **options)

    def on_broken_pipe(self) -> None:
        """Print nothing more, and do not end the run."""
        self.quiet = True


class LineFormatter(logging.Formatter):
    """``LEVEL: message``, one line a record; tracebacks keep theirs."""

    def __init__(self) -> None:
        super().__init__("%(levelname)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:
        """The record's line."""
        return one_line(super().formatMessage(record))

    def formatException(self, ei: Any) -> str:
        """The traceback, whose messages are anyone's."""
        return lines(super().formatException(ei))
