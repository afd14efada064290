"""Settings of the conditional random field that refines probabilities along edges of an image."""

# Annotations are evaluated here: ml_collections reads the types of overrides from them.

from dataclasses import dataclass, field
from typing import Literal

from uaps_jax.config.rules import above, at_least, rule
from uaps_jax.config.section import Section


@dataclass(slots=True, kw_only=True)
class CRFConfig(Section):
    """The CRF of `uaps_jax.crf`."""

    iterations: int = field(metadata=at_least(0))  # of mean field; 0: no CRF
    # "full": all pixels are neighbours; "window": window x window pixels around each
    form: Literal["full", "window"]
    # what is compared: grey values or colours. "full" with colours takes time in proportion to the
    # square of the number of pixels
    guide: Literal["grey", "colour"]
    # "window": neighbours along each axis; they extend to two sigmas of the bilateral kernel
    window: int = field(
        metadata=rule(lambda v: v >= 3 and v % 2 == 1, "must be an odd number from 3 on")
    )
    position_weight: float = field(metadata=at_least(0))  # of the kernel of positions alone
    position_sigma: float = field(metadata=above(0))  # its width, in pixels
    bilateral_weight: float = field(metadata=at_least(0))  # of the kernel of positions and guide
    bilateral_sigma: float = field(metadata=above(0))  # its width, as a part of the longer side
    # width of the bilateral kernel in grey values or colours, which are 0 to 255
    level_sigma: float = field(metadata=above(0))
