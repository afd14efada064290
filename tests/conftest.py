"""JAX settings of the test run, made before anything is computed, and shared fixtures."""

import gc
import os
import subprocess
import tempfile
from pathlib import Path

import jax
import pytest

from uaps_jax.training import sharding

# One folder a session: the same program, traced again from another closure or in another process of
# pytest, is not compiled again. The processes of pytest-xdist inherit the name of the folder.
COMPILED = "UAPS_JAX_TESTS_COMPILED"
if COMPILED not in os.environ:
    FOLDER = tempfile.TemporaryDirectory(prefix="uaps_jax_tests_", ignore_cleanup_errors=True)
    os.environ[COMPILED] = FOLDER.name

for option, value in {
    "jax_platforms": "cpu",
    "jax_num_cpu_devices": 4,
    "jax_disable_most_optimizations": True,
    "jax_numpy_rank_promotion": "raise",
    "jax_compilation_cache_dir": os.environ[COMPILED],
    "jax_persistent_cache_min_compile_time_secs": 0.0,
    "jax_persistent_cache_min_entry_size_bytes": -1,
}.items():
    jax.config.update(option, value)

# Half the time of a compilation; 0.11 has no such choice. A flag of yours comes behind
# it, and wins; other processes inherit both.
if jax.__version_info__ < (0, 11):
    os.environ["XLA_FLAGS"] = (
        f"--xla_cpu_use_fusion_emitters=false {os.environ.get('XLA_FLAGS', '')}".strip()
    )

# A program for one device takes a quarter less time to compile. Tests of several say so.
sharding.over_devices.__defaults__ = (1,)

PROJECT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def data_dir():
    named = os.environ.get("UAPS_DATA_DIR")
    beside = PROJECT.parent / "shared" / "data"
    folder = Path(named) if named else beside
    if not folder.is_dir():
        pytest.skip(
            f"no folder of real data: UAPS_DATA_DIR is {named or 'not set'}, "
            f"and the default is {beside}"
        )
    return folder


@pytest.fixture
def small_disk(tmp_path):
    """Makes a disk of so many KiB in memory, or gives it another size: `size -> its folder`."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = []

    def make(size):
        options = f"size={size}k" + (",remount" if mounted else "")
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], capture_output=True
        )
        if done.returncode:
            pytest.skip(f"no disk can be mounted here: {done.stderr.decode().strip()}")
        mounted.append(folder)
        return folder

    try:
        yield make
    finally:
        gc.collect()  # files that could not be written complain when they are freed: in this test
        if mounted:
            subprocess.run(["umount", "--lazy", folder], check=True)


# Files whose tests take longest, in front: the two processes end at about the same time.
LONGEST = (
    "tests/test_run.py",
    "tests/training/test_loop.py",
    "tests/training/test_step.py",
    "tests/study/test_study.py",
    "tests/methods/",
    "tests/training/",
    "tests/commands/",
)


def pytest_collection_modifyitems(items):
    def place(item):
        name = item.path.relative_to(PROJECT).as_posix()
        return next((n for n, start in enumerate(LONGEST) if name.startswith(start)), len(LONGEST))

    items.sort(key=place)
