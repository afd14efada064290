"""State dictionaries of PyTorch's encoders, and the variables that they become."""

from types import SimpleNamespace

import jax
import numpy as np
import pytest

from uaps_jax.weights import EFFICIENTNET_LITE0, RESNET, RESNET_DEEP_STEM, to_variables
from uaps_jax.weights.errors import WeightsError
from uaps_jax.weights.names import Rule
from uaps_jax.weights.variables import flat_shapes

RANDOM = np.random.default_rng(0)
NORM = ("weight", "bias", "running_mean", "running_var")


def norm(name, channels):
    arrays = {f"{name}.{part}": RANDOM.random(channels, np.float32) for part in NORM}
    return arrays | {f"{name}.num_batches_tracked": np.array(3)}


def conv(name, *shape):
    return {f"{name}.weight": RANDOM.random(shape, np.float32)}


def resnet():
    """Two levels of a made-up ResNet with basic blocks; the second has a shortcut."""
    return {
        **conv("conv1", 4, 3, 7, 5),
        **norm("bn1", 4),
        **conv("layer1.0.conv1", 4, 4, 3, 3),
        **norm("layer1.0.bn1", 4),
        **conv("layer2.0.conv1", 6, 4, 3, 3),
        **norm("layer2.0.bn1", 6),
        **conv("layer2.0.downsample.0", 6, 4, 1, 1),
        **norm("layer2.0.downsample.1", 6),
        "fc.weight": RANDOM.random((10, 6), np.float32),
        "fc.bias": RANDOM.random(10, np.float32),
    }


def norm_shapes(channels):
    return {"scale": (channels,), "bias": (channels,)}, {"mean": (channels,), "var": (channels,)}


def resnet_shapes():
    (scale4, mean4), (scale6, mean6) = norm_shapes(4), norm_shapes(6)
    return {
        "params": {
            "level_0": {"conv": {"kernel": (7, 5, 3, 4)}, "norm": scale4},
            "level_1": {"block_0": {"conv_1": {"kernel": (3, 3, 4, 4)}, "norm_1": scale4}},
            "level_2": {
                "block_0": {
                    "conv_1": {"kernel": (3, 3, 4, 6)},
                    "norm_1": scale6,
                    "shortcut_conv": {"kernel": (1, 1, 4, 6)},
                    "shortcut_norm": scale6,
                }
            },
        },
        "batch_stats": {
            "level_0": {"norm": mean4},
            "level_1": {"block_0": {"norm_1": mean4}},
            "level_2": {"block_0": {"norm_1": mean6, "shortcut_norm": mean6}},
        },
    }


def load(state, shapes=None, table=RESNET, **options):
    return to_variables(state, table, shapes or resnet_shapes(), file="a.pth", **options)


def test_arrays_and_their_axes():
    state = resnet()
    variables, loaded = load(state)
    assert flat_shapes(variables) == flat_shapes(resnet_shapes())
    kernel = variables["params"]["level_0"]["conv"]["kernel"]
    for y, x, i, o in np.ndindex(7, 5, 3, 4):
        assert kernel[y, x, i, o] == state["conv1.weight"][o, i, y, x]
    shortcut = variables["params"]["level_2"]["block_0"]["shortcut_norm"]
    np.testing.assert_array_equal(shortcut["scale"], state["layer2.0.downsample.1.weight"])
    np.testing.assert_array_equal(shortcut["bias"], state["layer2.0.downsample.1.bias"])
    means = variables["batch_stats"]["level_1"]["block_0"]["norm_1"]
    np.testing.assert_array_equal(means["mean"], state["layer1.0.bn1.running_mean"])
    np.testing.assert_array_equal(means["var"], state["layer1.0.bn1.running_var"])
    assert loaded.missing == loaded.surplus == ()
    assert len(loaded.used) == 20
    assert loaded.left_out == {
        "fc.weight": "classifier",
        "fc.bias": "classifier",
        **{name: "counter of batches" for name in state if name.endswith("tracked")},
    }
    assert set(loaded.used) | set(loaded.left_out) == set(state)


