r"""ST++ on your own images: a folder with `images`, some `masks`, and `classes.yaml`.

python run.py --config=configs/folder_stpp.py:small --workdir=runs/mine_stpp \
    --config.base.data.manual_dir=FOLDER

`--config.student_steps='(3000,)'` is ST: one student. Variants and networks are those of
`configs/folder_ppl.py`.
"""

from uaps_jax.configs.parts import progressive
from uaps_jax.recipes.progressive import Progressive


def get_config(argument: str = "") -> Progressive:
    """Variants: ``small``, ``pretrained``, ``medium``."""
    return progressive.of_folder(progressive.stpp, argument)
