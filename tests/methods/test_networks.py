"""Methods on the families of networks: whole steps, traced."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests import tiny
from tests.models.test_add_a_network import step_and_inputs
from uaps_jax import config as config_lib
from uaps_jax import methods
from uaps_jax.configs.parts.networks import NETWORKS
from uaps_jax.methods import dueb
from uaps_jax.models import resize

FAMILIES = ("efficientnet_lite0", "deeplabv3plus_resnet18", "pspnet_resnet18", "fpn_resnet18")
PUBLISHED = (
    ("cpcl", "deeplabv3plus_cpcl"),
    ("dueb", "deeplabv3plus_cpcl"),
    ("u2pl", "deeplabv3plus_u2pl"),
)
BOTH = ("supervised", "uaps")
COARSE = (("u2pl", "pspnet_resnet18"),)  # a projection at stride 32
PAIRS = (*((method, family) for method in BOTH for family in FAMILIES), *PUBLISHED, *COARSE)


def on(method, network, change=None, **settings):
    """A method on a network, with images of 32 px; `change` has settings of the method."""
    config = tiny.config(method)
    for name, value in (change or {}).items():
        setattr(config.method, name, value)
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


@pytest.mark.parametrize("network", ["unet", "deeplabv3plus_resnet18"])
def test_the_uncertainty_of_repaired_dueb_is_the_mean_of_its_variances(network):
    method = methods.build(on("dueb", network, {"form": "repaired"}))
    variables = method.variables(*method.init(0))
    images = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3)).astype(np.float32)
    predictor = method.predictor("mean")
    x = predictor.normalize(jnp.asarray(images))

    def logarithms():
        for number in range(2):
            one = jax.tree.map(lambda leaf, number=number: leaf[number], variables)
            (head,) = predictor.network.outputs(one, x).heads["variance"]
            yield np.asarray(resize.resize(head, 32, 32)[..., 0])

    # Half of the second network's variances are above the limit of the loss.
    shift = 3 - np.median(list(logarithms())[1])
    variables["params"]["heads"]["variance"]["bias"] += np.float32([[[0.0]], [[shift]]])
    expected = np.stack([np.exp(np.clip(one, -7, 3)) for one in logarithms()])
    assert 0 < np.isclose(expected[1], np.exp(3)).mean() < 1

    found = method.uncertainty(variables, images, jax.random.key(0))

    np.testing.assert_allclose(found, expected.mean(0), rtol=1e-5)
    assert method.uncertainty.kind.name == "predicted variance"


@pytest.mark.parametrize("change", [{"form": "released"}, {"weight_aleatoric": (0.0, 0.0)}])
def test_a_variance_that_is_not_trained_is_no_uncertainty(change):
    config = on("dueb", "unet", {"form": "repaired"} | change)
    assert methods.build(config).uncertainty.kind.name == "KL of the decoders"


def test_the_variance_is_interpolated_to_the_images_as_in_the_released_code():
    head = jnp.asarray([-40.0, 40.0]).reshape(1, 1, 1, 2, 1)  # softplus: 0 and 40
    variance = dueb.variance_of(jnp.tile(head, (2, 1, 2, 1, 1)), "released", (4, 3))
    np.testing.assert_allclose(variance[0, 0], np.tile([0.0, 20.0, 40.0], (4, 1)), atol=1e-5)
    logarithm = dueb.variance_of(jnp.tile(head, (2, 1, 2, 1, 1)), "repaired", (4, 3))
    np.testing.assert_allclose(logarithm[0, 0], np.tile([-40.0, 0.0, 40.0], (4, 1)), atol=1e-5)
