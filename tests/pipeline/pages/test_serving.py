"""The server of pages: who is answered, and what can be asked for at all."""

from __future__ import annotations

import http.client
import json
import socket
import threading
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest

from spotlabel.pipeline.errors import SpotlabelError
from spotlabel.pipeline.pages.serving.answer import (
    Answer,
    ChangedError,
    Query,
    RequestError,
    Routes,
    json_answer,
    planes_answer,
    whole,
)
from spotlabel.pipeline.pages.serving.server import MOST_BYTES, PageServer, PortError
from tests.helpers.tuning import until


def _fails(_asked: object) -> Answer:
    raise SpotlabelError("line one\nline two")


def _changed(_asked: object) -> Answer:
    raise ChangedError("something changed")


def _breaks(_asked: object) -> Answer:
    raise KeyError("not foreseen")


ROUTES = Routes(
    get={
        "told": lambda query: json_answer(dict(query)),
        "fails": _fails,
        "changed": _changed,
        "breaks": _breaks,
    },
    post={"done": lambda asked: json_answer({"got": asked})},
    files={"": Answer(b"the page", "text/html; charset=utf-8")},
)


@pytest.fixture(scope="module")
def server() -> Iterator[PageServer]:
    made = PageServer(0)
    thread = threading.Thread(target=made.serve, args=(ROUTES,), daemon=True)
    thread.start()
    yield made
    made.shutdown()
    thread.join(10)
    assert not thread.is_alive()


def ask(
    server: PageServer, path: str, headers: Mapping[str, str | None] | None = None, body: bytes | None = None
) -> tuple[int, dict[str, str], bytes]:
    """One request; headers of None are left out."""
    port = server.server_address[1]
    sent: dict[str, str | None] = {"Host": f"127.0.0.1:{port}"}
    if body is not None:
        sent |= {"Origin": f"http://127.0.0.1:{port}", "Content-Type": "application/json"}
        sent["Content-Length"] = str(len(body))
    sent |= headers or {}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.putrequest("GET" if body is None else "POST", path, skip_host=True, skip_accept_encoding=True)
    for name, value in sent.items():
        if value is not None:
            connection.putheader(name, value)
    connection.endheaders(body)
    answer = connection.getresponse()
    found = answer.status, dict(answer.headers.items()), answer.read()
    connection.close()
    return found


def path(server: PageServer, rest: str = "") -> str:
    return f"/{server.guard.token}/{rest}"


def test_the_page_is_given_to_who_knows_the_address(server: PageServer) -> None:
    assert server.guard.address == f"http://127.0.0.1:{server.server_address[1]}/{server.guard.token}/"
    assert server.server_address[0] == "127.0.0.1"
    assert len(server.guard.token) >= 32
    status, headers, body = ask(server, path(server))
    assert (status, body) == (200, b"the page")
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cache-Control"] == "no-store"
    assert "Access-Control-Allow-Origin" not in headers


def test_tokens_are_new_each_time() -> None:
    tokens = set()
    for _ in range(3):
        other = PageServer(0)
        other.server_close()
        tokens.add(other.guard.token)
    assert len(tokens) == 3


@pytest.mark.parametrize("wrong", ["", "x", "{t}x", "{t}/../{t}", "%2e/{t}", "{T}"])
def test_another_token_gets_nothing(server: PageServer, wrong: str) -> None:
    token = server.guard.token
    told = wrong.format(t=token, T=token.swapcase())
    for rest in ("/", "/told", ""):
        assert ask(server, f"/{told}{rest}")[0] == 404


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:{p}", "127.0.0.1", "127.0.0.1:1", "[::1]:{p}", "127.0.0.1:{p}.evil", None],
)
def test_another_name_for_this_host_gets_nothing(server: PageServer, host: str | None) -> None:
    """A name that someone else controls can be pointed at 127.0.0.1 (DNS rebinding)."""
    told = host and host.format(p=server.server_address[1])
    assert ask(server, path(server), {"Host": told})[0] in (400, 403)
    assert ask(server, path(server, "done"), {"Host": told}, b"{}")[0] in (400, 403)


def test_localhost_is_this_host(server: PageServer) -> None:
    port = server.server_address[1]
    assert ask(server, path(server), {"Host": f"localhost:{port}"})[0] == 200
    body = {"Host": f"localhost:{port}", "Origin": f"http://localhost:{port}"}
    assert ask(server, path(server, "done"), body, b"{}")[0] == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "https://127.0.0.1:{p}"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
    ids=str,
)
def test_another_origin_gets_nothing(server: PageServer, headers: dict[str, str]) -> None:
    told = {name: value.format(p=server.server_address[1]) for name, value in headers.items()}
    assert ask(server, path(server, "told"), told)[0] == 403
    assert ask(server, path(server, "done"), told, b"{}")[0] == 403


def test_what_changes_something_has_to_say_where_it_comes_from(server: PageServer) -> None:
    assert ask(server, path(server, "done"), {}, b'{"a":[1]}')[2] == b'{"got":{"a":[1]}}'
    assert ask(server, path(server, "done"), {"Origin": None}, b"{}")[0] == 403
    assert ask(server, path(server, "done"), {"Content-Type": "text/plain"}, b"{}")[0] == 415
    assert ask(server, path(server, "done"))[0] == 404  # with GET
    assert ask(server, path(server, "told"), {}, b"{}")[0] == 404


