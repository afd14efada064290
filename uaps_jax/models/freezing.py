"""Parts of an encoder that are not trained."""

from __future__ import annotations

import dataclasses

import jax

from uaps_jax.trees import Tree

FROZEN = "frozen"
"""The parameter group of what is not trained."""


@dataclasses.dataclass(frozen=True)
class Freezing:
    """Which levels of an encoder are trained.

    Attributes:
      levels: number of levels, from the finest, whose parameters and running statistics stay as
        they are.
      statistics: whether the batch normalisations of all levels use their running statistics, and
        keep them, while the other parameters are trained.
    """

    levels: int = 0
    statistics: bool = False

    def updates_statistics(self, level: int) -> bool:
        """Whether batch normalisation of a level uses the statistics of the batch in training."""
        return not self.statistics and level >= self.levels

    def cut(self, x: jax.Array, level: int) -> jax.Array:
        """The output of a level, without a gradient if the level is frozen."""
        return jax.lax.stop_gradient(x) if level < self.levels else x

    def groups(self, params: Tree, group: str) -> Tree:
        """The name of the parameter group in place of each array of an encoder.

        Args:
          params: of the encoder; the variables of level l stand under the name `level_<l>`.
          group: of what is trained.
        """
        groups: Tree = {}
        for name, tree in params.items():
            of_level = FROZEN if int(name.rsplit("_", 1)[1]) < self.levels else group
            groups[name] = jax.tree.map(lambda _, of_level=of_level: of_level, tree)
        return groups


NOTHING = Freezing()
