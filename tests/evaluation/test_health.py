"""Pseudo-label health against numpy, and its warnings."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests import method_oracles, tiny
from uaps_jax.data.source import Pool
from uaps_jax.evaluation import health
from uaps_jax.labels import IGNORE

NAMES = ("background", "scratch", "dent")


def pool(count=5):
    random = np.random.default_rng(0)
    masks = random.integers(0, 3, (count, 4, 4)).astype(np.uint8)
    masks[random.uniform(size=masks.shape) < 0.3] = IGNORE
    images = random.integers(0, 256, (count, 4, 4, 3)).astype(np.uint8)
    return Pool(names=tuple(map(str, range(count))), images=images, masks=masks)


def probe(variables, images, key, step):
    """Labels computed from the image, so that numpy can compute them too."""
    target = images[..., 0].astype(jnp.int32) % 3
    return target, images[..., 1] > 90, images[..., 2].astype(jnp.int32) % 3


@pytest.mark.parametrize("batch", [2, 5, 8])
def test_health_equals_the_oracle_whatever_the_batch(batch):
    data = pool()
    function = health.make_probe_function(probe, 3)
    result = health.pseudo_label_metrics(function, {}, data, NAMES, batch, jax.random.key(0), 3)
    expected = method_oracles.pseudo_label_health(
        data.images[..., 0] % 3, data.images[..., 1] > 90, data.images[..., 2] % 3, data.masks, 3
    )
    assert [result[f"kept/{name}"] for name in NAMES] == pytest.approx(expected["share"])
    assert result["accuracy"] == pytest.approx(expected["accuracy"])
    assert result["agreement"] == pytest.approx(expected["agreement"])
    assert result["kept"] == pytest.approx(sum(expected["share"]))


def test_without_truth_accuracy_is_not_a_number():
    data = pool()
    blind = Pool(names=data.names, images=data.images, masks=np.full_like(data.masks, IGNORE))
    function = health.make_probe_function(probe, 3)
    result = health.pseudo_label_metrics(function, {}, blind, NAMES, 2, jax.random.key(0), 3)
    assert np.isnan(result["accuracy"])
    assert result["kept"] > 0


def test_shares_of_the_labeled_pixels():
    masks = np.array([[[0, 0, 1, IGNORE], [0, 2, 0, 0]]], np.uint8)
    shares = health.class_shares([masks], NAMES)
    assert shares == pytest.approx({"background": 500 / 7, "scratch": 100 / 7, "dent": 100 / 7})


def test_the_pools_of_a_run_carry_what_is_watched():
    pools = tiny.pools()
    assert set(pools.labeled_shares) == set(tiny.CLASS_NAMES)
    assert sum(pools.labeled_shares.values()) == pytest.approx(100)
