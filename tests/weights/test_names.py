"""Names in state dictionaries, and where the arrays go."""

import pytest

from uaps_jax.weights import EFFICIENTNET_LITE0, RESNET
from uaps_jax.weights.names import Place, Rule, place


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("_conv_stem.weight", "params/level_0/stem/conv/kernel"),
        ("_bn0.running_var", "batch_stats/level_0/stem/norm/var"),
        ("_blocks.0._depthwise_conv.weight", "params/level_0/block_0/depthwise/conv/kernel"),
        ("_blocks.1._expand_conv.weight", "params/level_1/block_1/expand/conv/kernel"),
        ("_blocks.2._bn0.weight", "params/level_1/block_2/expand/norm/scale"),
        ("_blocks.4._bn1.bias", "params/level_2/block_4/depthwise/norm/bias"),
        ("_blocks.5._bn2.running_mean", "batch_stats/level_3/block_5/project/norm/mean"),
        ("_blocks.10._project_conv.weight", "params/level_3/block_10/project/conv/kernel"),
        ("_blocks.11._bn2.weight", "params/level_4/block_11/project/norm/scale"),
        ("_blocks.15._bn2.weight", "params/level_4/block_15/project/norm/scale"),
    ],
)
def test_places_of_efficientnet_lite0(name, path):
    assert place(name, EFFICIENTNET_LITE0).path == path


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("_conv_head.weight", "head of the classifier"),
        ("_bn1.running_mean", "head of the classifier"),
        ("_fc.bias", "classifier"),
        ("_bn1.num_batches_tracked", "counter of batches"),
        ("_blocks.16._bn1.weight", "unknown name"),
        ("_blocks.1._se_reduce.weight", "unknown name"),
    ],
)
def test_what_is_left_out_of_efficientnet_lite0(name, why):
    assert place(name, EFFICIENTNET_LITE0) == why


def test_the_axes_of_a_linear_layer():
    table = RESNET._replace(rules=(Rule("fc", "level_5/dense", "linear"),))
    assert place("fc.weight", table) == Place("params/level_5/dense/kernel", (1, 0))
    assert place("fc.bias", table) == Place("params/level_5/dense/bias", None)
