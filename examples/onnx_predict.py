"""An exported model with ONNX Runtime alone."""

# --8<-- [start:predict]
import json

import numpy
import onnxruntime
from PIL import Image, ImageOps

session = onnxruntime.InferenceSession("step_600.onnx")
print(json.loads(session.get_modelmeta().custom_metadata_map["classes"]))
photograph = ImageOps.exif_transpose(Image.open("part.png"))
image = numpy.asarray(photograph.convert("RGB"))
names = [output.name for output in session.get_outputs()]
outputs = dict(zip(names, session.run(names, {"images": image[None]}), strict=True))
mask, uncertainty = outputs["mask"], outputs["uncertainty"]
print(outputs["score"], outputs.get("not_ok", "no decision was set"))
# --8<-- [end:predict]
