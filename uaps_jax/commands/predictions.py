"""The predictions of a model as a folder: a report, and pictures of every image."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path

from absl import logging

from uaps_jax import files
from uaps_jax.commands import output_folder
from uaps_jax.config import ConfigError
from uaps_jax.data import photographs
from uaps_jax.data.leakage import numbered
from uaps_jax.data.source import Dataset
from uaps_jax.datasets.common import Problem, read_image
from uaps_jax.evaluation.decision import Decision
from uaps_jax.inference import TrainedModel
from uaps_jax.inference.images import Photograph
from uaps_jax.inference.inputs import Source
from uaps_jax.inference.predict_images import predict_images
from uaps_jax.reports import prediction_page, prediction_report
from uaps_jax.reports.prediction_report import Report

PAGE = "report.html"
TABLE = "report.csv"


class UnpredictedFiles(Exception):
    """Files that could not be predicted; its text says why. The others are in a report."""

    def __init__(self, problems: Sequence[Problem], page: Path) -> None:
        super().__init__(problems, page)  # all arguments, so that the error survives pickling
        self.problems, self.page = tuple(problems), page

    def __str__(self) -> str:
        lines = [f"{numbered(len(self.problems), 'file')} could not be predicted:"]
        lines += [f"  {line}" for line in prediction_report.problem_lines(self.problems)]
        return "\n".join([*lines, f"All others are in {self.page}"])


def folder(model: TrainedModel) -> Path:
    """Where the predictions of a model are."""
    return model.directory / "predictions" / f"step_{model.step}"


def write(
    model: TrainedModel,
    sources: Sequence[Source],
    problems: list[Problem],
    target: Path,
    title: str,
    mm_per_pixel: float | None,
) -> None:
    """Predicts images into a folder with a report, which replaces that of an earlier call.

    Args:
      model: the model.
      sources: the images.
      problems: files that are known not to be readable.
      target: the folder.
      title: of the report.
      mm_per_pixel: side of a pixel in mm; None if it is unknown.

    Raises:
      UnpredictedFiles: some files could not be predicted; the report is written all the same.
      ConfigError: the folder cannot be written.
    """
    with output_folder.replaced(target) as partial:
        results = list(predict_images(model, sources, partial, problems))
        report = Report(
            title=title,
            facts=_facts(model, mm_per_pixel),
            decision=model.decision,
            class_names=model.class_names,
            results=prediction_report.worst_first(results),
            problems=sorted(problems),
            mm_per_pixel=mm_per_pixel,
        )
        _write(partial / TABLE, prediction_report.table(report))
        _write(partial / PAGE, prediction_page.render(report))
    print("\n".join(prediction_report.summary(report)), flush=True)
    notes = [Problem(result.file, note) for result in report.results for note in result.notes]
    for line in prediction_report.problem_lines(notes):
        logging.warning("%s", line)
    if report.problems:
        raise UnpredictedFiles(report.problems, target / PAGE)
    logging.info("report: %s", target / PAGE)


def _write(file: Path, text: str) -> None:
    try:
        files.write_text(file, text)
    except OSError as error:
        if files.is_disk_full(error):
            raise
        reason = error.strerror or error
        raise ConfigError(f"{file.parent}: the report cannot be written: {reason}") from error


def write_test(model: TrainedModel, dataset: Dataset, mm_per_pixel: float | None) -> None:
    """Predicts the test split of a model, at the size of its images; as `write`."""

    def read(name: str) -> Photograph:
        part, index = dataset.position[name]
        pixels = read_image(dataset.records[part][index]["image"])
        return Photograph(pixels, (), photographs.is_grey(pixels))

    names = model.record["test"]
    sources = [Source(name, name, functools.partial(read, name)) for name in names]
    write(model, sources, [], folder(model) / "test", "the test split", mm_per_pixel)


def _facts(model: TrainedModel, mm_per_pixel: float | None) -> dict[str, str]:
    """What made a prediction: name -> text."""
    data = model.config.data
    way = "resized to" if data.fit == "resize" else "cut into tiles of"
    facts = {
        "model": f"{model.directory}, checkpoint {model.checkpoint} (step {model.step})",
        "images": f"{way} {data.width} x {data.height} px for the network, results at their size",
    }
    facts["score"] = model.score_rule.words()
    facts |= _decision_facts(model.decision)
    if mm_per_pixel is not None:
        facts["scale"] = f"{mm_per_pixel:g} mm a pixel"
    return facts


def _decision_facts(decision: Decision | None) -> dict[str, str]:
    if decision is None:
        return {
            "verdict": "none, because no threshold is set for this checkpoint; --mode=evaluate "
            "sets one, or says why it cannot"
        }
    facts = {
        "verdict": f"not OK above {decision.threshold:.4g}, set for {decision.target.words()} on "
        f"validation images, {decision.good} good and {decision.defective} defective ones"
    }
    if reservation := decision.reservation():
        facts["caution"] = reservation
    return facts
