"""The HTTP server of a service, for programs on the same machine."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import sys
import threading
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from absl import logging

from uaps_jax.config import ConfigError
from uaps_jax.inference.images import ImageError
from uaps_jax.serving.service import Service
from uaps_jax.training import interrupt

HOST = "127.0.0.1"
DEFAULT_PORT = 8765

MOST_BYTES = 2**28
"""Of a request; a photograph may have as many pixels as `uaps_jax.datasets.common.MOST_PIXELS`."""

AT_ONCE = 4
"""So many requests are read at once; further ones wait."""

_TIMEOUT_S = 10.0  # without a byte from the client
_POLL_S = 0.1


class Server(ThreadingHTTPServer):
    """Answers requests by a service, a thread each; closing it waits for them.

    Args:
      service: judges the photographs.
      port: of this machine; 0 for any free one.

    Raises:
      ConfigError: the port is in use, or may not be used.
    """

    daemon_threads = False

    def __init__(self, service: Service, port: int) -> None:
        self.service = service
        self.places = threading.BoundedSemaphore(AT_ONCE)
        try:
            super().__init__((HOST, port), _Handler)
        except OSError as error:
            raise ConfigError(f"--port={port}: {error.strerror}; choose another one") from error

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Logs why a connection ended without an answer."""
        del request, client_address
        self.service.timings.refuse()
        logging.warning("a connection was lost: %s", sys.exc_info()[1])


def serve(service: Service, port: int) -> None:
    """Serves until SIGTERM or SIGINT; the requests that have begun are answered.

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
            server.server_close()
    numbers = ", ".join(f"{name} {value:g}" for name, value in service.timings.summary().items())
    print(f"stopped: {numbers}", flush=True)


class _Refusal(Exception):
    """A request that is not answered as asked.

    Attributes:
      status: of HTTP.
    """

    def __init__(self, status: HTTPStatus, text: str) -> None:
        super().__init__(text)
        self.status = status


class _Handler(BaseHTTPRequestHandler):
    """Answers one request with JSON, and closes the connection."""

    server: Server
    protocol_version = "HTTP/1.1"  # without it, `Expect: 100-continue` is not answered
    timeout = _TIMEOUT_S

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        if path == "/health":
            self._answer(HTTPStatus.OK, self.server.service.about())
        elif path == "/stats":
            self._answer(HTTPStatus.OK, self.server.service.timings.summary())
        else:
            reason = f"GET {path}: there are /health and /stats; POST a photograph to /"
            self._answer(HTTPStatus.NOT_FOUND, {"error": reason})

    def do_POST(self) -> None:
        service = self.server.service
        with self.server.places:
            try:
                with_mask = self._asks_for_mask()
                answer = service.check(self._body(), with_mask=with_mask)
            except _Refusal as error:
                self._refuse(error.status, str(error))
                self._discard_rest()
            except ImageError as error:
                self._refuse(
                    HTTPStatus.UNPROCESSABLE_ENTITY, f"the photograph is not judged: {error.reason}"
                )
            except TimeoutError:
                reason = f"no byte came for {self.timeout:g} s"
                self._refuse(HTTPStatus.REQUEST_TIMEOUT, reason)
            except OSError:  # the client is gone
                raise
            except Exception as error:
                logging.exception("a photograph could not be judged")
                reason = f"{type(error).__name__}: {error}"
                self._refuse(HTTPStatus.INTERNAL_SERVER_ERROR, reason)
            else:
                entries = service.entries(answer)
                self._answer(HTTPStatus.OK, entries)
                spent, size = answer.milliseconds, answer.result.size
                logging.info(
                    "%s, score %.4g: %d x %d px, %s in batches of %d; decode %.0f ms, network "
                    "%.0f ms, decision %.0f ms",
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

    def _asks_for_mask(self) -> bool:
        """Whether the request asks for the mask, `/?mask=1`.

        Raises:
          _Refusal: it asks for something that there is not.
        """
        parts = urlsplit(self.path)
        asked = parse_qs(parts.query, keep_blank_values=True)
        if parts.path != "/":
            raise _Refusal(HTTPStatus.NOT_FOUND, f"POST {parts.path}: POST a photograph to /")
        if asked not in ({}, {"mask": ["0"]}, {"mask": ["1"]}):
            raise _Refusal(
                HTTPStatus.BAD_REQUEST, f"?{parts.query}: the only parameter is mask=1 or mask=0"
            )
        return asked == {"mask": ["1"]}

    def _body(self) -> bytes:
        """The file of a photograph.

        Raises:
          _Refusal: its length is not stated, too large, or not that of the body.
        """
        stated = self.headers.get("Content-Length", "")
        if not re.fullmatch("[0-9]{1,15}", stated):
            raise _Refusal(
                HTTPStatus.LENGTH_REQUIRED,
                "the header Content-Length has to state the number of bytes of the photograph",
            )
        length = int(stated)
        if length > MOST_BYTES:
            raise _Refusal(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                f"the photograph has {length} bytes; at most {MOST_BYTES} are read",
            )
        data = self.rfile.read(length)
        if len(data) < length:
            raise _Refusal(
                HTTPStatus.BAD_REQUEST,
                f"the connection ended after {len(data)} of {length} bytes",
            )
        return data

    def _refuse(self, status: HTTPStatus, reason: str) -> None:
        self.server.service.timings.refuse()
        logging.warning("refused: %s", reason)
        self._answer(status, {"error": reason})

    def _discard_rest(self) -> None:
        """Reads what the client still sends: if it is unread at the end, the answer can be lost."""
        end = time.monotonic() + _TIMEOUT_S
        with contextlib.suppress(OSError):
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_WR)
            self.connection.settimeout(1.0)
            while time.monotonic() < end and self.rfile.read(2**16):
                pass

    def _answer(self, status: int, entries: dict[str, Any]) -> None:
        body = (json.dumps(entries) + "\n").encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answers what this class has no method for, and damaged requests."""
        del explain
        self._answer(code, {"error": message or HTTPStatus(code).phrase})

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: each photograph has a line of its own."""
        del format, args
