"""A process that serves the page of a queue, without the seconds that JAX takes to start."""

import subprocess
import sys
from pathlib import Path

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