def test_arrays_are_contiguous_copies_of_float32():
    state = {name: array.astype(np.float64) for name, array in resnet().items()}
    for array in state.values():
        array.flags.writeable = False
    variables, _ = load(state)
    for array in jax.tree.leaves(variables):
        assert array.dtype == np.float32
        assert array.flags.c_contiguous
        assert array.flags.writeable


def test_shapes_may_be_those_of_arrays():
    is_shape = {"is_leaf": lambda leaf: isinstance(leaf, tuple)}
    described = jax.tree.map(
        lambda shape: jax.ShapeDtypeStruct(shape, np.float32), resnet_shapes(), **is_shape
    )
    variables, _ = load(resnet(), described)
    assert flat_shapes(variables) == flat_shapes(resnet_shapes())


@pytest.mark.parametrize("prefix", ["module.", "state_dict.module.encoder.", "net."])
def test_a_prefix_is_found(prefix):
    state = {f"{prefix}{name}": array for name, array in resnet().items()}
    state["state_dict.decoder.weight"] = state["conv1.weight"] = np.ones(1)
    _, loaded = load(state)
    assert loaded.prefix == prefix
    assert len(loaded.used) == 20
    assert loaded.left_out["conv1.weight"] == "not of the encoder"


def test_several_encoders():
    state = {
        f"{prefix}.{name}": array for prefix in ("model", "ema") for name, array in resnet().items()
    }
    with pytest.raises(WeightsError, match=r"a\.pth: holds several .* 'ema\.', 'model\.': choose"):
        load(state)
    variables, loaded = load(state, prefix="ema.")
    assert loaded.prefix == "ema."
    np.testing.assert_array_equal(
        variables["params"]["level_0"]["norm"]["bias"], state["ema.bn1.bias"]
    )
    with pytest.raises(WeightsError, match=r"holds no ResNet, .*'other\.layer1\.0\.conv1\.weight'"):
        load(state, prefix="other.")


def test_another_network():
    with pytest.raises(WeightsError, match=r"a\.pth: holds no ResNet.*its names are 'x', 'y'$"):
        load({"x": np.ones(1), "y": np.ones(1)})


def test_a_part_of_the_encoder():
    state = {name: array for name, array in resnet().items() if "downsample" not in name}
    with pytest.raises(WeightsError) as caught:
        load(state)
    assert "a.pth: has 15 of the 20 arrays of the network's ResNet" in str(caught.value)
    assert "'params/level_2/block_0/shortcut_conv/kernel', " in str(caught.value)


@pytest.mark.parametrize(
    "name",
    [
        "layer2.1.conv1.weight",  # a deeper network
        "layer2.0.conv2.weight",
        "conv1.bias",
        "layer2.0.se.fc1.weight",  # of a module that ResNet does not have
        "layer1.0.conv1.weight_g",
    ],
)
def test_more_than_the_network_has(name):
    with pytest.raises(WeightsError, match=rf"the network's ResNet lacks \(1: '{name}'\)"):
        load(resnet() | {name: np.ones(4, np.float32)})


def test_a_network_with_fewer_levels():
    shapes = resnet_shapes()
    for collection in shapes.values():
        del collection["level_2"]
    _, loaded = load(resnet(), shapes)
    assert len(loaded.used) == 10
    assert loaded.left_out["layer2.0.conv1.weight"] == "the network has no such level"


def test_another_shape():
    state = resnet() | conv("layer2.0.conv1", 8, 4, 3, 3)
    expected = (
        r"a\.pth: layer2\.0\.conv1\.weight has shape \(8, 4, 3, 3\), but "
        r"params/level_2/block_0/conv_1/kernel of the network needs \(6, 4, 3, 3\)"
    )
    with pytest.raises(WeightsError, match=expected):
        load(state)
    with pytest.raises(WeightsError, match=r"has shape \(6, 4, 3\), but"):
        load(resnet() | conv("layer2.0.conv1", 6, 4, 3))


