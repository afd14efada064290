"""Segments images with a checkpoint."""

from __future__ import annotations

from absl import logging

from uaps_jax.commands import loading, opening, pictures
from uaps_jax.commands.request import Request
from uaps_jax.data import whole_images
from uaps_jax.inference.folder import predict_folder


def predict(request: Request) -> None:
    """Writes masks, overlays and uncertainty maps of the test split or of a folder of images."""
    model = loading.load(request, request.checkpoint)
    loading.check_decision(request, model)
    if request.input is not None:
        target = pictures.predictions_folder(model) / "folder"
        count = predict_folder(model, request.input, target)
        logging.info("%d images predicted: %s", count, target)
        return
    _, dataset = opening.open_dataset(model.config)
    opening.check_same_data(model.record, dataset)
    test = whole_images.to_evaluate(dataset, model.record["test"], model.config.data)
    pictures.draw_contact_sheet(model, dataset, *pictures.write_test(model, test))
