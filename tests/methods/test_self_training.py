"""Self-training: one mean over the pixels of labeled and pseudo-labeled images."""

import jax
import numpy as np
import pytest

from tests import oracles, tiny
from tests.methods.steps import inputs_of
from uaps_jax import methods
from uaps_jax.config import ConfigError, validate
from uaps_jax.labels import IGNORE
from uaps_jax.methods import passes


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ("cross_entropy", oracles.weighted_cross_entropy),
        ("cross_entropy_and_dice", oracles.weighted_supervised_loss),
    ],
)
def test_the_loss_is_one_over_the_labeled_pixels_of_both_batches(form, expected):
    """Labels, targets with ignored pixels and weights, on the network's own logits."""
    config = tiny.config("self_training")
    config.method.loss = form
    config.data.targets.folders, config.data.targets.weights = ("somewhere",), True
    method = methods.build(config)
    assert method.streams["unlabeled"].fields == ("image", "mask", "weight")
    assert method.streams["labeled"].fields == ("image", "mask")
    random = np.random.default_rng(0)
    labels = random.integers(0, 3, (2, 2, 16, 16), np.uint8)
    labels[0, 0, :9] = labels[1, 1, 5:] = IGNORE
    weight = random.integers(0, 256, (2, 16, 16), np.uint8)
    images = random.integers(0, 256, (2, 2, 16, 16, 3), np.uint8)
    index = np.arange(2, dtype=np.int32)
    batch = {
        "labeled": {"image": images[0], "mask": labels[0], "index": index},
        "unlabeled": {"image": images[1], "mask": labels[1], "weight": weight, "index": index},
    }
    params, state = method.init(0)
    network = method.predictor("").network

    @jax.jit
    def run(batch):
        views = method.views(jax.random.key(1), batch)
        inputs = inputs_of(method, params, state, views, jax.random.key(2), 0)
        shown = (views["labeled"]["image"], views["unlabeled"]["image"])
        outputs, _ = passes.forward(
            network, params, state["batch_stats"], jax.random.key(2), *shown, joint=True
        )
        return method.loss(inputs).loss, views, [o.logits[0] for o in outputs]

    loss, views, logits = run(batch)
    masks = [views[stream]["mask"] for stream in ("labeled", "unlabeled")]
    weights = np.stack([np.ones((2, 16, 16)), views["unlabeled"]["weight"]])
    assert 0 < weights[1].max() <= 1 < 256 * weights[1].max()
    valid = np.stack(masks) != IGNORE
    assert 0 < valid.sum() < valid.size
    both = [np.concatenate(parts) for parts in (logits, masks, weights)]
    assert float(loss) == pytest.approx(expected(*both, "labeled"), rel=1e-5)


def test_strong_views_have_cutout_without_labels():
    config = tiny.config("self_training")
    config.data.targets.folders = ("somewhere",)
    config.views.unlabeled.cutout, config.views.labeled.hflip = 1.0, 0.0
    method = methods.build(config)
    pool = tiny.pool(4)
    stream = {"image": pool.images, "mask": pool.masks, "index": np.arange(4)}
    batch = {"labeled": stream, "unlabeled": stream}
    views = jax.jit(method.views)(jax.random.key(0), batch)
    assert (views["labeled"]["mask"] != IGNORE).all()
    hidden = np.asarray(views["unlabeled"]["mask"] == IGNORE).mean((1, 2))
    assert (hidden > 0).all()
    assert (hidden <= 0.45).all()


def test_unequal_batches_are_refused():
    config = tiny.config("self_training")
    config.train.batch_unlabeled = 8
    with pytest.raises(ConfigError, match="batch_unlabeled = 8: must equal"):
        validate(config)