def test_grey_images():
    shapes = resnet_shapes()
    shapes["params"]["level_0"]["conv"]["kernel"] = (7, 5, 1, 4)
    with pytest.raises(WeightsError, match=r"has 3 input channels, .*by data\.channels=3"):
        load(resnet(), shapes)


def test_elements_that_are_no_weights():
    with pytest.raises(WeightsError, match=r"bn1\.bias has elements of type int8"):
        load(resnet() | {"bn1.bias": np.ones(4, np.int8)})


def test_a_stem_of_three_convolutions():
    state = {name: array for name, array in resnet().items() if name != "conv1.weight"}
    for place_of_conv, place_of_norm in ((0, 1), (3, 4)):
        state |= conv(f"conv1.{place_of_conv}", 4, 3, 3, 3) | norm(f"conv1.{place_of_norm}", 4)
    state |= conv("conv1.6", 4, 3, 3, 3)
    shapes = resnet_shapes()
    scale, mean = norm_shapes(4)
    shapes["params"]["level_0"] = {
        **{f"conv_{n}": {"kernel": (3, 3, 3, 4)} for n in range(3)},
        **{f"norm_{n}": scale for n in range(3)},
    }
    shapes["batch_stats"]["level_0"] = {f"norm_{n}": mean for n in range(3)}
    variables, _ = load(state, shapes, RESNET_DEEP_STEM)
    stem = variables["params"]["level_0"]
    for ours, theirs in (("conv_0", "conv1.0"), ("conv_1", "conv1.3"), ("conv_2", "conv1.6")):
        weight = state[f"{theirs}.weight"]
        np.testing.assert_array_equal(stem[ours]["kernel"], weight.transpose(2, 3, 1, 0))
    for ours, theirs in (("norm_0", "conv1.1"), ("norm_1", "conv1.4"), ("norm_2", "bn1")):
        np.testing.assert_array_equal(stem[ours]["scale"], state[f"{theirs}.weight"])
    with pytest.raises(WeightsError, match="missing are 'params/level_0/conv/kernel'"):
        load(state)


def test_a_depthwise_convolution_has_one_input():
    state = conv("_blocks.0._depthwise_conv", 8, 1, 3, 5)
    shapes = {"params": {"level_0": {"block_0": {"depthwise": {"conv": {"kernel": (3, 5, 1, 8)}}}}}}
    variables, _ = load(state, shapes, EFFICIENTNET_LITE0)
    kernel = variables["params"]["level_0"]["block_0"]["depthwise"]["conv"]["kernel"]
    for y, x, o in np.ndindex(3, 5, 8):
        assert kernel[y, x, 0, o] == state["_blocks.0._depthwise_conv.weight"][o, 0, y, x]


def test_efficientnet_with_squeeze_and_excitation_is_another_network():
    state = conv("_blocks.0._depthwise_conv", 8, 1, 3, 3) | conv("_blocks.0._se_reduce", 2, 8, 1, 1)
    shapes = {"params": {"level_0": {"block_0": {"depthwise": {"conv": {"kernel": (3, 3, 1, 8)}}}}}}
    with pytest.raises(WeightsError, match=r"lacks \(1: '_blocks\.0\._se_reduce\.weight'"):
        load(state, shapes, EFFICIENTNET_LITE0)


def test_a_linear_layer():
    table = RESNET._replace(rules=(*RESNET.rules, Rule("fc", "level_5/dense", "linear")))
    state, shapes = resnet(), resnet_shapes()
    leaf = SimpleNamespace(shape=(6, 10))
    shapes["params"]["level_5"] = {"dense": {"kernel": leaf, "bias": (10,)}}
    variables, _ = load(state, shapes, table)
    dense = variables["params"]["level_5"]["dense"]
    np.testing.assert_array_equal(dense["kernel"], state["fc.weight"].T)
    np.testing.assert_array_equal(dense["bias"], state["fc.bias"])
