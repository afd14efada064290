"""Two real processes on this machine train as one does."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

from tests.training import worker
from uaps_jax.training import processes, sharding

PROJECT = Path(__file__).resolve().parents[2]
STEPS = 20


def free_port():
    with socket.socket() as listening:
        listening.bind(("localhost", 0))
        return listening.getsockname()[1]


def together(out, method, dtype):
    place = f"localhost:{free_port()}"
    environment = os.environ | {
        "JAX_PLATFORMS": "cpu",
        "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",
        "JAX_COMPILATION_CACHE_DIR": jax.config.jax_compilation_cache_dir,
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    }
    command = [sys.executable, "-m", "tests.training.worker", f"--method={method}"]
    command += [f"--dtype={dtype}", f"--steps={STEPS}", f"--coordinator={place}", "--processes=2"]
    started = [
        subprocess.Popen(
            [*command, f"--process={index}", f"--out={out}"],
            cwd=PROJECT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for index in range(2)
    ]
    for process in started:
        text, _ = process.communicate(timeout=400)
        assert process.returncode == 0, text[-3000:]
    with np.load(out) as file:
        return [file[name] for name in file.files]


def test_two_processes_equal_one_device_after_twenty_steps(tmp_path):
    result = together(tmp_path / "params.npz", "uaps", "float64")
    with jax.enable_x64(True):
        alone = worker.take("uaps", "float64", STEPS, sharding.over_devices(1))
    for a, b in zip(result, jax.tree.leaves(alone), strict=True):
        assert a.dtype == np.float64
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-8)


@pytest.mark.parametrize("devices", [2, 4])
def test_several_devices_equal_one_after_twenty_steps(devices):
    with jax.enable_x64(True):
        one, several = (
            worker.take("uaps", "float64", STEPS, sharding.over_devices(n)) for n in (1, devices)
        )
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=0, atol=1e-8), one, several)


def test_one_process_is_the_first_and_waits_for_nobody():
    assert processes.is_first()
    processes.wait("nobody")
