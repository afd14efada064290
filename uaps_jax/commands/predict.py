"""Segments images with a checkpoint."""

from __future__ import annotations

from absl import logging

from uaps_jax.commands import opening, pictures
from uaps_jax.commands.request import Request
from uaps_jax.commands.trained import open_run
from uaps_jax.data import source
from uaps_jax.inference import predict as prediction
from uaps_jax.training import checkpoints


def predict(request: Request) -> None:
    """Writes masks, overlays and uncertainty maps of the test split or of a folder of images."""
    step = checkpoints.find_step(request.workdir, request.checkpoint)
    run = open_run(request, step)
    checkpoint = run.restore(request.checkpoint)
    if request.input is not None:
        target = pictures.predictions_folder(run, checkpoint) / "folder"
        count = prediction.predict_folder(
            run.config, run.method, checkpoint.variables, request.input, target
        )
        logging.info("%d images predicted: %s", count, target)
        return
    _, dataset = opening.open_dataset(run.config)
    opening.check_same_data(checkpoint.record, dataset)
    test = source.read(dataset, checkpoint.record["test"], run.config.data)
    predictions = pictures.write_test(run, checkpoint, test)
    pictures.draw_contact_sheet(run, dataset, test, predictions)
