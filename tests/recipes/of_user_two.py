"""A recipe of seconds on a user's folder, a training and a labeling; see `of_user.py`."""

from tests.recipes import of_user
from uaps_jax.configs.parts import progressive
from uaps_jax.recipes.stage import Recipe, Training


class Two(Recipe):
    """A teacher, and its pseudo-labels."""

    def stages(self):
        return [
            Training(name="teacher", configure=lambda _: self.base),
            of_user.label_all("targets/all"),
        ]


def get_config(root: str) -> Two:
    """Four steps, the second and the last of which are saved."""
    return Two(base=of_user.of(progressive.stpp, root, (4, 2)).base)
