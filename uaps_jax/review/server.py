"""The server of the page: on this machine alone, and only for those who know its address."""

from __future__ import annotations

import hmac
import json
import secrets
import signal
from collections.abc import Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

import numpy as np

from uaps_jax.config import ConfigError
from uaps_jax.datasets.common import UnreadableError
from uaps_jax.labels import IGNORE
from uaps_jax.local_http import HOST, is_from_here
from uaps_jax.review import shown
from uaps_jax.review.decisions import ACTIONS, Decisions, Stale

SECONDS = 60  # without a byte, after which a connection is closed

_PAGES = {
    "": ("page.html", "text/html; charset=utf-8"),
    "page.css": ("page.css", "text/css; charset=utf-8"),
    **{
        f"{name}.js": (f"{name}.js", "text/javascript; charset=utf-8")
        for name in ("page", "mask", "view", "requests", "controls", "painting")
    },
}
_PICTURES = {"photograph": ("jpg", "image/jpeg"), "uncertainty": ("png", "image/png")}
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class Refused(Exception):
    """A request that is not answered; its text is shown."""

    def __init__(self, status: HTTPStatus, reason: str) -> None:
        super().__init__(status, reason)  # all arguments, so that the error survives pickling
        self.status = status

    def __str__(self) -> str:
        return str(self.args[1])


class Server(ThreadingHTTPServer):
    """Serves the page of a queue at a port of 127.0.0.1 that the system chooses.

    Attributes:
      decisions: on the queue.
      token: a random part of the address; requests without it are refused.
    """

    daemon_threads = True

    def __init__(self, decisions: Decisions) -> None:
        """Opens the port; `serve_forever` answers."""
        super().__init__((HOST, 0), _Handler)
        self.decisions = decisions
        self.token = secrets.token_urlsafe(32)

    @property
    def address(self) -> str:
        """Of the page."""
        return f"http://{HOST}:{self.server_port}/{self.token}/"


