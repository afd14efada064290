"""Networks on encoders: sizes, strides, dilations, what is frozen."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_array_equal

from tests import tiny
from uaps_jax import config as config_lib
from uaps_jax import models
from uaps_jax.config import ConfigError
from uaps_jax.configs.parts.networks import NETWORKS
from uaps_jax.models import encoders, initialize, resnet
from uaps_jax.models.efficientnet_lite import EfficientNetLite0, relu6

ON_ENCODERS = sorted(set(NETWORKS) - {"unet"})
SMALL = ("efficientnet_lite0", "deeplabv3plus_resnet18", "pspnet_resnet18", "fpn_resnet18")


def on(network, method="supervised", size=32, **settings):
    config = tiny.config(method)
    chosen = {"auxiliary": config.network.auxiliary, "pretrained": ""} | settings
    config.network = NETWORKS[network](**chosen)
    config.data.height = config.data.width = size
    return config_lib.validate(config)


def millions(network):
    config = on(network)
    built = models.build(dataclasses.replace(config), {})
    return initialize.count(built.shapes()["params"]) / 1e6


@pytest.mark.parametrize(
    ("network", "expected"),
    [
        # PPL's networks, computed from its code for four classes; ours have three.
        ("deeplabv3plus_resnet18", 13.00),
        ("deeplabv3plus_resnet50", 40.35),
        ("pspnet_resnet18", 12.62),
        ("pspnet_resnet50", 46.58),
    ],
)
def test_the_number_of_parameters_is_the_published_one(network, expected):
    assert millions(network) == pytest.approx(expected, abs=0.006)


def encoder_of(network):
    built = models.build(on(network), {})
    return initialize.count(built.shapes()["params"]["encoder"])


def test_the_number_of_parameters_of_the_encoders():
    # torchvision's ResNets without the classifier; the published weights of Lite0 without the head.
    assert encoder_of("deeplabv3plus_resnet18") == 11_689_512 - (512 * 1000 + 1000)
    assert encoder_of("deeplabv3plus_resnet50") == 25_557_032 - (2048 * 1000 + 1000)
    assert encoder_of("efficientnet_lite0") == 2_958_848


@pytest.mark.parametrize("network", ON_ENCODERS)
def test_the_levels_have_the_strides_of_the_settings(network):
    config = on(network)
    built = models.build(config, {})
    images = jax.ShapeDtypeStruct((2, 64, 96, 3), jnp.float32)
    pyramid, _ = jax.eval_shape(
        lambda k, x: built.encoder.init_with_output(k, x, train=False), jax.random.key(0), images
    )
    strides = config.network.strides()
    assert [level.shape[1:3] for level in pyramid] == [(64 // s, 96 // s) for s in strides]


@pytest.mark.parametrize("network", ON_ENCODERS)
def test_logits_have_the_size_of_the_images(network):
    built = models.build(on(network, "uaps"), {"variance": config_lib.Head("linear", 1)})
    images = jax.ShapeDtypeStruct((4, 64, 96, 3), jnp.float32)
    outputs, statistics = jax.eval_shape(
        lambda v, x, k: built.train_outputs(v, x, k, parts=2),
        built.shapes(),
        images,
        jax.random.key(0),
    )
    assert outputs.logits.shape == (4, 4, 64, 96, 3)
    assert outputs.logits.dtype == jnp.float32
    assert outputs.heads["variance"].shape[:2] == (4, 4)
    shapes = built.shapes()["batch_stats"]
    jax.tree.map(lambda a, b: assert_array_equal(a.shape, b.shape), statistics, shapes)


def dilations(blocks, output_stride, multi_grid=()):
    levels = resnet.levels(blocks, output_stride, multi_grid)
    return [level.stride for level in levels], [
        [first for first, _ in level.dilations] for level in levels
    ]


def test_dilations_replace_strides_as_in_the_published_codes():
    fifty = (3, 4, 6, 3)
    assert dilations(fifty, 32) == ([1, 2, 2, 2], [[1] * 3, [1] * 4, [1] * 6, [1] * 3])
    # ST++ and PPL: dilation 2, then 4; the first block has the dilation of the level before.
    strides, ppl = dilations(fifty, 8)
    assert strides == [1, 2, 1, 1]
    assert ppl[2:] == [[1, 2, 2, 2, 2, 2], [2, 4, 4]]
    # CPS, CPCL, DUEB: 2, 4, 8 at stride 16; U2PL: 4, 8, 16 at stride 8.
    assert dilations(fifty, 16, (2, 2, 4))[1][3] == [2, 4, 8]
    assert dilations(fifty, 8, (2, 2, 4))[1][3] == [4, 8, 16]


def test_relu6_has_no_gradient_at_its_ends():
    x = jnp.asarray([-1.0, 0.0, 3.0, 6.0, 7.0])
    assert_array_equal(relu6(x), [0, 0, 3, 6, 6])
    assert_array_equal(jax.grad(lambda x: relu6(x).sum())(x), [0, 0, 1, 0, 0])


@pytest.fixture(scope="module")
def lite():
    """An encoder with random values, and images."""
    module = EfficientNetLite0()
    rng = np.random.default_rng(0)
    images = jnp.asarray(rng.normal(size=(4, 64, 64, 3)), jnp.float32)
    shapes = jax.eval_shape(lambda k, x: module.init(k, x, train=False), jax.random.key(0), images)
    return initialize.fill(shapes, 0, {"params": initialize.kaiming}), images


@pytest.mark.parametrize(("levels", "statistics"), [(0, False), (3, False), (5, False), (0, True)])
def test_what_is_frozen_has_no_gradient_and_keeps_its_statistics(lite, levels, statistics):
    variables, images = lite
    module = EfficientNetLite0(encoders.Freezing(levels, statistics))

    def loss(params):
        pyramid, updated = module.apply(
            variables | {"params": params}, images, train=True, parts=2, mutable=["batch_stats"]
        )
        return sum(jnp.abs(level).mean() for level in pyramid), updated["batch_stats"]

    gradients, updated = jax.jit(jax.grad(loss, has_aux=True))(variables["params"])
    for number in range(encoders.LEVELS):
        name = f"level_{number}"
        moved = [bool(jnp.any(g != 0)) for g in jax.tree.leaves(gradients[name])]
        assert all(moved) if number >= levels else not any(moved), name
        before, after = variables["batch_stats"][name], updated[name]
        same = jax.tree.leaves(jax.tree.map(lambda a, b: bool(jnp.all(a == b)), before, after))
        assert all(same) if statistics or number < levels else not all(same), name


def test_frozen_levels_are_a_group_of_parameters():
    built = models.build(on("efficientnet_lite0", frozen_levels=2), {})
    groups = built.parameter_groups(built.shapes()["params"])
    found = {name: set(jax.tree.leaves(tree)) for name, tree in groups["encoder"].items()}
    assert found == {f"level_{n}": {"frozen" if n < 2 else "encoder"} for n in range(5)}
    assert set(jax.tree.leaves(groups["decoders"])) == {"decoders"}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"encoder": "resnet19"}, "network.encoder = 'resnet19': must be one of resnet18, "),
        ({"output_stride": 16}, "network.output_stride = 16: must be one of 32"),
        ({"multi_grid": (1, 2, 4)}, "network.multi_grid .*efficientnet_lite0 has no dilations"),
        (
            {"encoder": "resnet18", "multi_grid": (1, 2, 4)},
            "network.multi_grid .*more factors than the 2 blocks of the last level",
        ),
        ({"pretrained": "", "pretrained_parts": "all"}, "pretrained_parts .*needs network.pretr"),
        ({"frozen_levels": 6}, "network.frozen_levels = 6: must be 0 to 5"),
        ({"widths": (8, 8)}, "network.widths .*needs 4 numbers"),
    ],
)
def test_settings_that_do_not_fit_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        on("efficientnet_lite0", **settings)


def test_images_are_multiples_of_the_output_stride():
    with pytest.raises(ConfigError, match="must be a multiple of 32, the stride of the network"):
        on("efficientnet_lite0", size=48)


def test_kaiming_initialisation_has_the_published_variance():
    built = models.build(on("deeplabv3plus_resnet18"), {})
    kernel = built.init(0)["params"]["encoder"]["level_4"]["block_1"]["conv_2"]["kernel"]
    assert kernel.std() == pytest.approx((2 / (9 * 512)) ** 0.5, rel=0.01)
