"""A model exported as StableHLO, with JAX alone."""

# --8<-- [start:predict]
from pathlib import Path

import jax
import numpy
from PIL import Image

model = jax.export.deserialize(bytearray(Path("step_600.stablehlo").read_bytes()))
image = numpy.asarray(Image.open("part.png").convert("RGB"))
outputs = model.call(image[None])
mask, probabilities = outputs["mask"], outputs["probabilities"]
uncertainty = outputs["uncertainty"]
# --8<-- [end:predict]
