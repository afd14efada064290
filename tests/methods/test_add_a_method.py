"""A method in a file of its own: `examples/my_entropy.py`."""

import importlib.util
import sys

import jax
import numpy as np
import pytest

from tests import example_files, tiny
from uaps_jax import config as config_lib
from uaps_jax import external, methods, modules
from uaps_jax.config import ConfigError
from uaps_jax.configs.studies import base
from uaps_jax.study import cells as cells_lib
from uaps_jax.study.grid import Block, Entry
from uaps_jax.training import checkpoints, loop, optimizers, workdir
from uaps_jax.training import state as state_lib

EXAMPLE = "my_entropy.py"


@pytest.fixture
def mine(tmp_path):
    yield example_files.imported(EXAMPLE, tmp_path / "my_entropy.py")
    del sys.modules["my_entropy"]
    forget()


def forget():
    example_files.forget("method", "entropy", methods.METHODS, config_lib.METHODS)


def test_it_is_short():
    assert len(example_files.code(EXAMPLE).splitlines()) < 60


def test_its_objective_equals_the_formula(mine):
    logits = np.random.default_rng(0).normal(size=(2, 1, 3, 3, 3)).astype(np.float32)
    labels = np.zeros((1, 3, 3), np.int32)
    _, parts = jax.jit(mine.objective)(logits[0], logits[1], labels, 0.5)
    p = np.exp(logits[1]) / np.exp(logits[1]).sum(-1, keepdims=True)
    assert float(parts["entropy"]) == pytest.approx(-(p * np.log(p)).sum(-1).mean(), rel=1e-5)


def test_it_is_trained_on_any_dataset_and_takes_part_in_a_study(tmp_path, mine):
    file = tmp_path / "my_entropy.py"
    assert mine.get_config().data.name == "synthetic/64px"
    entry = Entry(config=f"{file}:dataset={{dataset}},variant={{variant}}")
    grid = base.study("mine", {"supervised": base.METHODS["supervised"], "mine": entry})
    grid.variant = "small"
    grid.blocks = (Block(entries=("supervised", "mine"), datasets=("dagm",)),)
    _, cell = cells_lib.cells(grid)
    assert (cell.config.method.name, cell.config.data.name) == ("entropy", "dagm")
    assert cell.config.method.ramp_length == round(0.34 * 800)


def test_it_is_trained_resumed_and_evaluated_like_any_other(mine, tmp_path):
    config = mine.get_config()
    small = tiny.config("supervised", steps=4)
    small.method = config.method
    assert small.method.ramp_length == round(0.34 * config.train.steps)
    config_lib.check_key(small, "method.weight")
    settings = config_lib.validate(small)
    again = config_lib.from_flat(config_lib.flatten(settings))
    assert type(again.method) is mine.EntropyConfig

    whole, cut = tmp_path / "whole", tmp_path / "cut"
    results = []
    for folder in (whole, cut):
        workdir.claim(folder, settings, tiny.record())
        arguments = (settings, folder, tiny.pools(), tiny.CLASS_NAMES, tiny.record())
        state = loop.train(*arguments)
        if folder == cut:
            for step in checkpoints.saved_steps(cut):
                if step > 2:
                    (checkpoints.folder(cut) / str(step)).rename(tmp_path / f"removed_{step}")
            state = loop.train(*arguments)
        results.append(state)
    for one, other in zip(*map(jax.tree.leaves, results), strict=True):
        np.testing.assert_array_equal(one, other)

    method = methods.build(settings)
    restored = checkpoints.restore_variables(
        cut, 4, jax.eval_shape(lambda: method.variables(*method.init(0)))
    )
    masks = method.predictor("main")(restored, tiny.pool(2).images)
    assert masks.shape == (2, tiny.SIZE, tiny.SIZE, 3)


@pytest.fixture
def saved(mine, tmp_path):
    """A checkpoint of the method, which is then unregistered, and the file of the method."""
    settings = tiny.config("supervised", steps=1)
    settings.method = mine.get_config().method
    settings = config_lib.validate(settings)
    method = methods.build(settings)
    optimizer = optimizers.build(settings.optimizer, method.parameter_groups)
    state = state_lib.create(method, optimizer, settings.optimizer, settings.train.seed)
    variables = method.variables(state.params, state.method_state)
    with checkpoints.manager(tmp_path / "run", settings.checkpoint) as opened:
        checkpoints.save(opened, state, variables, settings, tiny.record(), None)
    forget()
    return settings, tmp_path / "run", tmp_path / "my_entropy.py"


def test_a_run_remembers_the_file_that_made_its_method(saved, caplog):
    settings, run, file = saved
    with caplog.at_level("INFO"):
        read = checkpoints.read_config(run, 0)
    assert config_lib.flatten(read) == config_lib.flatten(settings)
    assert f"method entropy: importing {file}" in caplog.text
    caplog.clear()
    checkpoints.read_config(run, 0)
    assert not caplog.text


def test_a_file_that_has_moved_is_named_with_what_to_do(saved):
    settings, run, file = saved
    file.rename(file.with_name("elsewhere.py"))
    with pytest.raises(
        ConfigError, match=rf"{file}, which defines the method entropy .* --config=FILE"
    ):
        checkpoints.read_config(run, 0)
    file.write_text("raise KeyError('mine')")
    with pytest.raises(ConfigError, match="cannot be imported: KeyError: 'mine'"):
        checkpoints.read_config(run, 0)
    file.write_text("")
    with pytest.raises(ConfigError, match="no longer registers it"):
        checkpoints.read_config(run, 0)
    # As `--config` does it.
    spec = importlib.util.spec_from_file_location("config_config", file.with_name("elsewhere.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert checkpoints.read_config(run, 0).method.weight == settings.method.weight


def test_methods_of_the_package_have_no_file():
    assert external.files_of(tiny.config("uaps")) == {}
    assert external.FILES == {}


def test_a_section_whose_types_are_texts_is_refused():
    namespace = {}
    exec(
        "from __future__ import annotations\nfrom typing import ClassVar\n"
        "from uaps_jax.config import MethodConfig\n"
        "class Mine(MethodConfig):\n    name: ClassVar[str] = 'mine'\n    weight: float\n",
        namespace,
    )
    with pytest.raises(TypeError, match="from __future__ import annotations"):
        methods.register(namespace["Mine"], lambda config: None)
    assert "mine" not in methods.METHODS


def test_a_name_that_is_taken_is_refused(mine, tmp_path):
    other = tmp_path / "my_other.py"
    other.write_text(example_files.code(EXAMPLE))
    with pytest.raises(ValueError, match=r"my_other.*'entropy', but .*my_entropy\.py has"):
        example_files.imported(EXAMPLE, other)
    other.write_text(example_files.code(EXAMPLE).replace('"entropy"', '"uaps"'))
    with pytest.raises(ValueError, match="'uaps', but uaps_jax itself has registered"):
        modules.run_file(other, "my_other")
    assert methods.METHODS["entropy"] is mine.build
    sys.modules.pop("my_other", None)
    modules.run_file(tmp_path / "my_entropy.py", "again")  # the same file, as `--config` loads it
