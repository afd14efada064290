"""ST++ on NEU-Seg, PPL's list of 453 labeled images: a teacher and two students.

    python run.py --config=configs/neu_stpp.py:small
    python run.py --config=configs/neu_stpp.py --config.base.network.pretrained=FILE

No published score. The lengths are PPL's; its images have 200 px, here 224, a multiple of the
stride of the network. The variant is a run of minutes on the U-Net at 64 px.
"""

from uaps_jax.configs.parts import datasets, progressive
from uaps_jax.recipes.progressive import Progressive


def get_config(variant: str = "") -> Progressive:
    """Variants: ``small``, ``medium``."""
    base = datasets.neu_seg(protocol="ppl", labeled_count=453)
    if not variant:
        progressive.with_published_network(base, learning_rate=1e-2, side=224)
        base.train.eval_every = 397
    return progressive.stpp(base, (3248, 23_026, 46_052), variant)
