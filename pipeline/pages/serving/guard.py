"""Who may ask: the browser of this machine that was given the address, on its own page's behalf alone.

A web page open beside ours can send requests to any address, this one too, and a name that its owner controls
can be pointed at 127.0.0.1 (DNS rebinding) so that the browser takes ours for its own. So a request is
answered only if it names this very host and port, comes from no other origin, and knows the token, which
stands in the address and nowhere else.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping
from email.message import Message

HOST = "127.0.0.1"
_NAMES = (HOST, "localhost")
HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""Of every answer: nothing from other places, no frame around us, no address told to anyone, nothing kept."""


class Guard:
    """Judges requests.

    Args:
        port: that the server listens to.
    """

    def __init__(self, port: int) -> None:
        self.token = secrets.token_urlsafe(24)
        self._hosts = {f"{name}:{port}" for name in _NAMES}
        self._origins = {f"http://{host}" for host in self._hosts}
        self._here = f"http://{HOST}:{port}/"
        self.address = f"{self._here}{self.token}/"
        self._doors: list[str] = []

    def door(self) -> str:
        """An address that leads to the page once, for a browser's command line, which every user can read."""
        self._doors.append(secrets.token_urlsafe(24))
        return f"{self._here}{self._doors[-1]}/"

    def enters(self, path: str) -> bool:
        """Whether a path is a door that nobody went through yet; it is none from now on."""
        for door in list(self._doors):
            if hmac.compare_digest(path.encode("utf-8", "replace"), f"/{door}/".encode()):
                try:
                    self._doors.remove(door)
                except ValueError:  # another request was faster
                    return False
                return True
        return False

    def refuses(self, headers: Message, *, changing: bool) -> bool:
        """Whether a request does not come from a page of ours.

        Args:
            headers: of the request.
            changing: the request asks for more than to be told: then it has to say where it comes from.
        """
        hosts, origins = headers.get_all("Host", []), headers.get_all("Origin", [])
        if len(hosts) != 1 or hosts[0] not in self._hosts:
            return True
        if len(origins) > 1 or (changing and not origins):
            return True
        if headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
            return True
        return bool(origins) and origins[0] not in self._origins

    def route(self, path: str) -> str | None:
        """What a path asks for, the token taken off; None if it does not begin with the token."""
        first, _, rest = path.removeprefix("/").partition("/")
        known = hmac.compare_digest(first.encode("utf-8", "replace"), self.token.encode())
        return rest if path.startswith("/") and known else None
