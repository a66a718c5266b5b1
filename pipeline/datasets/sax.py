"""Walking through large XML files: element by element, with the line each one stands on."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar
from xml.sax import SAXException, SAXParseException
from xml.sax.handler import ContentHandler
from xml.sax.xmlreader import AttributesImpl

from defusedxml.common import DefusedXmlException
from defusedxml.expatreader import DefusedExpatParser

from spotlabel.pipeline.datasets.text import decimal, whole_number
from spotlabel.pipeline.errors import DatasetError
from spotlabel.pipeline.inputs import open_input

CHUNK = 1 << 16

_Handler = TypeVar("_Handler", bound=ContentHandler)


def walk(
    path: Path,
    handler_of: Callable[[Callable[[], int]], _Handler],
    seen_enough: Callable[[_Handler], bool] = lambda _: False,
) -> _Handler:
    """Push a file through the parser until it ends, or its handler has seen enough.

    Args:
        path: the file.
        handler_of: makes the handler; is given what tells the line that the parser is in.
        seen_enough: whether no more of the file is to be read.

    Returns:
        The handler.

    Raises:
        DatasetError: the file cannot be read, is no well-formed XML, or contains a DTD or entities.
    """
    parser = DefusedExpatParser(forbid_dtd=True)
    handler = handler_of(lambda: parser.getLineNumber() or 0)
    parser.setContentHandler(handler)
    try:
        with open_input(path) as file:
            chunk = file.read(CHUNK)
            if not chunk:
                raise DatasetError.at(path, "", "empty file, expected XML")
            while chunk and not seen_enough(handler):
                parser.feed(chunk)
                chunk = file.read(CHUNK)
        if not seen_enough(handler):
            parser.close()
    except OSError as error:
        raise DatasetError.at(path, "", f"cannot be read: {error.strerror or error}") from error
    except SAXParseException as error:
        where = f"line {error.getLineNumber()}"
        advice = "restore the file; text that is not UTF-8 needs its encoding declared in the first line"
        raise DatasetError.at(path, where, f"no well-formed XML: {error.getMessage()}", advice) from error
    except DefusedXmlException as error:
        where = f"line {parser.getLineNumber()}"
        raise DatasetError.at(path, where, "DTDs and entities are not accepted", "remove them") from error
    except (SAXException, ValueError, LookupError) as error:
        raise DatasetError.at(path, "", f"no XML that can be read: {error}") from error
    return handler


class _Outermost(ContentHandler):
    """Notes the first element."""

    name = ""

    def startElement(self, name: str, attrs: AttributesImpl[str]) -> None:
        self.name = self.name or name


def outermost(path: Path) -> str:
    """Name of a file's outermost element, empty where there is none; reads no more than its beginning."""
    handler = _Outermost()
    with suppress(DatasetError):  # whoever reads the file tells what is wrong with it
        walk(path, lambda _: handler, lambda seen: bool(seen.name))
    return handler.name


class Attributes:
    """Attributes of one element, read with checks.

    Args:
        path: the file, for errors.
        line: line of the element.
        element: its name.
        attrs: what the parser gives.
    """

    def __init__(self, path: Path, line: int, element: str, attrs: AttributesImpl[str]) -> None:
        self.path, self.line, self.element = path, line, element
        self._attrs = attrs

    def text(self, name: str, default: str = "") -> str:
        """An attribute without the blanks around it."""
        return (self._attrs.get(name) or default).strip()

    def whole(self, name: str) -> int:
        """A whole number."""
        try:
            return whole_number(self.text(name))
        except ValueError:
            raise self._wrong(name, "a whole number") from None

    def decimal(self, name: str, default: str = "") -> float:
        """A number."""
        try:
            return decimal(self.text(name, default))
        except ValueError:
            raise self._wrong(name, "a number") from None

    def switch(self, name: str) -> bool:
        """Whether an attribute is 1; no attribute is 0."""
        text = self.text(name, "0").lower()
        if text not in ("0", "1", "false", "true"):
            raise self._wrong(name, "0 or 1")
        return text in ("1", "true")

    def error(self, problem: str, advice: str = "") -> DatasetError:
        """An error that names file, line and element."""
        return DatasetError.at(self.path, f"line {self.line}: {self.element}", problem, advice)

    def _wrong(self, name: str, expected: str) -> DatasetError:
        given = self._attrs.get(name)
        found = f"{name} is missing" if given is None else f"{name} is {given[:40]!r}"
        return self.error(f"{found}, expected {expected}")
