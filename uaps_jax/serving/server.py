"""The HTTP server of a service, for programs on the same machine."""

from __future__ import annotations

import contextlib
import json
import re
import sys
import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from absl import logging

from uaps_jax.config import ConfigError
from uaps_jax.inference.images import ImageError
from uaps_jax.local_http import HOST, is_from_here
from uaps_jax.serving import receiving
from uaps_jax.serving.places import Places
from uaps_jax.serving.receiving import Refusal
from uaps_jax.serving.service import Service
from uaps_jax.training import interrupt

DEFAULT_PORT = 8765

MOST_BYTES = 2**28
"""Of a request; a photograph may have as many pixels as `uaps_jax.datasets.common.MOST_PIXELS`."""

_IDLE_S = 10.0  # without a byte from the client
_POLL_S = 0.1


class Server(ThreadingHTTPServer):
    """Answers requests by a service, a thread each.

    Args:
      service: judges the photographs.
      port: of this machine; 0 for any free one.

    Raises:
      ConfigError: the port is in use, or may not be used.
    """

    daemon_threads = True  # a client that sends slowly does not hold up the end

    def __init__(self, service: Service, port: int) -> None:
        self.service = service
        self.places = Places()
        try:
            super().__init__((HOST, port), _Handler)
        except OSError as error:
            raise ConfigError(f"--port={port}: {error.strerror}; choose another one") from error

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Logs why a connection ended before there was a request."""
        del request, client_address
        error = sys.exc_info()[1]
        if isinstance(error, ConnectionError):
            logging.warning("a connection was lost: %s", error)
        else:
            logging.exception("a connection failed")


def serve(service: Service, port: int) -> None:
    """Serves until SIGTERM or SIGINT; the photographs that were received are answered.

    Raises:
      ConfigError: as `Server`.
    """
    server = Server(service, port)
    with interrupt.catch_signals(True) as stop:
        thread = threading.Thread(target=server.serve_forever, args=(_POLL_S,))
        thread.start()
        try:
            print(f"serving on http://{HOST}:{server.server_port}/", flush=True)
            while stop.number is None:
                time.sleep(_POLL_S)
        finally:
            server.shutdown()
            thread.join()
            server.places.finish()
            server.server_close()
    numbers = ", ".join(f"{name} {value:g}" for name, value in service.timings.summary().items())
    print(f"stopped: {numbers}", flush=True)


class _Handler(BaseHTTPRequestHandler):
    """Answers one request with JSON, and closes the connection."""

    server: Server
    protocol_version = "HTTP/1.1"  # without it, `Expect: 100-continue` is not answered
    timeout = _IDLE_S

    def do_GET(self) -> None:
        self._respond(self._told)

    def do_POST(self) -> None:
        self._respond(self._judged)

    def _respond(self, found: Callable[[contextlib.ExitStack], dict[str, Any]]) -> None:
        """Answers with what a function finds; the stack that it gets ends after the answer."""
        with contextlib.ExitStack() as until_answered:
            try:
                if not is_from_here(self.headers, self.server.server_port, has_pages=False):
                    raise Refusal(
                        HTTPStatus.FORBIDDEN,
                        "only programs on this machine are answered: the header Host has to be "
                        f"{HOST} or localhost, and there may be no header Origin, by which a "
                        "browser names a page",
                    )
                body = _encoded(found(until_answered))
            except Refusal as error:
                self._refuse(error.status, str(error))
            except ConnectionError as error:
                self.server.service.timings.refuse()
                logging.warning("a client went away: %s", error)
                self.close_connection = True
            except Exception as error:
                logging.exception("a request could not be answered")
                reason = f"{type(error).__name__}: {error}"
                self._refuse(HTTPStatus.INTERNAL_SERVER_ERROR, reason)
            else:
                self._send(HTTPStatus.OK, body)

    def _told(self, until_answered: contextlib.ExitStack) -> dict[str, Any]:
        """The answer about the service."""
        del until_answered
        path = urlsplit(self.path).path
        if path == "/health":
            return self.server.service.about()
        if path == "/stats":
            return self.server.service.timings.summary()
        raise Refusal(
            HTTPStatus.NOT_FOUND,
            f"GET {path}: there are /health and /stats; POST a photograph to /",
        )

    def _judged(self, until_answered: contextlib.ExitStack) -> dict[str, Any]:
        """The answer about the photograph of the request."""
        service, arrived = self.server.service, time.perf_counter()
        with_mask, length = self._asks_for_mask(), self._length()
        with self.server.places.taken():
            waited = time.perf_counter() - arrived
            data = receiving.body(self.connection, self.rfile, length)
            until_answered.enter_context(self.server.places.received())
            try:
                answer = service.check(data, with_mask=with_mask, waited=waited)
            except ImageError as error:
                raise Refusal(
                    HTTPStatus.UNPROCESSABLE_ENTITY, f"the photograph is not judged: {error.reason}"
                ) from error
        entries = service.entries(answer)
        spent, size = answer.milliseconds, answer.result.size
        logging.info(
            "%s, score %.4g: %d x %d px, %s in batches of %d; decode %.0f ms, network %.0f ms, "
            "decision %.0f ms",
            answer.result.verdict or "no verdict",
            answer.result.score,
            size[1],
            size[0],
            f"{answer.tiles} tile{'s' * (answer.tiles != 1)}",
            entries["batch"],
            spent.decode,
            spent.network,
            spent.decision,
        )
        return entries

    def _asks_for_mask(self) -> bool:
        """Whether the request asks for the mask, `/?mask=1`.

        Raises:
          Refusal: it asks for something that there is not.
        """
        parts = urlsplit(self.path)
        asked = parse_qs(parts.query, keep_blank_values=True)
        if parts.path != "/":
            raise Refusal(HTTPStatus.NOT_FOUND, f"POST {parts.path}: POST a photograph to /")
        if asked not in ({}, {"mask": ["0"]}, {"mask": ["1"]}):
            raise Refusal(
                HTTPStatus.BAD_REQUEST, f"?{parts.query}: the only parameter is mask=1 or mask=0"
            )
        return asked == {"mask": ["1"]}

    def _length(self) -> int:
        """The number of bytes of the photograph.

        Raises:
          Refusal: it is not stated, or too large.
        """
        stated = self.headers.get("Content-Length", "")
        if not re.fullmatch("[0-9]{1,15}", stated):
            raise Refusal(
                HTTPStatus.LENGTH_REQUIRED,
                "the header Content-Length has to state the number of bytes of the photograph",
            )
        if int(stated) > MOST_BYTES:
            raise Refusal(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                f"the photograph has {int(stated)} bytes; at most {MOST_BYTES} are read",
            )
        return int(stated)

    def _refuse(self, status: int, reason: str) -> None:
        self.server.service.timings.refuse()
        logging.warning("refused: %s", reason)
        self._send(status, _encoded({"error": reason}))
        receiving.discard(self.connection)

    def _send(self, status: int, body: bytes) -> None:
        try:
            self.connection.settimeout(self.timeout)
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Connection", "close")
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)
        except OSError as error:  # the client is gone, or does not read
            logging.warning("an answer was not taken: %s", error)
            self.close_connection = True

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answers methods that this class does not have, and damaged requests."""
        del explain
        if code == HTTPStatus.NOT_IMPLEMENTED:
            message = f"{self.command}: GET /health or /stats, or POST a photograph to /"
        self._refuse(code, message or HTTPStatus(code).phrase)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: each photograph has a line of its own."""
        del format, args


def _encoded(entries: dict[str, Any]) -> bytes:
    """As JSON, which has no NaN."""
    return (json.dumps(entries, allow_nan=False) + "\n").encode()
