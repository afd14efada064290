"""Which HTTP requests a server for this machine alone answers."""

from __future__ import annotations

from email.message import Message

HOST = "127.0.0.1"


def is_from_here(headers: Message, port: int, *, has_pages: bool) -> bool:
    """Whether a request is by a program of this machine, or by a page of the server itself.

    A browser states the site of the page that asks, as `Origin`, and, where the name of another
    site leads to this machine, that name as `Host`.

    Args:
      headers: of the request.
      port: of the server.
      has_pages: whether the server has pages; without, no request of a page is its own.
    """
    names = (HOST, "localhost")
    hosts = {host for name in names for host in (name, f"{name}:{port}")}
    origins = {None, *(f"http://{name}:{port}" for name in names if has_pages)}
    return headers.get("Host") in hosts and headers.get("Origin") in origins
