"""What the studies share: the competitors and the settings of a report."""

from uaps_jax.study.grid import Entry, Grid

METHODS = {
    "supervised": Entry(method="supervised"),
    "Mean Teacher": Entry(method="mean_teacher"),
    "UA-MT": Entry(method="ua_mt"),
    "CCT": Entry(method="cct"),
    "CPS": Entry(method="cps"),
    "DCT": Entry(method="dct"),
    "UCC": Entry(method="ucc"),
    "UAPS": Entry(method="uaps"),
    "CPCL": Entry(method="cpcl"),
    "DUEB": Entry(method="dueb"),
    "DUEB (aleatoric)": Entry(method="dueb_aleatoric"),
    "DUEB (energy)": Entry(method="dueb_energy"),
}


def study(title: str, entries: dict[str, Entry]) -> Grid:
    """A study of these competitors, without trainings yet; UAPS's ramp for all."""
    return Grid(
        title=title,
        entries=entries,
        blocks=(),
        variant="",
        overrides={},
        ramp_share=0.34,
        split_follows_seed=False,
        data_dir="data",
        manual_dir="",
        checkpoint="best",
        metrics=("image_iou", "image_dice", "dataset_iou", "pixel_accuracy"),
        baseline="supervised",
        figures=(),
        workers=1,
    )
