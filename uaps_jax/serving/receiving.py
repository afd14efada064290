"""The bodies of requests, within a time."""

from __future__ import annotations

import contextlib
import io
import socket
import time
from http import HTTPStatus

BODY_S = 10.0
"""Within so many seconds of its place a photograph has to be received wholly."""

_DISCARD_S = 10.0


class Refusal(Exception):
    """A request that is not answered as asked.

    Attributes:
      status: of HTTP.
    """

    def __init__(self, status: HTTPStatus, reason: str) -> None:
        super().__init__(status, reason)  # all arguments, so that the error survives pickling
        self.status = status

    def __str__(self) -> str:
        return str(self.args[1])


def body(connection: socket.socket, file: io.BufferedIOBase, length: int) -> bytes:
    """The file of a photograph, of so many bytes.

    Args:
      connection: to the client.
      file: of it, buffered.
      length: that was stated.

    Raises:
      Refusal: it did not come within `BODY_S` seconds, or not as a whole.
    """
    data, end = bytearray(), time.monotonic() + BODY_S
    try:
        while len(data) < length:
            left = end - time.monotonic()
            if left <= 0:
                raise TimeoutError
            connection.settimeout(left)
            part = file.read1(min(length - len(data), 2**20))
            if not part:
                raise Refusal(
                    HTTPStatus.BAD_REQUEST,
                    f"the connection ended after {len(data)} of {length} bytes",
                )
            data += part
    except TimeoutError as error:
        raise Refusal(
            HTTPStatus.REQUEST_TIMEOUT, f"{len(data)} of {length} bytes came within {BODY_S:g} s"
        ) from error
    return bytes(data)


def discard(connection: socket.socket) -> None:
    """Reads what a client still sends: if it is unread at the end, the answer can be lost."""
    end = time.monotonic() + _DISCARD_S
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_WR)
        connection.settimeout(1.0)
        while time.monotonic() < end and connection.recv(2**16):
            pass
