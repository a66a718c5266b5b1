"""The server of a page: HTTP of the standard library, on 127.0.0.1, a thread per connection."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from spotlabel.pipeline.errors import SpotlabelError, one_sentence
from spotlabel.pipeline.pages.serving.answer import Answer, ChangedError, RequestError, Routes, json_answer
from spotlabel.pipeline.pages.serving.guard import HEADERS, HOST, Guard

_LOG = logging.getLogger("spotlabel")
MOST_BYTES = 32 * 2**20
"""Of a request: a painted mask is the largest, a byte a pixel in text."""
_SECONDS_OF_SILENCE = 60
SECONDS_TO_END = 20.0
"""How long a page waits at its end for what it has begun."""


class PortError(SpotlabelError):
    """A port that cannot be listened to."""


class PageServer(ThreadingHTTPServer):
    """Answers the requests of one page.

    Args:
        port: to listen to; 0 takes a free one.

    Raises:
        PortError: somebody else listens there, or the system reserves it.
    """

    daemon_threads = True
    block_on_close = False  # a browser holds its connections open

    def __init__(self, port: int) -> None:
        try:
            super().__init__((HOST, port), _Handler)
        except OSError as error:
            raise PortError(f"--port {port}: {error.strerror}; leave it out for a free one") from error
        self.guard = Guard(self.server_address[1])
        self.routes = Routes({}, {}, {})
        self._turn, self._busy, self._ended = threading.Condition(), 0, False

    def serve(self, routes: Routes) -> None:
        """Answer until interrupted; then what is being answered is ended, and nothing further begun.

        A thread that the interpreter finds inside a library at its end takes the process down with it.
        """
        self.routes = routes
        try:
            self.serve_forever(poll_interval=0.2)
        finally:
            self.server_close()
            with self._turn:
                self._ended = True
                self._turn.wait_for(lambda: not self._busy, SECONDS_TO_END)

    @contextmanager
    def answering(self) -> Iterator[bool]:
        """Around the answer to one request; false if none is given any more."""
        with self._turn:
            going = not self._ended
            self._busy += going
        try:
            yield going
        finally:
            with self._turn:
                self._busy -= going
                self._turn.notify_all()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that goes away in the middle of an answer is nobody's concern."""
        _LOG.debug("connection broken off", exc_info=True)


class _Handler(BaseHTTPRequestHandler):
    server: PageServer
    protocol_version = "HTTP/1.1"
    server_version = "spotlabel"
    sys_version = ""
    timeout = _SECONDS_OF_SILENCE
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self._unless_ended(self._get)

    def do_POST(self) -> None:
        self._unless_ended(self._post)

    def _unless_ended(self, answer: Callable[[], None]) -> None:
        with self.server.answering() as going:
            if going:
                answer()
            else:
                self.close_connection = True

    def _get(self) -> None:
        target = urlsplit(self.path)
        name = self._admitted(target.path, changing=False)
        if name is None:
            return
        routes = self.server.routes
        if name in routes.files:
            self._send(routes.files[name])
        elif name in routes.get:
            self._send(_answered(lambda: routes.get[name](_parameters(target.query))))
        else:
            self._send(_nothing())

    def _post(self) -> None:
        name = self._admitted(self.path, changing=True)
        body = None if name is None else self._body()
        if name is None or body is None:
            return
        routes = self.server.routes
        if name not in routes.post:
            self._send(_nothing())
            return
        self._send(_answered(lambda: routes.post[name](_object(body))))

    def _admitted(self, path: str, *, changing: bool) -> str | None:
        """The route's name; None, and an answer sent, for whoever has no business here."""
        if self.server.guard.refuses(self.headers, changing=changing):
            self._refuse(json_answer({"error": "not from this page"}, 403))
            return None
        if not changing and self.server.guard.enters(path):
            self._send(Answer(b"", "text/plain", 303), Location=f"/{self.server.guard.token}/")
            return None
        name = self.server.guard.route(path)
        if name is None:
            self._refuse(_nothing())
        return name

    def _body(self) -> bytes | None:
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdecimal() and len(length) <= 12) or int(length) > MOST_BYTES:
            self._refuse(json_answer({"error": f"expected a body of at most {MOST_BYTES} bytes"}, 413))
            return None
        if self.headers.get("Content-Type") != "application/json":
            self._refuse(json_answer({"error": "expected application/json"}, 415))
            return None
        return self.rfile.read(int(length))

    def _refuse(self, answer: Answer) -> None:
        """Answer and hang up: a body that nobody reads would pass for the next request."""
        self.close_connection = True
        self._send(answer)

    def _send(self, answer: Answer, **more: str) -> None:
        self.send_response(answer.status)
        for name, value in {**HEADERS, **more}.items():
            self.send_header(name, value)
        self.send_header("Content-Type", answer.kind)
        self.send_header("Content-Length", str(len(answer.body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(answer.body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the token stands in every address."""


def _nothing() -> Answer:
    return json_answer({"error": "there is nothing here"}, 404)


def _parameters(query: str) -> dict[str, str]:
    return dict(parse_qsl(query, max_num_fields=20))


def _object(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise RequestError(f"not JSON: {one_sentence(error)}") from error
    if not isinstance(value, dict):
        raise RequestError("expected a JSON object")
    return value


def _answered(answer: Any) -> Answer:
    """An answer, whatever happens; the page shows an error's line."""
    try:
        made = answer()
        assert isinstance(made, Answer)
        return made
    except ChangedError as error:
        return json_answer({"error": one_sentence(error), "changed": True}, 409)
    except (SpotlabelError, OSError, ValueError) as error:
        return json_answer({"error": one_sentence(error)}, 400)
    except Exception as error:
        _LOG.exception("the page asked for something that failed")
        return json_answer({"error": f"{type(error).__name__}: {one_sentence(error)}"}, 500)
