"""Processes that are timed in turns: this project and PyTorch, in one run.

Each side is a process of its own that waits while another works. A request is one JSON line on
its standard input, an answer one on its standard output.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from typing import Any

from uaps_jax.command_line import huge_pages

METHODS = {"uaps": "UAPS", "fixmatch": "FixMatch"}
"""The methods whose step is timed, with their titles."""

WEIGHTS = (0.1, 0.1)  # of pseudo-labels and of uncertainty in the loss of UAPS, likewise

Handler = Callable[..., Any]


class Side:
    """A process that answers requests by name."""

    def __init__(self, module: str, arguments: list[str]) -> None:
        """Starts `python -m module *arguments`."""
        command = [sys.executable, "-m", module, *arguments]
        # As `run.py` sets it for itself; the same for both sides.
        environment = os.environ | {"GLIBC_TUNABLES": huge_pages.SETTING}
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


class Sides(dict[str, Side]):
    """Sides by name; all processes end with the `with` block, even if one of them fails."""

    def __enter__(self) -> Sides:
        return self

    def __exit__(self, *error: Any) -> None:
        stack = contextlib.ExitStack()
        for side in self.values():
            stack.callback(side.close)
        stack.__exit__(*error)

    def ask(self, name: str, **values: Any) -> dict[str, Any]:
        """Sends a request to each side in turn; their answers by name."""
        return {key: side.ask(name, **values) for key, side in self.items()}

    def turns(self, rounds: int, name: str, **values: Any) -> dict[str, list[float]]:
        """Asks for times in turns, round after round; all times of each side."""
        times: dict[str, list[float]] = {key: [] for key in self}
        for _ in range(rounds):
            for key, seconds in self.ask(name, **values).items():
                times[key] += seconds
        return times


def serve(handlers: Mapping[str, Handler]) -> None:
    """Answers requests until the input ends."""
    for line in sys.stdin:
        request = json.loads(line)
        answer = handlers[request.pop("name")](**request)
        print(f"answer {json.dumps(answer)}", flush=True)
