"""Segments images with a checkpoint, and reports what was found in them."""

from __future__ import annotations

from uaps_jax.commands import loading, opening, pictures, predictions
from uaps_jax.commands.request import Request
from uaps_jax.datasets.common import Problem
from uaps_jax.inference import inputs


def predict(request: Request) -> None:
    """Writes a report of the images of `request.input`, or of the test split, with pictures.

    Raises:
      UnpredictedFiles: some files could not be predicted; the others are in the report.
    """
    model = loading.load(request, request.checkpoint)
    scale = request.mm_per_pixel
    if request.input is not None:
        problems: list[Problem] = []
        white = model.config.data.folder.white
        found = inputs.find(request.input, white, model.directory, problems)
        found = [source.compared(model.photographs) for source in found]
        target = predictions.folder(model) / inputs.label(request.input)
        predictions.write(model, found, problems, target, str(request.input), scale)
        return
    _, dataset = opening.open_dataset(model.config)
    opening.check_same_data(model.record, dataset)
    predictions.write_test(model, dataset, scale)
    pictures.draw_contact_sheet(model, dataset, model.record["test"])
