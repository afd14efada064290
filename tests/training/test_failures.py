"""A loss that is not finite: the run stops, the step changes nothing and can be repeated."""

import dataclasses
import json
import re
import shutil

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests import tiny
from tests.training.test_loop import assert_equal, frozen, run
from uaps_jax import methods
from uaps_jax.commands.replay import replay
from uaps_jax.commands.request import Request
from uaps_jax.training import checkpoints, failures, loop, optimizers, sharding
from uaps_jax.training import state as state_lib

BREAKS = 4  # the step, from 1, whose loss is not finite


def breaking(monkeypatch):
    """Methods whose loss is not finite at a step, and the loss at the others."""
    real = methods.build

    def build(config, weights=None):
        method = real(config, weights)

        def loss(inputs):
            result = method.loss(inputs)
            factor = jnp.log(jnp.where(inputs.step == BREAKS - 1, -1.0, jnp.e))
            return result._replace(loss=result.loss * factor)

        return dataclasses.replace(method, loss=loss)

    monkeypatch.setattr(methods, "build", build)


@pytest.fixture(scope="module", params=["supervised", "uaps", "mean_teacher"])
def broken(request, tmp_path_factory):
    """A run that stopped at a step: its folder, configuration, and error message."""
    folder = tmp_path_factory.mktemp("broken") / "run"
    config = tiny.plain(request.param)
    with pytest.MonkeyPatch.context() as patched:
        breaking(patched)
        with pytest.raises(failures.NonFiniteLoss) as caught:
            run(frozen(config), folder)
    return folder, config, str(caught.value)


only_supervised = pytest.mark.parametrize("broken", ["supervised"], indirect=True)


def test_it_stops_with_step_and_images_and_keeps_the_state_before(broken):
    folder, config, output = broken
    assert output.startswith(f"step {BREAKS}: ")
    assert "loss = nan" in output
    assert "train/1-00" in output
    assert "--mode=replay" in output
    assert checkpoints.saved_steps(folder)[-1] == BREAKS - 1
    place = failures.latest(folder)
    assert place.name == f"step_{BREAKS}"
    method = methods.build(config)
    optimizer = optimizers.build(config.optimizer, method.parameter_groups)
    like = state_lib.create(method, optimizer, config.optimizer, 0)
    placed = sharding.over_devices().replicated
    states = [checkpoints.restore_state(workdir, like, placed) for workdir in (place, folder)]
    assert int(states[0].step) == BREAKS - 1
    assert_equal(*states)


@only_supervised
def test_replay_repeats_it_and_names_the_operation(broken, monkeypatch, capsys):
    folder, _, _ = broken
    breaking(monkeypatch)
    replay(request_of(folder))
    output = capsys.readouterr().out
    assert f"step {BREAKS}" in output
    assert re.search(r"loss +nan +nan\n", output)
    then, now = re.search(r"supervised +([\d.]+) +([\d.]+)\n", output).groups()
    assert float(then) == pytest.approx(float(now), rel=1e-4)
    assert "not finite before the step" not in output
    assert "gradients that are not finite: " in output
    assert re.search(r"first: .*nan.* log .*method\.loss", output)
    assert "images, labeled: train/1-00" in output
    assert "is finite" not in output


def request_of(folder):
    return Request(config=None, workdir=folder, checkpoint="best", input=None)


@only_supervised
def test_a_finite_repetition_is_reported(broken, capsys):
    replay(request_of(broken[0]))
    output = capsys.readouterr().out
    assert "The repeated step is finite" in output
    assert "first:" not in output


@pytest.mark.parametrize(("streamed", "dtype"), [(False, "float32"), (True, "bfloat16")])
def test_a_state_that_overflows_is_not_kept(tmp_path, capsys, streamed, dtype):
    config = tiny.plain("supervised", steps=6)
    config.optimizer.learning_rate = 1e38
    config.checkpoint.every = 1
    config.network.dtype = dtype
    pools = tiny.in_files(tiny.pools()) if streamed else tiny.pools()
    with pytest.raises(failures.NonFiniteLoss) as caught:
        loop.train(frozen(config), tmp_path, pools, tiny.CLASS_NAMES, tiny.record())
    step = caught.value.step
    assert max(checkpoints.saved_steps(tmp_path), default=0) == step
    place = failures.latest(tmp_path)
    assert place.name == f"step_{step + 1}"
    for array in checkpoints.read_arrays(place / "checkpoints" / str(step) / "state")[
        "params"
    ].values():
        assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(array))
    replay(request_of(tmp_path))
    output = capsys.readouterr().out
    assert "at a learning rate of 1e+38, the norm of the parameters is not" in output
    assert "not finite before" not in output
    assert "not finite after" not in output


@only_supervised
def test_the_run_started_again_fails_at_the_same_step(broken, tmp_path, monkeypatch):
    folder, config, first = broken
    shutil.copytree(folder, tmp_path / "run")
    breaking(monkeypatch)
    with pytest.raises(failures.NonFiniteLoss) as caught:
        run(frozen(config), tmp_path / "run")
    assert str(caught.value) == first
    assert len(list((tmp_path / "run" / "failed").iterdir())) == 1


@only_supervised
@pytest.mark.parametrize(
    "content", [b"{", b"{}", b"", b'{"step": 4, "measured": [], "images": {}}']
)
@pytest.mark.parametrize("file", [failures.ABOUT, failures.BATCH])
def test_a_damaged_failure_file_is_named(broken, tmp_path, file, content):
    place = tmp_path / "step_4"
    shutil.copytree(failures.latest(broken[0]), place)
    (place / file).write_bytes(content)
    with pytest.raises(checkpoints.CheckpointError, match="cannot be read"):
        failures.repeat(place)


def test_without_a_failure_there_is_nothing_to_repeat(tmp_path):
    with pytest.raises(checkpoints.CheckpointError, match="holds no failed step"):
        failures.latest(tmp_path)


def test_the_batch_that_is_kept_is_the_one_that_was_fed(broken):
    folder, config, _ = broken
    place = failures.latest(folder)
    names = json.loads((place / failures.ABOUT).read_text())["images"]
    pools, streams = tiny.pools().train, methods.build(config).streams
    with np.load(place / failures.BATCH) as kept:
        for stream, listed in names.items():
            pool = pools[streams[stream].pool]
            rows = [pool.names.index(name) for name in listed]
            np.testing.assert_array_equal(kept[f"{stream}/image"], pool.images[rows])
            np.testing.assert_array_equal(kept[f"{stream}/index"], rows)
            assert (f"{stream}/mask" in kept) == (streams[stream].pool == "labeled")
    assert len(names["labeled"]) == config.train.batch_labeled
