"""Settings of a method: what all methods share, and the table of them."""

# Annotations are evaluated here: ml_collections reads the types of overrides from them.

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Literal

from uaps_jax.config.checks import check
from uaps_jax.config.rules import at_least
from uaps_jax.config.section import Section

if TYPE_CHECKING:
    from uaps_jax.config.schema import Config

Form = Literal["released", "repaired"]
"""What the published code computes, or what its paper means."""

TeacherMode = Literal["train", "eval"]
"""How a teacher predicts: with dropout and the statistics of its batch, or with running ones."""


@dataclass(slots=True, kw_only=True)
class MethodConfig(Section):
    """The settings of a method; each method's file has its own, registered in `uaps_jax.methods`.

    Attributes:
      name: the method's.
      ramp_share: in a shortened run, the share of the steps after which its weights are full.
      heads: extra heads that its networks have, and their channels.
      auxiliary: the smallest and the largest number of auxiliary decoders that it takes.
    """

    name: ClassVar[str]
    ramp_share: ClassVar[float] = 0.0
    heads: ClassVar[Mapping[str, int]] = {}
    auxiliary: ClassVar[tuple[float, float]] = (0, math.inf)

    def problems(self, config: "Config") -> Iterator[str]:
        """A number of auxiliary decoders that the method does not take."""
        least, most = self.auxiliary
        wanted = f"has {least:g}" if least == most else f"needs at least {least:g}"
        yield from check(
            config,
            "network.auxiliary",
            least <= config.network.auxiliary <= most,
            f"method {self.name} {wanted}",
        )

    def scale_ramps(self, steps: int, share: float) -> None:
        """Fits what is counted in steps to a run of `steps`; ramps take `share` of them."""


@dataclass(slots=True, kw_only=True)
class RampedConfig(MethodConfig):
    """The settings of a method whose unlabeled terms grow over the first part of the run."""

    ramp_interval: int = field(metadata=at_least(1))  # s: the ramp moves once every s steps
    ramp_length: int = field(metadata=at_least(1))  # R: it saturates after s * R steps

    def scale_ramps(self, steps: int, share: float) -> None:
        """Saturates after `share` of `steps`, moving at every step."""
        self.ramp_interval, self.ramp_length = 1, max(1, round(share * steps))


METHODS: dict[str, type[MethodConfig]] = {}
"""Settings by the method's name; `uaps_jax.methods.register` fills it."""


def paired_batches(config: "Config") -> Iterator[str]:
    """What is wrong with the batches of a method that mixes images of both streams."""
    yield from check(
        config,
        "train.batch_unlabeled",
        config.train.batch_unlabeled == config.train.batch_labeled,
        f"{config.method.name} mixes images of both streams: must equal train.batch_labeled = "
        f"{config.train.batch_labeled}",
    )
    for index, side in enumerate(("height", "width")):
        labeled, unlabeled = (
            view.size(config.data)[index] for view in (config.views.labeled, config.views.unlabeled)
        )
        yield from check(
            config,
            f"views.unlabeled.crop_{side}",
            labeled == unlabeled,
            f"{config.method.name} mixes images of both streams, and labeled views have a "
            f"{side} of {labeled}: must be the same",
        )
