"""The settings that the studies of rounds share."""

from collections.abc import Iterable

from uaps_jax.study.rounds import Rounds


def study(title: str, recipe: str, method: str, seeds: Iterable[int]) -> Rounds:
    """A study of a recipe of `configs/` in its small variant, two seeds at a time."""
    argument = ",".join(filter(None, ("small", method)))
    return Rounds(
        title=title,
        config=f"configs/{recipe}.py:{argument}",
        overrides={},
        seeds=tuple(seeds),
        data_dir="data",
        manual_dir="",
        notes=(),
        workers=2,
    )