class _Handler(BaseHTTPRequestHandler):
    """Answers one connection."""

    server: Server
    protocol_version = "HTTP/1.1"
    server_version = "uaps-jax"
    sys_version = ""
    timeout: ClassVar[int] = SECONDS

    def do_GET(self) -> None:
        """Answers with the page or what it loads."""
        self._answer("GET")

    def do_POST(self) -> None:
        """Changes the decision on an image."""
        self._answer("POST")

    def log_message(self, format: str, *arguments: object) -> None:
        """Nothing: a log would have the token."""

    def _answer(self, method: str) -> None:
        try:
            parts = self._checked_path()
            if method == "GET":
                self._get(parts)
            else:
                self._post(parts)
        except Refused as refused:
            # What is left of the request is not read.
            self.close_connection = True
            self._send(str(refused).encode(), "text/plain; charset=utf-8", refused.status)
        except (ConnectionError, TimeoutError):
            self.close_connection = True
        except (UnreadableError, OSError, ConfigError) as error:
            self.close_connection = True
            status = HTTPStatus.INTERNAL_SERVER_ERROR
            self._send(str(error).encode(), "text/plain; charset=utf-8", status)

    def _checked_path(self) -> list[str]:
        """The parts of the path behind the token.

        Raises:
          Refused: the request is for another host, or from another site, or has no token.
        """
        try:
            path = urlsplit(self.path).path.removeprefix("/")
        except ValueError as error:
            raise Refused(HTTPStatus.BAD_REQUEST, f"no address: {error}") from error
        token, _, rest = path.partition("/")
        if (
            not is_from_here(self.headers, self.server.server_port, has_pages=True)
            or not hmac.compare_digest(token.encode(), self.server.token.encode())
            or "/" not in path
        ):
            raise Refused(HTTPStatus.FORBIDDEN, "use the address that the program printed")
        return rest.split("/")

    def _get(self, parts: list[str]) -> None:
        if len(parts) == 1 and parts[0] in _PAGES:
            name, kind = _PAGES[parts[0]]
            self._send((Path(__file__).parent / name).read_bytes(), kind)
        elif parts == ["state"]:
            self._send_json(shown.state(self.server.decisions))
        elif len(parts) == 2 and parts[0] in _PICTURES:
            suffix, kind = _PICTURES[parts[0]]
            queue = self.server.decisions.queue
            name = queue.entries[self._rank(parts[1]) - 1].name
            content = (queue.folder / parts[0] / f"{name}.{suffix}").read_bytes()
            self._send(content, kind, cached=True)
        elif len(parts) == 2 and parts[0] in ("mask", "proposal"):
            decisions, rank = self.server.decisions, self._rank(parts[1])
            mask = decisions.mask(rank) if parts[0] == "mask" else decisions.proposal(rank)
            self._send(mask.tobytes(), "application/octet-stream")
        else:
            raise Refused(HTTPStatus.NOT_FOUND, "there is no such page")

    def _post(self, parts: list[str]) -> None:
        if len(parts) != 2 or parts[0] != "decide":
            raise Refused(HTTPStatus.NOT_FOUND, "there is no such page")
        rank = self._rank(parts[1])
        query = parse_qs(urlsplit(self.path).query)
        asked, version = (query.get(name, [""])[0] for name in ("action", "version"))
        action = next((known for known in ACTIONS if known == asked), None)
        if action is None or not _is_number(version):
            raise Refused(HTTPStatus.BAD_REQUEST, f"action {asked!r}, version {version[:20]!r}")
        mask = self._mask(rank)
        try:
            self.server.decisions.change(rank, action, int(version), mask)
        except Stale:
            self._send_json(shown.image(self.server.decisions, rank), HTTPStatus.CONFLICT)
            return
        self._send_json(shown.image(self.server.decisions, rank))

    def _rank(self, text: str) -> int:
        entries = self.server.decisions.queue.entries
        if not _is_number(text) or not 1 <= int(text) <= len(entries):
            raise Refused(HTTPStatus.NOT_FOUND, f"the queue has the images 1 to {len(entries)}")
        return int(text)

    def _mask(self, rank: int) -> np.ndarray | None:
        """The class ids of the request, `[H, W]`; None if it has no body.

        Raises:
          Refused: they are of another number than the pixels of the image, or of no class.
        """
        queue = self.server.decisions.queue
        entry = queue.entries[rank - 1]
        length = self.headers.get("Content-Length", "")
        if not _is_number(length) or "Transfer-Encoding" in self.headers:
            raise Refused(HTTPStatus.LENGTH_REQUIRED, "the length of the mask must be given")
        if int(length) == 0:
            return None
        pixels = entry.width * entry.height
        if int(length) != pixels:
            reason = f"a mask of {int(length)} bytes, for {entry.width} x {entry.height} pixels"
            raise Refused(HTTPStatus.BAD_REQUEST, reason)
        content = self.rfile.read(pixels)
        if len(content) != pixels:
            raise Refused(HTTPStatus.BAD_REQUEST, "the mask was cut off")
        mask = np.frombuffer(content, np.uint8).reshape(entry.height, entry.width)
        wrong = (mask >= len(queue.class_names)) & (mask != IGNORE)
        if wrong.any():
            raise Refused(HTTPStatus.BAD_REQUEST, f"{mask[wrong][0]} is the id of no class")
        return mask

    def _send_json(self, value: Mapping[str, Any], status: HTTPStatus = HTTPStatus.OK) -> None:
        self._send(json.dumps(value).encode(), "application/json", status)

    def _send(
        self, content: bytes, kind: str, status: HTTPStatus = HTTPStatus.OK, *, cached: bool = False
    ) -> None:
        self.send_response(status)
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        self.send_header("Cache-Control", "private, max-age=3600" if cached else "no-store")
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(content)


def _is_number(text: str) -> bool:
    """Whether it is a whole number of at most ten digits."""
    return text.isascii() and text.isdecimal() and len(text) <= 10


def serve(decisions: Decisions) -> None:
    """Prints the address of the page, and answers until SIGINT or SIGTERM.

    A program that a shell starts in the background ignores SIGINT, unless it asks for it.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.default_int_handler)
    with Server(decisions) as server:
        print(f"open this address in a browser: {server.address}", flush=True)
        print("Ctrl-C ends it; every decision is saved at once.", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print()
