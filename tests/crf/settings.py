"""Settings and images for tests of the CRF."""

import numpy as np

from uaps_jax.config import CRFConfig


def settings(**changes):
    """A CRF on images of a few pixels."""
    values = {
        "iterations": 5,
        "form": "full",
        "guide": "grey",
        "window": 9,
        "position_weight": 3.0,
        "position_sigma": 1.0,
        "bilateral_weight": 4.0,
        "bilateral_sigma": 0.3,
        "level_sigma": 12.0,
    }
    return CRFConfig(**(values | changes))


def edge(height=11, width=9, seed=0):
    """A noisy step between two colours, uint8 `[H, W, 3]`."""
    random = np.random.default_rng(seed)
    image = random.integers(0, 40, (height, width, 3))
    image[:, width // 2 :] += np.array([100, 60, 180])
    return image.astype(np.uint8)


def soft(height=11, width=9, classes=3, alpha=0.8):
    """Random probabilities, the surer the lower `alpha`, float32 `[H, W, C]`."""
    random = np.random.default_rng(1)
    return random.dirichlet([alpha] * classes, (height, width)).astype(np.float32)
