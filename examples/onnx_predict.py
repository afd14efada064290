"""An exported model with ONNX Runtime alone."""

# --8<-- [start:predict]
import json

import numpy
import onnxruntime
from PIL import Image

session = onnxruntime.InferenceSession("step_600.onnx")
print(json.loads(session.get_modelmeta().custom_metadata_map["classes"]))
image = numpy.asarray(Image.open("part.png").convert("RGB"))
outputs = ["mask", "probabilities", "uncertainty"]
mask, probabilities, uncertainty = session.run(outputs, {"images": image[None]})
# --8<-- [end:predict]
