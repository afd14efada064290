# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     name: python3
# ---

# %% [markdown]
# # From a folder of images to masks
#
# Trains UAPS on images of which some are annotated, and predicts masks, probabilities and
# uncertainty of others. Without a folder of your own, it draws one.

# %%
from pathlib import Path

import numpy as np
from matplotlib import pyplot
from PIL import Image, ImageDraw

import uaps_jax
from uaps_jax.configs.parts import variants

# %% tags=["parameters"]
FOLDER = "mine"  # with images, masks and classes.yaml
WORKDIR = "runs/mine_python"
SIZE = 64  # pixels of the network's input
STEPS = 800
SETTINGS = {"data.manual_dir": FOLDER}  # and whatever else is to differ, by its key

# %% [markdown]
# ## The folder
#
# `images` has all images, `masks` the masks of some of them under the same names, and
# `classes.yaml` the value of each class in the masks, background first.


# %%
def draw_surface(seed, size=96):
    """A grey surface with a bright scratch, and the mask of the scratch."""
    random = np.random.default_rng(seed)
    surface = random.normal(120, 12, (size, size)) + random.normal(0, 8, (size, 1))
    mask = Image.new("L", (size, size))
    ends = [tuple(int(v) for v in random.integers(8, size - 8, 2)) for _ in range(2)]
    ImageDraw.Draw(mask).line(ends, fill=255, width=4)
    scratched = np.where(np.asarray(mask) > 0, surface + 70, surface)
    return Image.fromarray(scratched.clip(0, 255).astype(np.uint8)), mask


def draw_folder(folder, images=40, annotated=20):
    """A folder as it should be."""
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True)
    for number in range(images):
        image, mask = draw_surface(number)
        image.save(folder / "images" / f"part_{number:02d}.png")
        if number < annotated:
            mask.save(folder / "masks" / f"part_{number:02d}.png")
    (folder / "classes.yaml").write_text("background: 0\nscratch: 255\n")


if not Path(FOLDER).exists():
    draw_folder(Path(FOLDER))

# %% [markdown]
# ## Train
#
# `configs/folder_uaps.py` has the settings for a folder: 20,000 steps at 256 px. `shorten` makes
# of them a run of minutes, with every ramp in proportion.

# %%
# --8<-- [start:train]
config = uaps_jax.load_config("configs/folder_uaps.py", SETTINGS)
variants.shorten(config, size=SIZE, batch=4, steps=STEPS)
uaps_jax.train(config, WORKDIR)
# --8<-- [end:train]

# %% [markdown]
# ## Predict

# %%
# --8<-- [start:predict]
model = uaps_jax.load(WORKDIR)
files = sorted(Path(FOLDER, "images").iterdir())[-4:]
target = Path(WORKDIR, "masks")
target.mkdir(exist_ok=True)
predictions = model.predict(files)
for file, prediction in zip(files, predictions, strict=True):
    Image.fromarray(prediction.mask).save(target / f"{file.stem}.png")
# --8<-- [end:predict]

# %% [markdown]
# ## Look at them

# %%
figure, rows = pyplot.subplots(len(files), 3, figsize=(6, 2 * len(files)), squeeze=False)
for row, file, prediction in zip(rows, files, predictions, strict=True):
    shown = (Image.open(file), prediction.mask, prediction.uncertainty)
    for axis, picture, title in zip(row, shown, ("image", "mask", "uncertainty"), strict=True):
        axis.imshow(picture)
        axis.set_title(title)
        axis.axis("off")
figure.savefig(Path(WORKDIR, "predictions.png"))
