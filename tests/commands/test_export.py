"""Export, with the names of the classes."""

import dataclasses
import json

import jax
import numpy as np
import onnxruntime
from numpy.testing import assert_allclose
from PIL import Image

from tests import tiny
from tests.commands.mine import request, settings
from tests.inference.exports import decided
from uaps_jax.commands.export import export
from uaps_jax.commands.predict import predict
from uaps_jax.commands.train import train
from uaps_jax.inference import export as exporter
from uaps_jax.training import checkpoints, decisions


def test_a_checkpoint_is_exported_with_its_classes(root, monkeypatch, caplog):
    train(request(root, settings(root)))
    export(dataclasses.replace(request(root, None), stablehlo=True))
    session = onnxruntime.InferenceSession(root.parent / "run" / "export" / "step_2.onnx")
    about = session.get_modelmeta().custom_metadata_map
    assert json.loads(about["classes"]) == ["background", "scratch", "dent"]
    assert about["method"] == "supervised"
    image = np.asarray(Image.open(root / "images" / "part_00.png").convert("RGB"))
    outputs = session.run(None, {"images": image[None]})
    mask, _, uncertainty, _ = outputs
    assert about["uncertainty"] == "entropy"
    assert uncertainty.shape == mask.shape
    program = (root.parent / "run" / "export" / "step_2.stablehlo").read_bytes()
    again = jax.export.deserialize(bytearray(program)).call(image[None])
    for name, output in zip(
        ("mask", "probabilities", "uncertainty", "score"), outputs, strict=True
    ):
        assert_allclose(again[name], output, atol=1e-4)
    predict(dataclasses.replace(request(root, None), input=root / "images"))
    [drawn] = root.parent.glob("run/predictions/step_2/images-*/mask/part_00.png")
    assert (mask[0] == np.asarray(Image.open(drawn))).mean() > 0.999

    # A threshold that was set by scores in another dtype.
    monkeypatch.setattr(exporter, "write", lambda *given, **more: (0.0, 0.0))
    decisions.write(root.parent / "run", 2, "main", decided(tiny.SCORE))
    export(request(root, None))
    assert "the exported model computes in float32" not in caplog.text
    config = checkpoints.read_config(root.parent / "run", 2)
    config.network.dtype = "bfloat16"
    monkeypatch.setattr(checkpoints, "read_config", lambda *given: config)
    export(request(root, None))
    assert "were computed in bfloat16; the exported model computes in float32" in caplog.text
