"""Settings of the network."""

# Annotations are evaluated here: ml_collections reads the types of overrides from them.

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from uaps_jax.config.checks import check
from uaps_jax.config.rules import at_least, below_one, each, low_high, rule
from uaps_jax.config.section import Section, lookup

if TYPE_CHECKING:
    from uaps_jax.config.schema import Config


@dataclass(slots=True, kw_only=True)
class ModelConfig(Section):
    """The U-Net and its decoders."""

    auxiliary: int = field(metadata=at_least(0))  # number of auxiliary decoders
    widths: tuple[int, ...] = field(  # encoder channels per level
        metadata=rule(
            lambda v: len(v) >= 2 and all(w > 0 for w in v), "needs two or more positive numbers"
        )
    )
    dropout: tuple[float, ...] = field(metadata=each(below_one()))  # encoder dropout per level
    noise_limit: float = field(metadata=at_least(0))  # FeatureNoise: U(-limit, limit)
    perturb_dropout: float = field(metadata=below_one())  # rate of the dropout perturbation
    # FeatureDropout: range of the threshold
    feature_dropout: tuple[float, float] = field(metadata=low_high(minimum=0))
    # how the decoders run; the same up to rounding
    execution: Literal["unrolled", "vmapped", "grouped"]
    # compute type; float64 is for numerical checks (needs x64)
    dtype: Literal["float32", "bfloat16", "float64"]

    def problems(self, config: "Config") -> Iterator[str]:
        """Images that cannot be halved often enough, and rates for another number of levels."""
        halvings = max(len(self.widths) - 1, 0)
        for key in ("data.height", "data.width"):
            yield from check(
                config,
                key,
                lookup(config, key) % 2**halvings == 0,
                f"must be a multiple of {2**halvings} (the network halves the image {halvings} "
                "times)",
            )
        yield from check(
            config,
            "model.dropout",
            len(self.dropout) == len(self.widths),
            f"needs {len(self.widths)} rates, one a level",
        )
