"""Settings that all methods have, and the table of methods."""

# Annotations are evaluated here: ml_collections reads the types of overrides from them.

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Literal

from uaps_jax.config.checks import check
from uaps_jax.config.heads import Head
from uaps_jax.config.rules import at_least
from uaps_jax.config.section import Section, lookup

if TYPE_CHECKING:
    from uaps_jax.config.schema import Config

Form = Literal["released", "repaired"]
""""released": what the published code computes; "repaired": what the paper describes."""

TeacherMode = Literal["train", "eval"]
"""How a teacher predicts: "train" with dropout and batch statistics, "eval" with running ones."""


@dataclass(slots=True, kw_only=True)
class MethodConfig(Section):
    """The settings of a method; each method's file has its own, registered in `uaps_jax.methods`.

    Attributes:
      name: of the method.
      ramp_share: fraction of the steps after which its ramps are complete, in a shortened run.
      auxiliary: the smallest and the largest number of auxiliary decoders.
      mixes_streams: whether images of both streams are mixed, so must be as many and as large.
      late_starts: settings that count first steps without the unlabeled loss -> the share of the
        steps that they usually are.
    """

    name: ClassVar[str]
    ramp_share: ClassVar[float] = 0.0
    auxiliary: ClassVar[tuple[float, float]] = (0, math.inf)
    mixes_streams: ClassVar[bool] = False
    late_starts: ClassVar[Mapping[str, float]] = {}

    def heads(self, config: "Config") -> Mapping[str, Head]:
        """The extra heads of its networks, by name; `data.classes` is known."""
        del config
        return {}

    def problems(self, config: "Config") -> Iterator[str]:
        """A number of auxiliary decoders that the method cannot use."""
        least, most = self.auxiliary
        allowed = f"{least:g}" if least == most else f"at least {least:g}"
        yield from check(
            config,
            "network.auxiliary",
            least <= config.network.auxiliary <= most,
            f"must be {allowed} for method {self.name}",
        )
        if self.mixes_streams:
            yield from paired_batch_problems(config)
        for name, share in self.late_starts.items():
            yield from late_start_problems(config, f"method.{name}", share)

    def share_of_ramps(self, steps: int) -> float:
        """The fraction of the steps that its ramps take in a run of another length.

        Args:
          steps: of the run that the settings are for.
        """
        del steps
        return self.ramp_share

    def scale_ramps(self, steps: int, share: float) -> None:
        """Scales the settings that count steps to a run of `steps`.

        Args:
          steps: of the run.
          share: fraction of the steps that ramps take.
        """
        del share
        for name, usual in self.late_starts.items():
            setattr(self, name, round(usual * steps))


@dataclass(slots=True, kw_only=True)
class RampedConfig(MethodConfig):
    """The settings of a method whose weight of the unlabeled loss has a ramp-up."""

    ramp_interval: int = field(metadata=at_least(1))  # s: the ramp is updated every s steps
    # R: it is complete after s * R steps; 0: there is none
    ramp_length: int = field(metadata=at_least(0))

    def share_of_ramps(self, steps: int) -> float:
        """The method's usual fraction; without one, that of its present ramp, at most 1."""
        return self.ramp_share or min(1.0, self.ramp_interval * self.ramp_length / steps)

    def scale_ramps(self, steps: int, share: float) -> None:
        """The ramp is complete after the fraction `share` of `steps`, and updated every step."""
        MethodConfig.scale_ramps(self, steps, share)
        self.ramp_interval = 1
        self.ramp_length = max(1, round(share * steps)) if share else 0


METHODS: dict[str, type[MethodConfig]] = {}
"""Name of a method -> its settings; `uaps_jax.methods.register` adds to it."""


def paired_batch_problems(config: "Config") -> Iterator[str]:
    """Problems of the batches of a method that mixes labeled and unlabeled images."""
    yield from check(
        config,
        "train.batch_unlabeled",
        config.train.batch_unlabeled == config.train.batch_labeled,
        f"must equal train.batch_labeled = {config.train.batch_labeled}, because "
        f"{config.method.name} mixes images of both streams",
    )
    for index, side in enumerate(("height", "width")):
        labeled, unlabeled = (
            view.size(config.data)[index] for view in (config.views.labeled, config.views.unlabeled)
        )
        yield from check(
            config,
            f"views.unlabeled.crop_{side}",
            labeled == unlabeled,
            f"{config.method.name} mixes images of both streams, so unlabeled views must have the "
            f"{side} of labeled ones, {labeled}",
        )


def late_start_problems(config: "Config", key: str, share: float) -> Iterator[str]:
    """A number of first steps without unlabeled images that is the whole run.

    Args:
      config: to check.
      key: the setting of the method that counts those steps.
      share: of the steps, that it usually is.
    """
    steps = config.train.steps
    yield from check(
        config,
        key,
        lookup(config, key) < steps,
        f"must be below train.steps = {steps}, such as {round(share * steps)}, {share:.0%} of the "
        "steps; else no unlabeled image is learnt",
    )
