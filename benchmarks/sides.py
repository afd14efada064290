"""Two processes that take turns: the project and its PyTorch peer, timed in one run.

Each side is a process of its own that waits while the other works. A request is one JSON line on
its standard input, an answer one on its standard output.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from typing import Any

HUGE_PAGES = "glibc.malloc.hugetlb=1"  # as `run.py` sets it for itself; both sides have them

Handler = Callable[..., Any]


class Side:
    """A process that answers requests by name."""

    def __init__(self, module: str, arguments: list[str]) -> None:
        """Starts `python -m module *arguments`."""
        command = [sys.executable, "-m", module, *arguments]
        environment = os.environ | {"GLIBC_TUNABLES": HUGE_PAGES}
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )

    def ask(self, name: str, **values: Any) -> Any:
        """Sends a request and waits for its answer.

        Raises:
          RuntimeError: the process ended instead.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"name": name, **values}) + "\n")
        self._process.stdin.flush()
        for line in self._process.stdout:
            if line.startswith("answer "):
                return json.loads(line.removeprefix("answer "))
        raise RuntimeError(f"the process ended with status {self._process.wait()}")

    def close(self) -> None:
        """Ends the process.

        Raises:
          RuntimeError: it failed.
        """
        assert self._process.stdin is not None
        self._process.stdin.close()
        if status := self._process.wait():
            raise RuntimeError(f"{self._process.args!r} ended with status {status}")


def serve(handlers: Mapping[str, Handler]) -> None:
    """Answers requests until the input ends."""
    for line in sys.stdin:
        request = json.loads(line)
        answer = handlers[request.pop("name")](**request)
        print(f"answer {json.dumps(answer)}", flush=True)
