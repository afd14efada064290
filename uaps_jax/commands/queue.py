"""Chooses the images of a folder that are to be annotated next, and proposes their masks."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path

from absl import logging

from uaps_jax import files
from uaps_jax.acquisition import cost
from uaps_jax.acquisition import score as scores
from uaps_jax.annotation_queue import dataset as dataset_lib
from uaps_jax.annotation_queue import entry as entries_lib
from uaps_jax.annotation_queue import pre_annotations, scoring, writing
from uaps_jax.annotation_queue.entry import Entry
from uaps_jax.annotations import class_list, mask_form
from uaps_jax.commands import loading, output_folder
from uaps_jax.commands.predictions import UnpredictedFiles
from uaps_jax.commands.request import Request
from uaps_jax.config import ConfigError
from uaps_jax.data.leakage import numbered
from uaps_jax.datasets.common import DataError, Problem
from uaps_jax.datasets.folder import class_map
from uaps_jax.inference import TrainedModel, ensemble, inputs
from uaps_jax.labels import IGNORE
from uaps_jax.reports import queue_page
from uaps_jax.training import workdir

COUNT = 30
"""Images of a queue, if the request does not say it."""


def queue(request: Request) -> None:
    """Writes the queue of `request.input`: lists, copies of the images, proposals, a page.

    Raises:
      ConfigError: there is no input, nothing in it is left to annotate, or the queue that is there
        has decisions or is being reviewed.
      DataError: no file could be read.
      UnpredictedFiles: some files could not be predicted; the queue has the others.
    """
    if request.input is None:
        raise ConfigError(
            "--mode=queue needs --input: the images of which some are to be annotated, as a "
            "folder or a .txt file with their paths"
        )
    model = loading.load(request, request.checkpoint)
    problems: list[Problem] = []
    settings = model.config.data.folder
    dataset = dataset_lib.find(request.input, settings)
    given = request.input if dataset is None else dataset.images
    target = model.directory / "queue" / f"step_{model.step}" / inputs.label(given)
    if target.is_dir():
        with workdir.locked(target):
            _check_undecided(target)
    root, paths = inputs.find_files(given, model.directory, problems)
    annotated: frozenset[str] = frozenset()
    form = None
    if dataset is not None:
        paths, annotated = dataset.divided(paths)
        form = dataset_lib.mask_form(dataset, settings, model.class_names)
        if paths and len(annotated) == len(paths):
            raise ConfigError(
                f"--input={request.input}: {numbered(len(paths), 'image')}, and all have a mask in "
                f"{dataset.masks}: nothing is left to annotate"
            )
    sources = [scoring.source(name, file, root, settings.white) for name, file in paths.items()]
    with contextlib.ExitStack() as until_replaced, output_folder.replaced(target) as partial:
        run = ensemble.make(
            model.method,
            model.predictor,
            "decoders",
            deterministic=model.config.train.deterministic,
        )
        scored = scoring.score_images(model, run, sources, problems)
        count = COUNT if request.count is None else request.count
        choices = scoring.choose(scored, annotated, count)
        written = list(writing.write_images(model, run, choices, paths, partial, problems))
        if not written:
            raise DataError(problems, "Give images that can be read.")
        facts = _facts(model, len(scored.sources), len(annotated))
        _write_lists(partial, model.class_names, written)
        if form is not None:
            mask_form.write(partial, form)
        pre_annotations.write(partial, model.class_names, written)
        page = queue_page.Page(
            title=str(request.input),
            facts=facts,
            class_names=model.class_names,
            entries=written,
            problems=sorted(problems),
            folder=partial,
        )
        files.write_text(partial / entries_lib.PAGE, queue_page.render(page))
        until_replaced.enter_context(workdir.locked(target))
        _check_undecided(target)
    print(queue_page.summary(written), flush=True)
    logging.info("queue: %s", target / entries_lib.PAGE)
    logging.info("look and decide: --mode=review --input=%s", target)
    if problems:
        raise UnpredictedFiles(sorted(problems), target / entries_lib.PAGE)


def _check_undecided(target: Path) -> None:
    """Checks that no decision of a person would be replaced.

    Raises:
      ConfigError: there are decisions.
    """
    if (target / entries_lib.DECISIONS).is_dir():
        raise ConfigError(
            f"{target}: --mode=review has written decisions into this queue, and a new queue would "
            "replace them: rename or move that folder first"
        )


def _write_lists(folder: Path, class_names: Sequence[str], entries: Sequence[Entry]) -> None:
    files.write_text(folder / entries_lib.LINES, entries_lib.to_lines(entries))
    files.write_text(folder / entries_lib.TABLE, entries_lib.to_table(entries, class_names))
    paths = "".join(f"{entry.path}\n" for entry in entries)
    files.write_text(folder / entries_lib.PATHS, paths)
    values = {name: label for label, name in enumerate(class_names)}
    class_list.write(folder, values | {class_map.IGNORE_NAME: IGNORE})


def _facts(model: TrainedModel, images: int, annotated: int) -> dict[str, str]:
    """How the queue was made: name -> text."""
    left_out = f", {annotated} of them with a mask, which are not in the queue" * bool(annotated)
    price = cost.DEFAULT
    return {
        "model": f"{model.directory}, checkpoint {model.checkpoint} (step {model.step})",
        "images": f"{images} scored{left_out}",
        "score": f"entropy of the most uncertain {scores.DEFAULT.share:.0%} of the pixels, in "
        "nats: ambiguity that all members of the ensemble share, plus their disagreement",
        "choice": "each time the image to which many uncertain images are similar, if no annotated "
        "or chosen image is similar to them already, in this order",
        "minutes": f"an estimate: {price.per_image:g} an image, {price.per_object:g} an object, "
        f"{price.per_100_pixels:g} for 100 px of the boundary of objects",
    }
