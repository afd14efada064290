"""Names of arrays in UAPS's PyTorch code: a U-Net of five levels with any number of decoders."""

from __future__ import annotations

from uaps_jax.weights.names import Rule, Table

DEEPEST = 4


def _block(name: str, path: str) -> tuple[Rule, ...]:
    """Two convolutions with their batch normalisations; an activation and a dropout are between."""
    return (
        Rule(rf"{name}\.conv_conv\.0", f"{path}/conv_0", "convolution"),
        Rule(rf"{name}\.conv_conv\.1", f"{path}/norm_0", "norm"),
        Rule(rf"{name}\.conv_conv\.4", f"{path}/conv_1", "convolution"),
        Rule(rf"{name}\.conv_conv\.5", f"{path}/norm_1", "norm"),
    )


ENCODER = Table(
    title="encoder of UAPS's U-Net",
    anchor="encoder.in_conv.conv_conv.0.weight",
    first="params/block_0/conv_0/kernel",
    inside=r"encoder\.",
    rules=(
        *_block(r"encoder\.in_conv", "block_0"),
        *_block(r"encoder\.down(\d)\.maxpool_conv\.1", r"block_\1"),
    ),
    left_out={r"(main_decoder|aux_decoder\d+)\..*": "decoder"},
)


def decoder(name: str) -> Table:
    """The names of a decoder, `main_decoder` or `aux_decoder<k>`; its `up1` is the deepest step."""
    steps = range(1, DEEPEST + 1)
    return Table(
        title=f"{name} of UAPS's U-Net",
        anchor=f"{name}.out_conv.weight",
        first="",
        inside=rf"{name}\.",
        rules=(
            *(
                Rule(rf"{name}\.up{s}\.conv1x1", f"reduce_{DEEPEST - s}", "convolution")
                for s in steps
            ),
            *(r for s in steps for r in _block(rf"{name}\.up{s}\.conv", f"block_{DEEPEST - s}")),
            Rule(rf"{name}\.out_conv", "classifier", "convolution"),
        ),
        left_out={r"encoder\..*": "encoder", r"(main_decoder|aux_decoder\d+)\..*": "other decoder"},
    )


def decoders(auxiliary: int) -> tuple[Table, ...]:
    """The main decoder and so many auxiliary ones."""
    return tuple(map(decoder, ("main_decoder", *(f"aux_decoder{k + 1}" for k in range(auxiliary)))))