@pytest.mark.parametrize(
    "rest",
    [
        "../../etc/passwd", "asset/../../../pyproject.toml", "%2e%2e/%2e%2e/etc/passwd", "/etc/passwd",
        "asset/", "told/", "done", "..%5c..%5cetc", "told%00", "\x7f",
    ],
)  # fmt: skip
def test_nothing_on_the_disk_has_an_address(server: PageServer, rest: str) -> None:
    port = server.server_address[1]
    with socket.create_connection(("127.0.0.1", port), 20) as line:
        line.sendall(f"GET {path(server, rest)} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
        answer = line.recv(100)
    assert answer.split(b" ")[1] in (b"404", b"400")


@pytest.mark.parametrize("length", ["-1", "x", str(MOST_BYTES + 1), "9" * 400, "0" * 12 + str(2**40), None])
def test_bodies_have_a_length_that_is_allowed(server: PageServer, length: str | None) -> None:
    assert ask(server, path(server, "done"), {"Content-Length": length}, b"{}")[0] == 413


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff", b"[" * 100_000])
def test_bodies_that_are_no_object(server: PageServer, body: bytes) -> None:
    status, _, told = ask(server, path(server, "done"), {}, body)
    assert status == 400
    assert "error" in json.loads(told)


def test_errors_are_a_line_for_the_page(server: PageServer) -> None:
    assert ask(server, path(server, "fails"))[::2] == (400, b'{"error":"line one line two"}')
    assert ask(server, path(server, "changed"))[::2] == (409, b'{"error":"something changed","changed":true}')
    status, _, told = ask(server, path(server, "breaks"))
    assert status == 500
    assert b"KeyError" in told


def test_a_door_leads_to_the_page_once(server: PageServer) -> None:
    """A browser's command line, which holds the address it is given, can be read by every user."""
    door = server.guard.door()
    assert server.guard.token not in door
    way = "/" + door.split("/", 3)[3]
    port = server.server_address[1]
    assert ask(server, way, {"Host": f"evil.example:{port}"})[0] == 403
    assert ask(server, way, {"Sec-Fetch-Site": "cross-site"})[0] == 403
    assert ask(server, way, {}, b"{}")[0] == 404
    assert ask(server, f"{way}told")[0] == 404
    status, headers, body = ask(server, way)
    assert (status, headers["Location"], body) == (303, path(server), b"")
    assert ask(server, way)[0] == 404
    assert ask(server, server.guard.door().removeprefix(f"http://127.0.0.1:{port}"))[0] == 303


def test_more_parameters_than_any_page_has(server: PageServer) -> None:
    status, _, told = ask(server, path(server, "told?" + "&".join(f"a{n}=1" for n in range(30))))
    assert status == 400
    assert "error" in json.loads(told)


def test_parameters(server: PageServer) -> None:
    assert json.loads(ask(server, path(server, "told?a=1&b=%3Cx%3E"))[2]) == {"a": "1", "b": "<x>"}


@pytest.mark.parametrize("value", [-1, 3, True, "3", "-1", "x", "", None, 1.0, "9" * 99, "0" * 12 + "2", "١"])
def test_whole_numbers_within_bounds(value: Any) -> None:
    with pytest.raises(RequestError, match="whole number from 0 to 2"):
        whole({"a": value}, "a", 3)


def test_whole_numbers() -> None:
    assert (whole({"a": 2}, "a", 3), whole({"a": "2"}, "a", 3)) == (2, 2)


def test_numbers_that_json_has_not_are_null() -> None:
    assert json.loads(json_answer({"a": float("nan"), "b": np.array([1.5, np.inf])}).body) == {
        "a": None,
        "b": [1.5, None],
    }


def test_arrays_begin_behind_the_facts() -> None:
    body = planes_answer({"n": 1}, [np.array([[1, 2]], np.uint8), np.array([515], "<u2")]).body
    length = int.from_bytes(body[:4], "little")
    assert length % 4 == 0
    assert json.loads(body[4 : 4 + length]) == {"n": 1}
    assert body[4 + length :] == b"\x01\x02\x03\x02"


def test_a_port_that_is_taken(server: PageServer) -> None:
    with pytest.raises(PortError, match=r"--port \d+: .*; leave it out for a free one"):
        PageServer(server.server_address[1])


def test_a_page_that_ends_finishes_what_it_answers_and_begins_nothing() -> None:
    """A thread that is inside a library when the interpreter ends would take the process down."""
    begun, go = threading.Event(), threading.Event()

    def slow(_query: Query) -> Answer:
        begun.set()
        assert go.wait(30)
        return json_answer({"slow": True})

    server = PageServer(0)
    serving = threading.Thread(target=server.serve, args=(Routes({"slow": slow}, {}, {}),), daemon=True)
    serving.start()
    place = urlsplit(server.guard.address)
    kept, other = (
        http.client.HTTPConnection(place.hostname or "", place.port or 0, timeout=30) for _ in range(2)
    )
    other.request("GET", f"{place.path}nothing")
    assert other.getresponse().read()
    kept.request("GET", f"{place.path}slow")
    assert begun.wait(30)
    threading.Thread(target=server.shutdown, daemon=True).start()
    until(lambda: server._ended)
    other.request("GET", f"{place.path}slow")  # its connection stands still
    with pytest.raises((http.client.HTTPException, OSError)):
        other.getresponse()
    assert serving.is_alive()
    go.set()
    assert json.loads(kept.getresponse().read()) == {"slow": True}
    serving.join(30)
    assert not serving.is_alive()
