"""Networks against PyTorch with the same random weights: features, logits and batch statistics.

    python -m benchmarks.network_parity [--float64] [NAME ...]
    python -m benchmarks.network_parity --write

In float32, batch normalisations over few numbers (the pooled features of four images) magnify
rounding in training mode; --float64 shows that nothing else differs. --write writes what
`tests/models/test_torch_networks.py` compares.
It needs torch and torchvision (`benchmarks/requirements.txt`). Weights go from PyTorch's state
dictionary through the tables of names in `uaps_jax/weights/`, which are tried by that too.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import jax
import numpy as np
import torch
from torch import nn

from benchmarks import parity_state, torch_lite0, torch_networks
from uaps_jax import models, weights
from uaps_jax.configs import train
from uaps_jax.models import encoders, layers, published
from uaps_jax.models.network import COLLECTIONS, Network
from uaps_jax.trees import Tree, named_leaves
from uaps_jax.weights import decoders
from uaps_jax.weights.names import COUNTERS

CLASSES = 4
SIZE = 128
GRID = (2, 2, 4)


class Case(NamedTuple):
    """A network of `configs/parts/networks.py`, other settings, PyTorch's, the decoder's names."""

    network: str
    settings: dict[str, Any]
    torch: Callable[[], Any]
    table: weights.Table
    rearranged: decoders.Rearrange = decoders.as_it_is


def _net(depth: int, stride: int, *, deep: bool = False, grid: tuple[int, ...] = ()) -> Any:
    return torch_networks.backbone(depth, stride, deep=deep, grid=grid)


CASES = {
    "EfficientNet-Lite0, U-Net's decoder": Case(
        "efficientnet_lite0",
        {"pretrained": ""},
        lambda: torch_lite0.Lite0UNet(CLASSES),
        parity_state.UNET_DECODER,
    ),
    "resnet18, stride 32, DeepLabV3+ of PPL": Case(
        "deeplabv3plus_resnet18",
        {},
        lambda: torch_networks.PPL(_net(18, 32), CLASSES, 64, (12, 24, 36)),
        decoders.DEEPLABV3PLUS_PPL,
    ),
    "resnet50, stride 8, DeepLabV3+ of PPL": Case(
        "deeplabv3plus_resnet50",
        {},
        lambda: torch_networks.PPL(_net(50, 8), CLASSES, 256, (12, 24, 36)),
        decoders.DEEPLABV3PLUS_PPL,
    ),
    "resnet50, stride 16, deep stem, multi-grid, DeepLabV3+ of CPCL": Case(
        "deeplabv3plus_cpcl",
        {},
        lambda: torch_networks.CPCL(_net(50, 16, deep=True, grid=GRID), CLASSES, 256, (6, 12, 18)),
        *decoders.DEEPLABV3PLUS["cpcl"],
    ),
    "resnet50, stride 8, deep stem, multi-grid, DeepLabV3+ of U2PL": Case(
        "deeplabv3plus_u2pl",
        {"encoder": "resnet50_deep"},
        lambda: torch_networks.U2PL(_net(50, 8, deep=True, grid=GRID), CLASSES, 256, (12, 24, 36)),
        *decoders.DEEPLABV3PLUS["u2pl"],
    ),
    "resnet18, stride 32, PSPNet": Case(
        "pspnet_resnet18",
        {},
        lambda: torch_networks.PSPNet(_net(18, 32), CLASSES),
        decoders.PSPNET_PPL,
    ),
    "resnet50, stride 8, PSPNet": Case(
        "pspnet_resnet50",
        {},
        lambda: torch_networks.PSPNet(_net(50, 8), CLASSES),
        decoders.PSPNET_PPL,
    ),
    "resnet34, stride 32, FPN": Case(
        "fpn_resnet18",
        {"encoder": "resnet34"},
        lambda: torch_networks.FPN(_net(34, 32), CLASSES, 64),
        decoders.FPN_PPL,
    ),
    "resnet50, stride 32, FPN": Case(
        "fpn_resnet50",
        {"output_stride": 32},
        lambda: torch_networks.FPN(_net(50, 32), CLASSES, 256),
        decoders.FPN_PPL,
    ),
}


LARGE = ("resnet50, stride 8, DeepLabV3+ of PPL", "resnet50, stride 32, FPN")
TESTED = tuple(name for name in CASES if name not in LARGE)
"""Cases that the tests repeat without PyTorch."""


def ours(case: Case, dtype: str) -> tuple[Network, encoders.EncoderConfig]:
    """Our network of a case."""
    config = train.build(dataset="neu", method="supervised", network=case.network)
    for key, value in {**case.settings, "dtype": dtype}.items():
        setattr(config.network, key, value)
    assert isinstance(config.network, encoders.EncoderConfig)
    return models.build(config, {}), config.network


def randomized(network: nn.Module) -> nn.Module:
    """PyTorch's own initial values, and batch normalisations that are not the identity."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.0)
            nn.init.uniform_(module.bias, -0.3, 0.3)
        if isinstance(module, nn.Dropout | nn.Dropout2d):
            module.p = 0.0
    return network


def case_of(network: str) -> Case:
    """The first case of a network of `configs/parts/networks.py`."""
    return next(case for case in CASES.values() if case.network == network)


