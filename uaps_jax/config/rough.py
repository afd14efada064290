"""Settings of simulated rough annotations."""

# Annotations are evaluated here: ml_collections reads the types of overrides from them.

from dataclasses import dataclass, field
from typing import Literal

from uaps_jax.config.rules import at_least, positive_range, probability, seed
from uaps_jax.config.section import Section


@dataclass(slots=True, kw_only=True)
class RoughConfig(Section):
    """Masks of labeled images made rough, to study what that costs.

    Validation and test keep theirs. An object is a connected region of one class.
    """

    # "none": masks as they are; each object becomes the "ellipse" of its moments, enlarged, or its
    # "box"; it grows ("dilation") or shrinks ("erosion"); some are left out ("dropped"); a stroke
    # in each object and in the background, and no label elsewhere ("scribble")
    kind: Literal["none", "ellipse", "box", "dilation", "erosion", "dropped", "scribble"]
    seed: int = field(metadata=seed())  # of what is random in it
    # "ellipse": lowest and highest factor of its axes
    scale: tuple[float, float] = field(metadata=positive_range())
    # by how many pixels of the network's input an object grows or shrinks; a stroke is
    # 2 radius + 1 wide
    radius: int = field(metadata=at_least(0))
    drop: float = field(metadata=probability())  # "dropped": probability of an object
