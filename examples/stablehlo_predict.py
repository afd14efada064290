"""A model exported as StableHLO, with JAX alone."""

# --8<-- [start:predict]
from pathlib import Path

import jax
import numpy
from PIL import Image, ImageOps

model = jax.export.deserialize(bytearray(Path("step_600.stablehlo").read_bytes()))
photograph = ImageOps.exif_transpose(Image.open("part.png"))
image = numpy.asarray(photograph.convert("RGB"))
outputs = model.call(image[None])
mask, probabilities = outputs["mask"], outputs["probabilities"]
uncertainty = outputs["uncertainty"]
# --8<-- [end:predict]
