"""The server of a queue: requests, and a process that starts without the seconds of JAX."""

import http.client
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

PROJECT = Path(__file__).resolve().parents[2]
SERVE = """
import sys
from pathlib import Path
from uaps_jax.annotation_queue import entry
from uaps_jax.review import server
from uaps_jax.review.decisions import Decisions
decisions = Decisions(entry.read(Path(sys.argv[1])))
decisions.complete()
server.serve(decisions)
"""


class Client:
    """Requests to the address of a page."""

    def __init__(self, address):
        self.url = urlsplit(address)

    def ask(self, path, method="GET", body=None, headers=(), token=None):
        connection = http.client.HTTPConnection(self.url.hostname, self.url.port, timeout=20)
        try:
            root = self.url.path if token is None else token
            connection.request(method, root + path, body, dict(headers))
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def decide(self, rank, action, version=0, body=None, **more):
        path = f"decide/{rank}?action={action}&version={version}"
        return self.ask(path, "POST", body if body is None else body.tobytes(), **more)


def start(folder):
    """The process, and the address of its page."""
    process = subprocess.Popen(
        [sys.executable, "-c", SERVE, folder], cwd=PROJECT, stdout=subprocess.PIPE, text=True
    )
    return process, process.stdout.readline().split()[-1]


def end(process, number):
    """Sends a signal, and returns the exit status."""
    process.send_signal(number)
    status = process.wait(20)
    process.stdout.close()
    return status
