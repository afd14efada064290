"""Every family of networks as an ONNX file: it equals the checkpoint, in the expected operators."""

from collections import Counter

import jax
import numpy as np
import pytest

from tests import tiny
from tests.inference.exports import exported, photographs, run, session, trained
from uaps_jax.configs.parts import networks
from uaps_jax.inference import comparison
from uaps_jax.models import deeplabv3plus, resnet

DEEPLAB = {"encoder": "resnet18", "pooling_width": 4, "pooling_rates": (1, 2)}
SETTINGS = {
    "unet": {"widths": (3, 4, 5, 6, 7)},
    "efficientnet_lite0": {"widths": (4, 3, 5, 6)},
    "deeplabv3plus_resnet18": DEEPLAB,
    "deeplabv3plus_cpcl": DEEPLAB | {"multi_grid": (2, 4)},
    "deeplabv3plus_u2pl": DEEPLAB | {"multi_grid": (2, 4)},
    "pspnet_resnet18": {"bins": (1, 2, 3)},
    "fpn_resnet18": {"width": 4},
}
"""A small network of each form."""

BIG = (
    "deeplabv3plus_resnet50",
    "deeplabv3plus_cpcl",
    "deeplabv3plus_u2pl",
    "pspnet_resnet50",
    "fpn_resnet50",
)
"""Those that take long to compile: their nodes are counted."""
SIDE = 64


@pytest.fixture(autouse=True)
def _narrow(monkeypatch):
    monkeypatch.setattr(resnet, "WIDTHS", (4, 8, 8, 12))
    monkeypatch.setattr(deeplabv3plus, "WIDTH", 8)


def configured(name, fit, **settings):
    config = tiny.config("supervised")
    config.data.height = config.data.width = SIDE
    config.data.fit = fit
    config.network = networks.NETWORKS[name](**{"pretrained": ""} | settings)
    return config


def test_every_network_is_here():
    assert {*SETTINGS, *BIG} == {*networks.NETWORKS}


@pytest.mark.parametrize("fit", ["resize", "pad"])
@pytest.mark.parametrize("name", SETTINGS)
def test_it_equals_the_checkpoint(name, fit):
    config = configured(name, fit, **SETTINGS[name])
    method, variables = trained(config)
    predictor = method.predictor("")
    model = exported(config, predictor, variables)
    limit = 1e-5 if name == "unet" else 1e-4
    sides = (SIDE // 2, 3 * SIDE // 2) if fit == "pad" else (SIDE, SIDE)
    images = photographs(3, *sides)
    found = comparison.differences(run(model), config, predictor, None, variables, images)
    assert found.probabilities <= limit
    probabilities, mask = session(model).run(["probabilities", "mask"], {"images": images})
    assert probabilities.std() > 1e-2
    assert len(np.unique(mask)) > 1


@pytest.mark.parametrize("name", BIG)
def test_normalisation_is_part_of_the_convolutions(name):
    config = configured(name, "pad")
    method, variables = trained(config)
    model = exported(config, method.predictor(""), variables)
    count = Counter(node.op_type for node in model.graph.node)
    paths = [path for path, _ in jax.tree_util.tree_leaves_with_path(variables)]
    assert count["Conv"] == sum(path[-1].key == "kernel" for path in paths)
    assert count["BatchNormalization"] == count["Sqrt"] == 0
    if config.network.name != "pspnet":
        assert count["Transpose"] == 1  # of the photographs


def test_depthwise_convolutions_are_grouped():
    config = configured("efficientnet_lite0", "pad", **SETTINGS["efficientnet_lite0"])
    method, variables = trained(config)
    model = exported(config, method.predictor(""), variables)
    groups = [a.i for node in model.graph.node for a in node.attribute if a.name == "group"]
    assert len(groups) == 16
    assert groups[0] == 32
