"""Settings that all networks have, and the table of network families."""

# Annotations are evaluated here: ml_collections reads the types of overrides from them.

from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from uaps_jax.config.checks import check
from uaps_jax.config.rules import at_least, below_one, low_high
from uaps_jax.config.section import Section, lookup

if TYPE_CHECKING:
    from uaps_jax.config.schema import Config


@dataclass(slots=True, kw_only=True)
class NetworkConfig(Section):
    """The settings of a network; each family's file has its own, registered in `uaps_jax.models`.

    Attributes:
      name: of the family.
    """

    name: ClassVar[str]

    auxiliary: int = field(metadata=at_least(0))  # number of auxiliary decoders
    noise_limit: float = field(metadata=at_least(0))  # FeatureNoise: U(-limit, limit)
    perturb_dropout: float = field(metadata=below_one())  # rate of the dropout perturbation
    # FeatureDropout: range of the threshold
    feature_dropout: tuple[float, float] = field(metadata=low_high(minimum=0))
    # initial weights: a PyTorch file, a work directory, "imagenet" for the published weights of the
    # encoder; empty: drawn at random
    pretrained: str
    pretrained_parts: Literal["encoder", "all"]  # what is taken from there
    # beginning of the names to read in a file of several networks, such as branch1.
    pretrained_prefix: str
    # compute type; float64 is for numerical checks (needs x64)
    dtype: Literal["float32", "bfloat16", "float64"]

    @classmethod
    def like(cls, network: "NetworkConfig", **own: Any) -> Self:
        """Settings of this family whose common part is that of another network's."""
        names = [setting.name for setting in fields(NetworkConfig)]
        return cls(**{name: getattr(network, name) for name in names}, **own)

    @property
    def stride(self) -> int:
        """Height and width of the images must be multiples of it."""
        raise NotImplementedError

    def problems(self, config: "Config") -> Iterator[str]:
        """A height or width that is not a multiple of the stride, parts of no weights."""
        for key, unused in (
            ("network.pretrained_parts", "encoder"),
            ("network.pretrained_prefix", ""),
        ):
            yield from check(
                config,
                key,
                bool(self.pretrained) or lookup(config, key) == unused,
                "needs network.pretrained, which names the weights",
            )
        for key in ("data.height", "data.width"):
            yield from check(
                config,
                key,
                lookup(config, key) % self.stride == 0,
                f"must be a multiple of {self.stride}, the stride of the network ({self.name})",
            )


NETWORKS: dict[str, type[NetworkConfig]] = {}
"""Name of a family -> its settings; `uaps_jax.models.register` adds to it."""
