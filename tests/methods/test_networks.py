"""Methods on the families of networks: whole steps, traced."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests import tiny
from tests.models.test_add_a_network import step_and_inputs
from uaps_jax import config as config_lib
from uaps_jax.configs.parts.networks import NETWORKS
from uaps_jax.methods import dueb

FAMILIES = ("efficientnet_lite0", "deeplabv3plus_resnet18", "pspnet_resnet18", "fpn_resnet18")
PUBLISHED = (
    ("cpcl", "deeplabv3plus_cpcl"),
    ("dueb", "deeplabv3plus_cpcl"),
    ("u2pl", "deeplabv3plus_u2pl"),
)
BOTH = ("supervised", "uaps")
COARSE = (("u2pl", "pspnet_resnet18"),)  # a projection at stride 32
PAIRS = (*((method, family) for method in BOTH for family in FAMILIES), *PUBLISHED, *COARSE)


def on(method, network, **settings):
    """A method on a network, with images of 32 px."""
    config = tiny.config(method)
    chosen = {"auxiliary": config.network.auxiliary, "pretrained": ""} | settings
    config.network = NETWORKS[network](**chosen)
    config.data.height = config.data.width = 32
    return config_lib.validate(config)


def enlarged(batch):
    """Batches of 16 px, repeated to 32 px."""
    return jax.tree.map(lambda leaf: np.tile(leaf, (1, 2, 2, *(1,) * (leaf.ndim - 3))), batch)


@pytest.mark.parametrize(("method", "network"), PAIRS)
def test_a_whole_step_is_traced(method, network):
    step, (state, batch, *rest) = step_and_inputs(on(method, network))
    after, metrics = jax.eval_shape(step, state, enlarged(batch), *rest)
    jax.tree.map(lambda a, b: chex.assert_equal_shape([a, b]), after, state)
    assert metrics["loss"].shape == ()


def test_the_variance_is_interpolated_to_the_images_as_in_the_released_code():
    head = jnp.asarray([-40.0, 40.0]).reshape(1, 1, 1, 2, 1)  # softplus: 0 and 40
    variance = dueb.variance_of(jnp.tile(head, (2, 1, 2, 1, 1)), "released", (4, 3))
    np.testing.assert_allclose(variance[0, 0], np.tile([0.0, 20.0, 40.0], (4, 1)), atol=1e-5)
    logarithm = dueb.variance_of(jnp.tile(head, (2, 1, 2, 1, 1)), "repaired", (4, 3))
    np.testing.assert_allclose(logarithm[0, 0], np.tile([-40.0, 0.0, 40.0], (4, 1)), atol=1e-5)
