"""Settings of the CRF."""

from __future__ import annotations

from uaps_jax import config as c


def no_crf() -> c.CRFConfig:
    """No CRF; with more iterations than 0, URN's, but for the width of grey values.

    URN compares colours with a width of 3, which is narrower than the noise of most surfaces, and
    positions with a width of 67 pixels, in images whose longer side is 500.
    """
    return c.CRFConfig(
        iterations=0,
        form="full",
        guide="grey",
        window=15,
        position_weight=3.0,
        position_sigma=1.0,
        bilateral_weight=4.0,
        bilateral_sigma=0.134,
        level_sigma=10.0,
    )
