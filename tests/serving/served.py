"""A checkpoint without training, its exported file, and a service of that."""

import dataclasses

import numpy as np
from PIL import Image

from tests import tiny
from tests.inference.exports import decided, exported, trained
from tests.inference.test_predict_images import model_of
from uaps_jax.evaluation import image_score
from uaps_jax.inference import exported as exported_lib
from uaps_jax.inference import inputs
from uaps_jax.inference.predict_images import predict_images
from uaps_jax.serving.service import Service
from uaps_jax.training import decisions


def photographs(folder, sizes):
    """Noise with a bright square in photographs of these sizes, as PNGs; their paths."""
    random = np.random.default_rng(5)
    folder.mkdir()
    for number, (height, width) in enumerate(sizes):
        pixels = random.integers(60, 150, (height, width, 3), np.uint8)
        pixels[: height // 2, : width // (2 + number)] = 20 * number
        Image.fromarray(pixels).save(folder / f"{number}.png")
    return sorted(folder.iterdir())


def config(*, minimum_area=0, channels=3, **data):
    """Of a supervised model whose images have these settings."""
    made = tiny.config("supervised")
    for name, value in data.items():
        setattr(made.data, name, value)
    if channels == 1:
        made.data.channels, made.data.mean, made.data.std = 1, (0.4,), (0.2,)
    for view in (made.views.labeled, made.views.unlabeled):
        view.rot90 = 0.0
    rule = made.evaluation.decision
    rule.top_pixels, rule.minimum_area, rule.pixel_threshold = 40, minimum_area, 0.2
    return made


def predicted(model, folder, target):
    """The results of `--mode=predict` by the names of the images."""
    problems = []
    sources = inputs.find(folder, model.config.data.folder.white, target, problems)
    found = {result.name: result for result in predict_images(model, sources, target, problems)}
    assert problems == []
    return found


def served(made, folder, workdir):
    """A checkpoint whose threshold parts the photographs of a folder; its service, its results."""
    workdir.mkdir()
    method, variables = trained(made)
    model = model_of(made, method, variables, workdir)
    scores = sorted(r.score for r in predicted(model, folder, workdir / "before").values())
    middle = len(scores) // 2
    rule = image_score.rule_of(made.evaluation.decision)
    decision = decided(rule, (scores[middle - 1] + scores[middle]) / 2)
    decisions.write(workdir, model.step, model.predictor, decision)
    file = workdir / "step_0.onnx"
    predictor = method.predictor("main")
    file.write_bytes(
        exported(made, predictor, variables, rule=rule, decision=decision).SerializeToString()
    )
    service = Service(exported_lib.open_exported(file), mm_per_pixel=0.5)
    return service, predicted(dataclasses.replace(model), folder, workdir / "after")
