"""The settings that the studies of rounds share."""

from collections.abc import Iterable

from uaps_jax.study.rounds import Rounds


def study(
    title: str, recipe: str, method: str, seeds: Iterable[int], two_budgets: tuple[int, int]
) -> Rounds:
    """A study of a recipe of `configs/` in its small variant, two seeds at a time.

    Args:
      title: of the report.
      recipe: its file.
      method: "" for supervised learning at all budgets of the recipe and with all strategies, or a
        method, which takes longer, at `two_budgets`, with the default choice and random images.
      seeds: of the study.
      two_budgets: numbers of labeled images.
    """
    argument = ",".join(filter(None, ("small", method)))
    first, second = two_budgets
    two = {
        "start_images": first,
        "added": (float(second - first),),
        "baselines": ("random",),
    }
    return Rounds(
        title=f"{title}, {method}" if method else title,
        config=f"configs/{recipe}.py:{argument}",
        overrides=two if method else {},
        seeds=tuple(seeds),
        data_dir="data",
        manual_dir="",
        notes=(),
        workers=2,
        per_gpu=1,
    )
