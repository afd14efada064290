"""Operations of the published network (UAPS, Fig. 9), counted in the program."""

import jax
import jax.numpy as jnp
import pytest

from tests import method_oracles
from tests.models.networks import small
from uaps_jax import models
from uaps_jax.configs import neu_uaps
from uaps_jax.models import cost, initialize

# D: parameters in millions, multiply-accumulates in billions at 256 px, as printed.
PUBLISHED = {0: (1.82, 2.98), 1: (2.45, 4.87), 2: (3.08, 6.75), 3: (3.72, 8.64), 4: (4.35, 10.53)}


@pytest.mark.parametrize("auxiliary", PUBLISHED)
def test_parameters_and_operations_of_the_published_figure(auxiliary):
    config = neu_uaps.get_config()
    config.network.auxiliary = auxiliary
    model = models.build(config, {})
    shapes = model.shapes()
    image = jax.ShapeDtypeStruct((1, 256, 256, 3), jnp.float32)
    parameters = initialize.count(shapes["params"])
    macs = cost.macs(lambda v, x: model.all_logits(v, x, None), shapes, image)
    printed_parameters, printed_macs = PUBLISHED[auxiliary]
    # The figure has 1.82 and 3.72 for 1,814,052 and 3,713,952.
    assert abs(printed_parameters - parameters / 1e6) < 0.0061
    assert round(macs / 1e9, 2) == printed_macs
    main = cost.macs(model.main_logits, shapes, image)
    assert round(main / 1e9, 2) == PUBLISHED[0][1]


def test_convolutions_alone_equal_the_oracle():
    """Without the biases, which are one for each output of a convolution."""
    model = small(classes=4, auxiliary=2, widths=(2, 3, 5), dropout=(0.0,) * 3)
    image = jax.ShapeDtypeStruct((1, 16, 16, 3), jnp.float32)
    result = cost.macs(lambda v, x: model.all_logits(v, x, None), model.shapes(), image)
    encoder = 2 * (256 * 2 + 64 * 3 + 16 * 5)
    decoder = 2 * (256 * 2 + 64 * 3) + 64 * 2 + 16 * 3 + 256 * 4
    expected = method_oracles.macs_unet(3, 4, 2, 16, (2, 3, 5))
    assert result == expected + encoder + 3 * decoder