def variables_of(case: Case, theirs: nn.Module, network: Network, encoder: weights.Table) -> Tree:
    """Our variables of PyTorch's network."""
    state = {name: value.numpy().copy() for name, value in theirs.state_dict().items()}
    return converted(case, state, network, encoder)


def converted(
    case: Case, state: dict[str, np.ndarray], network: Network, encoder: weights.Table
) -> Tree:
    """Our variables of PyTorch's state dictionary."""
    shapes = network.shapes()
    of_encoder, _ = published.encoder_variables(state, encoder, shapes, "PyTorch")
    names = case.table, case.rearranged
    of_decoder, _ = published.decoder_variables(state, (names,), shapes, "PyTorch")
    return {c: {"encoder": of_encoder[c], "decoders": of_decoder[c]} for c in COLLECTIONS}


def difference(a: Any, b: Any) -> float:
    """||a - b|| / ||b||."""
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    return float(np.linalg.norm(a - b) / np.linalg.norm(b))


def compare(case: Case, dtype: Any) -> dict[str, float]:
    """The relative differences of a case, in training and in evaluation mode."""
    torch.manual_seed(0)
    network, settings = ours(case, np.dtype(dtype).name)
    theirs: Any = randomized(case.torch()).to(
        torch.float64 if dtype == np.float64 else torch.float32
    )
    encoder = encoders.ENCODERS[settings.encoder].table
    variables = wide(variables_of(case, theirs, network, encoder), dtype)
    images = np.random.default_rng(0).normal(size=(4, SIZE, SIZE, 3)).astype(dtype)
    inputs = torch.from_numpy(images.transpose(0, 3, 1, 2).copy())

    train_step = jax.jit(lambda v, x: network.train_outputs(v, x, jax.random.key(0)))
    with mock.patch.object(layers, "dropout", lambda key, x, rate, shape: x):
        outputs, statistics = train_step(variables, images)
    theirs.train()
    with torch.no_grad():
        expected = theirs(inputs)
    after = variables_of(case, theirs, network, encoder)["batch_stats"]
    found = {"logits in training": difference(outputs.logits[0], _nhwc(expected))}
    pairs = zip(named_leaves(statistics).values(), named_leaves(after).values(), strict=True)
    found["running statistics"] = max(difference(a, b) for a, b in pairs)

    theirs.eval()
    with torch.no_grad():
        levels, expected = theirs.levels(inputs), theirs(inputs)
    updated = wide({"params": variables["params"], "batch_stats": after}, dtype)
    encode = jax.jit(lambda v, x: network.encoder.apply(v, x, train=False))
    pyramid = encode({c: updated[c]["encoder"] for c in COLLECTIONS}, images)
    found["features"] = max(
        difference(a, _nhwc(b)) for a, b in zip(pyramid[-len(levels) :], levels, strict=True)
    )
    logits = jax.jit(network.main_logits)(updated, images)
    found["logits"] = difference(logits, _nhwc(expected))
    return found


def wide(tree: Tree, dtype: Any) -> Tree:
    """The arrays in another type."""
    return jax.tree.map(lambda leaf: np.asarray(leaf, dtype), tree)


def _nhwc(x: torch.Tensor) -> np.ndarray:
    return x.detach().numpy().transpose(0, 2, 3, 1)


def written(case: Case) -> dict[str, Any]:
    """What the test compares: names and shapes of PyTorch's arrays, and what it computes."""
    theirs: Any = case.torch().eval()
    shapes = {
        name: tuple(value.shape)
        for name, value in theirs.state_dict().items()
        if not name.endswith(COUNTERS)
    }
    made = parity_state.state(shapes)
    theirs.load_state_dict({n: torch.from_numpy(a) for n, a in made.items()}, strict=False)
    inputs = torch.from_numpy(parity_state.images().transpose(0, 3, 1, 2).copy())
    with torch.no_grad():
        levels, logits = theirs.levels(inputs), theirs(inputs)
    return {
        "network": case.network,
        "settings": case.settings,
        "decoder": case.table.title,
        "shapes": shapes,
        "levels": [parity_state.numbers(_nhwc(level)) for level in levels],
        "logits": parity_state.numbers(_nhwc(logits)),
    }


def main(names: list[str]) -> None:
    """Prints the differences of all cases, or of those whose name contains a word."""
    if "--write" in names:
        file = Path("tests/models/torch_networks.json")
        file.write_text(json.dumps({name: written(CASES[name]) for name in TESTED}) + "\n")
        return
    dtype = np.float64 if "--float64" in names else np.float32
    jax.config.update("jax_enable_x64", dtype == np.float64)
    names = [name for name in names if not name.startswith("--")]
    worst = 0.0
    for name, case in CASES.items():
        if names and not any(word in name for word in names):
            continue
        found = compare(case, dtype)
        worst = max(worst, *found.values())
        print(f"{name}: " + ", ".join(f"{key} {value:.1e}" for key, value in found.items()))
    print(f"largest relative difference {worst:.1e}")
    sys.exit(worst > 1e-4)


if __name__ == "__main__":
    jax.config.update("jax_default_matmul_precision", "highest")
    main(sys.argv[1:])
