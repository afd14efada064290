"""Networks against what PyTorch computes with the same weights.

`torch_networks.json` was written by `python -m benchmarks.network_parity --write`; the weights are
made again from the names and shapes in it, and go through the tables of names.
"""

import json
from pathlib import Path

import jax
import numpy as np
import pytest
from numpy.testing import assert_allclose

from benchmarks import parity_state
from tests import tiny
from uaps_jax import models
from uaps_jax.config import validate
from uaps_jax.configs.parts.networks import NETWORKS
from uaps_jax.models import encoders, published
from uaps_jax.models.network import COLLECTIONS
from uaps_jax.weights import decoders

CASES = json.loads((Path(__file__).parent / "torch_networks.json").read_text())
CODES = {
    table.title: (table, rearranged)
    for table, rearranged in (
        *decoders.DEEPLABV3PLUS.values(),
        (decoders.PSPNET_PPL, decoders.as_it_is),
        (decoders.FPN_PPL, decoders.as_it_is),
        (parity_state.UNET_DECODER, decoders.as_it_is),
    )
}


def variables_of(case, network, encoder):
    state, shapes = parity_state.state(case["shapes"]), network.shapes()
    of_encoder, _ = published.encoder_variables(state, encoder, shapes, "PyTorch")
    names = CODES[case["decoder"]]
    of_decoder, _ = published.decoder_variables(state, (names,), shapes, "PyTorch")
    return {c: {"encoder": of_encoder[c], "decoders": of_decoder[c]} for c in COLLECTIONS}


def assert_close(ours, numbers):
    """Within 1e-4 of the root mean square, which is the last number."""
    assert_allclose(parity_state.numbers(ours), numbers, rtol=1e-4, atol=1e-4 * numbers[-1])


@pytest.mark.parametrize("name", CASES)
def test_features_and_logits_are_those_of_pytorch(name):
    case = CASES[name]
    config = tiny.config("supervised")
    config.data.height = config.data.width = parity_state.SIZE
    config.data.classes = 4
    config.network = NETWORKS[case["network"]](**case["settings"])
    config = validate(config)
    network = models.build(config, {})
    variables = variables_of(case, network, encoders.ENCODERS[config.network.encoder].table)

    def run(variables, images):
        encoder = {c: variables[c]["encoder"] for c in COLLECTIONS}
        levels = network.encoder.apply(encoder, images, train=False)
        return levels, network.main_logits(variables, images)

    with jax.default_matmul_precision("highest"):
        levels, logits = jax.jit(run)(variables, parity_state.images())
    known = case["levels"]  # of ResNets all but the finest
    for level, numbers in zip(levels[-len(known) :], known, strict=True):
        assert_close(np.asarray(level), numbers)
    assert_close(np.asarray(logits), case["logits"])
