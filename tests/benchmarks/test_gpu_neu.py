"""A run is packed in parts, and resumes from them on another machine."""

import contextlib

import jax
import numpy as np

from benchmarks import gpu_neu
from tests import tiny
from uaps_jax import config as config_lib
from uaps_jax.training import checkpoints, loop, progress


def test_a_run_resumes_from_its_parts(tmp_path, monkeypatch):
    config = config_lib.validate(tiny.config("supervised", steps=6))
    whole, cut, moved = (tmp_path / name for name in ("whole", "cut", "moved/cut"))
    expected = _train(config, whole)

    def lose_the_machine(self, values):
        if self._remaining == 1:
            raise KeyboardInterrupt
        return real(self, values)

    real = progress.Progress.step
    with monkeypatch.context() as patched:
        patched.setattr(progress.Progress, "step", lose_the_machine)
        with contextlib.suppress(KeyboardInterrupt):
            _train(config, cut)
    assert checkpoints.saved_steps(cut)[-1] < 6

    content = gpu_neu.checkpoint_archive(cut)
    (tmp_path / "parts").mkdir()
    half = len(content) // 2
    (tmp_path / "parts" / "cut.tar.00").write_bytes(content[:half])
    (tmp_path / "parts" / "cut.tar.01").write_bytes(content[half:])
    gpu_neu.unpack(tmp_path / "parts", moved)
    assert checkpoints.find_step(moved, "best") == checkpoints.find_step(cut, "best")
    for a, b in zip(jax.tree.leaves(expected), jax.tree.leaves(_train(config, moved)), strict=True):
        assert np.array_equal(a, b)


def _train(config, folder):
    folder.mkdir(parents=True, exist_ok=True)
    return loop.train(config, folder, tiny.pools(), tiny.CLASS_NAMES, tiny.record())
