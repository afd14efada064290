"""Names of arrays in the decoders of published PyTorch codes, and what these codes do otherwise.

ST++ and PPL have one set of names; CPS, CPCL and DUEB another; U2PL a third. Their networks compute
what ours do, but some concatenate features in another order or normalise several branches at once:
`rearranged_cpcl` and `rearranged_u2pl` turn such a state dictionary into one that has our order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from uaps_jax.weights.names import Rule, Table

State = dict[str, np.ndarray]

BRANCHES = 4  # of the pyramid pooling beside the pooled one
NORM = ("weight", "bias", "running_mean", "running_var")


def _pair(conv: str, norm: str, path: str) -> tuple[Rule, Rule]:
    """The rules of a convolution and its batch normalisation; `path` is ours without `_conv`."""
    return Rule(conv, f"{path}_conv", "convolution"), Rule(norm, f"{path}_norm", "norm")


def _of_pooling(conv: str, norm: str, name: str) -> tuple[Rule, Rule]:
    return (
        Rule(conv, f"pooling/{name.replace('*', 'conv')}", "convolution"),
        Rule(norm, f"pooling/{name.replace('*', 'norm')}", "norm"),
    )


DEEPLABV3PLUS_PPL = Table(
    title="DeepLabV3+ of ST++ and PPL",
    anchor="head.project.0.weight",
    first="",
    inside=r"(head|reduce|fuse|classifier)\.",
    rules=(
        *_of_pooling(r"head\.b([0-3])\.0", r"head\.b([0-3])\.1", r"*_\1"),
        *_of_pooling(r"head\.b4\.gap\.1", r"head\.b4\.gap\.2", "pool_*"),
        *_of_pooling(r"head\.project\.0", r"head\.project\.1", "project_*"),
        *_pair(r"reduce\.0", r"reduce\.1", "low"),
        *_pair(r"fuse\.0", r"fuse\.1", "head_0"),
        *_pair(r"fuse\.3", r"fuse\.4", "head_1"),
        Rule(r"classifier", "classifier", "convolution"),
    ),
    left_out={r"backbone\..*": "encoder"},
)

PSPNET_PPL = Table(
    title="PSPNet of ST++ and PPL",
    anchor="head.conv5.1.weight",
    first="",
    inside=r"head\.",
    rules=(
        *_pair(r"head\.conv5\.0\.conv1\.0", r"head\.conv5\.0\.conv1\.1", "pool_0"),
        *_pair(r"head\.conv5\.0\.conv2\.0", r"head\.conv5\.0\.conv2\.1", "pool_1"),
        *_pair(r"head\.conv5\.0\.conv3\.0", r"head\.conv5\.0\.conv3\.1", "pool_2"),
        *_pair(r"head\.conv5\.0\.conv4\.0", r"head\.conv5\.0\.conv4\.1", "pool_3"),
        *_pair(r"head\.conv5\.1", r"head\.conv5\.2", "head"),
        Rule(r"head\.conv5\.5", "classifier", "convolution"),
    ),
    left_out={r"backbone\..*": "encoder"},
)

FPN_PPL = Table(
    title="FPN of PPL",
    anchor="fpn_g.toplayer.weight",
    first="",
    inside=r"fpn_g\.(toplayer|latlayer|smooth|classify)",
    rules=(
        Rule(r"fpn_g\.toplayer", "lateral_4", "convolution"),
        *(Rule(rf"fpn_g\.latlayer{n}", f"lateral_{4 - n}", "convolution") for n in (1, 2, 3)),
        *(
            Rule(rf"fpn_g\.smooth{n}_{k}", f"smooth_{5 - n}_{k - 1}", "convolution")
            for n in (1, 2, 3, 4)
            for k in (1, 2)
        ),
        Rule(r"fpn_g\.classify", "classifier", "convolution"),
    ),
    left_out={
        r"backbone\..*": "encoder",
        r"outlayer|fpn_g\.(g2l_c5|l2g_c5|up_regular|aux_head\..*)": "layer that is never used",
    },
)

DEEPLABV3PLUS_CPCL = Table(
    title="DeepLabV3+ of CPS, CPCL and DUEB",
    anchor="head.aspp.red_conv.weight",
    first="",
    inside=r"(head|classifier)\.",
    rules=(
        *_of_pooling(r"head\.aspp\.map_convs\.([0-3])", r"head\.aspp\.map_bn\.([0-3])", r"*_\1"),
        *_of_pooling(
            r"head\.aspp\.global_pooling_conv", r"head\.aspp\.global_pooling_bn", "pool_*"
        ),
        *_of_pooling(r"head\.aspp\.red_conv", r"head\.aspp\.red_bn", "project_*"),
        Rule(r"head\.aspp\.pool_red_conv", "pooling/pool_project", "convolution"),
        *_pair(r"head\.reduce\.0", r"head\.reduce\.1", "low"),
        *_pair(r"head\.last_conv\.0", r"head\.last_conv\.1", "head_0"),
        *_pair(r"head\.last_conv\.3", r"head\.last_conv\.4", "head_1"),
        Rule(r"classifier", "classifier", "convolution"),
    ),
    left_out={
        r"backbone\..*": "encoder",
        r"business_layer\..*": "second name of an array",
        r"variancelayer.*": "variance",
    },
)

DEEPLABV3PLUS_U2PL = Table(
    title="DeepLabV3+ of U2PL",
    anchor="low_conv.0.weight",
    first="",
    inside=r"(aspp|head|low_conv|classifier)\.",
    rules=(
        *_of_pooling(r"aspp\.conv1\.1", r"aspp\.conv1\.2", "pool_*"),
        *_of_pooling(r"aspp\.conv2\.0", r"aspp\.conv2\.1", "*_0"),
        *_of_pooling(r"aspp\.conv3\.0", r"aspp\.conv3\.1", "*_1"),
        *_of_pooling(r"aspp\.conv4\.0", r"aspp\.conv4\.1", "*_2"),
        *_of_pooling(r"aspp\.conv5\.0", r"aspp\.conv5\.1", "*_3"),
        *_of_pooling(r"head\.0", r"head\.1", "project_*"),
        *_pair(r"low_conv\.0", r"low_conv\.1", "low"),
        *_pair(r"classifier\.0", r"classifier\.1", "head_0"),
        *_pair(r"classifier\.4", r"classifier\.5", "head_1"),
        Rule(r"classifier\.8", "classifier", "convolution"),
    ),
    left_out={r"representation\..*": "projection for the contrastive loss"},
)


def rearranged_cpcl(state: Mapping[str, np.ndarray], prefix: str) -> State:
    """One batch normalisation of four branches becomes four; the fine level comes first."""
    changed = dict(state)
    for array in NORM:
        joined = changed.get(f"{prefix}head.aspp.map_bn.{array}")
        if joined is not None and joined.ndim == 1 and len(joined) % BRANCHES == 0:
            del changed[f"{prefix}head.aspp.map_bn.{array}"]
            for branch, part in enumerate(np.split(joined, BRANCHES)):
                changed[f"{prefix}head.aspp.map_bn.{branch}.{array}"] = part
    coarse = f"{prefix}head.aspp.red_conv.weight"
    return _first_channels_last(changed, f"{prefix}head.last_conv.0.weight", coarse)


def rearranged_u2pl(state: Mapping[str, np.ndarray], prefix: str) -> State:
    """The pooled branch comes last."""
    pooled = f"{prefix}aspp.conv1.1.weight"
    return _first_channels_last(dict(state), f"{prefix}head.0.weight", pooled)


def _first_channels_last(state: State, name: str, branch: str) -> State:
    """Moves the input channels that come from a branch, the first, behind the others.

    An array that is missing or has another shape stays: whoever reads it reports it.
    """
    kernel, source = state.get(name), state.get(branch)
    if kernel is None or source is None or kernel.ndim != 4 or source.ndim == 0:
        return state
    width = source.shape[0]
    return state | {name: np.concatenate([kernel[:, width:], kernel[:, :width]], axis=1)}


def as_it_is(state: Mapping[str, np.ndarray], prefix: str) -> State:
    """The order is ours."""
    del prefix
    return dict(state)


Rearrange = Callable[[Mapping[str, np.ndarray], str], State]

Published = tuple[tuple[Table, Rearrange], ...]
"""For each decoder of a network: its names, and the change of a state dictionary."""

DEEPLABV3PLUS: dict[str, tuple[Table, Rearrange]] = {
    "ppl": (DEEPLABV3PLUS_PPL, as_it_is),
    "cpcl": (DEEPLABV3PLUS_CPCL, rearranged_cpcl),
    "u2pl": (DEEPLABV3PLUS_U2PL, rearranged_u2pl),
}
"""By the form of the decoder: names, and the change of a state dictionary."""
