"""The loss of masks with uncertain pixels, and the settings that exclude each other."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests import oracles, tiny
from tests.methods.steps import inputs_of
from uaps_jax import methods
from uaps_jax.config import ConfigError, validate
from uaps_jax.labels import IGNORE
from uaps_jax.methods import urn


def weighted(**settings):
    config = tiny.config("urn")
    config.data.targets = dataclasses.replace(
        config.data.targets, part="labeled", folders=("somewhere",), weights=True
    )
    config.method = dataclasses.replace(config.method, weighting="hard", **settings)
    return validate(config)


def arrays():
    random = np.random.default_rng(0)
    logits = random.normal(size=(2, 5, 6, 3)).astype(np.float32)
    labels = random.integers(0, 3, (2, 5, 6))
    labels[0, :2] = IGNORE
    weight = random.choice([0.05, 0.4, 1.0], (2, 5, 6))
    return logits, labels, weight


@pytest.mark.parametrize("form", ["released", "repaired"])
def test_the_divisor_is_all_pixels_or_the_sum_of_the_weights(form):
    logits, labels, weight = arrays()
    options = dataclasses.replace(tiny.config("urn").method, form=form, loss="cross_entropy")
    losses = oracles.cross_entropy_map(logits, labels) * weight
    divisor = labels.size if form == "released" else (weight * (labels != IGNORE)).sum()
    value = urn.objective(*map(jnp.asarray, (logits, labels, weight)), options)
    assert float(value) == pytest.approx(losses.sum() / divisor, rel=1e-5)


def test_uncertain_pixels_of_a_step_weigh_less_and_a_head_on_the_encoder_learns_too():
    """A whole step, its loss from the network's own outputs."""
    config = weighted(loss="cross_entropy", weight_fcn=0.4)
    method = methods.build(config)
    assert method.streams["labeled"].fields == ("image", "mask", "weight")
    random = np.random.default_rng(1)
    batch = {
        "labeled": {
            "image": random.integers(0, 256, (2, 16, 16, 3), np.uint8),
            "mask": random.integers(0, 3, (2, 16, 16), np.uint8),
            "weight": random.choice(np.array([0, 12, 28, 255], np.uint8), (2, 16, 16)),
            "index": np.arange(2, dtype=np.int32),
        }
    }
    params, state = method.init(0)
    network = method.predictor("").network

    @jax.jit
    def run(batch):
        views = method.views(jax.random.key(1), batch)
        inputs = inputs_of(method, params, state, views, jax.random.key(2), 0)
        variables = {"params": params, "batch_stats": state["batch_stats"]}
        outputs, _ = network.train_outputs(
            variables, views["labeled"]["image"], jax.random.key(2), parts=1
        )
        result = method.loss(inputs)
        return result.loss, result.metrics, views["labeled"], outputs.logits[0]

    loss, metrics, views, logits = run(batch)
    y = np.where(np.asarray(views["weight"]) <= 0.05, 0.05, 1.0)
    assert 0.1 < (y < 1).mean() < 0.9
    expected = (oracles.cross_entropy_map(logits, views["mask"]) * y).sum() / y.sum()
    assert float(metrics["masks"]) == pytest.approx(expected, rel=1e-4)
    assert float(loss) == pytest.approx(expected + 0.4 * float(metrics["fcn"]), rel=1e-4)
    assert float(metrics["weight"]) == pytest.approx(y.mean(), rel=1e-5)


def test_weights_need_targets_and_exclude_pretended_under_fitting():
    config = tiny.config("urn")
    config.method.weighting = "soft"
    config.method.under_fitting_limit = 0.5
    with pytest.raises(ConfigError) as caught:
        validate(config)
    text = str(caught.value)
    assert "method.weighting = 'soft': needs weights of labeled images" in text
    assert "method.under_fitting_limit = 0.5: leaves out pixels by their cross-entropy" in text
