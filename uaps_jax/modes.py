"""What the front door can do: each mode reads a request and writes into the work directory."""

from __future__ import annotations

import dataclasses
import json
import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
from absl import logging

from datasets.common import DataError
from uaps_jax import config as config_lib
from uaps_jax import files, methods
from uaps_jax.config import Config, ConfigError
from uaps_jax.data import audit as auditing
from uaps_jax.data import order, protocols, source, splits, survey
from uaps_jax.data.source import Dataset, Images, Pool
from uaps_jax.evaluation import evaluate as evaluation
from uaps_jax.evaluation import health
from uaps_jax.inference import predict as prediction
from uaps_jax.methods.base import Method
from uaps_jax.models import initialize
from uaps_jax.reports import audit_page, figures
from uaps_jax.training import (
    checkpoints,
    failures,
    loop,
    processes,
    results,
    sharding,
    workdir,
)
from uaps_jax.trees import Tree

USER_ERRORS = (ConfigError, DataError, checkpoints.CheckpointError, loop.NonFiniteLoss)
"""Errors that a person can mend; their texts say how."""

SHEET_ROWS = 8
HEADLINE = (
    "image_iou",
    "image_dice",
    "dataset_iou",
    "dataset_iou_foreground",
    "pixel_accuracy",
    "clean_image_false_positive_rate",
)

ADJUSTABLE = (
    *(f"{key}:" for key in workdir.MACHINE),
    "checkpoint.",
    "evaluation.",
    "model.dtype:",
    "model.execution:",
    "data.folder.white:",
)
"""Settings that may differ between training and evaluation."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Request:
    """What a person asked for.

    Attributes:
      config: the settings; may be None where a checkpoint holds them.
      workdir: folder of the run.
      checkpoint: "best", "latest" or a step; to evaluate, also a range, `A-B` or `A-`.
      input: folder of images to predict; None for the test split.
      demo: number of test images to draw when evaluating.
      profile: first and last training step, from 1, of a trace.
    """

    config: Config | None
    workdir: Path
    checkpoint: str
    input: Path | None
    demo: int = 0
    profile: tuple[int, int] | None = None


def train(request: Request) -> None:
    """Trains or resumes, then scores the test split at the best and the last checkpoint."""
    if request.config is None:
        raise ConfigError("--mode=train needs --config=configs/<dataset>_<method>.py")
    config_lib.validate(request.config)
    given = request.config
    config, dataset = processes.first_then_others("built", lambda: _open(given))
    method, split = _trainable(config, dataset)
    with workdir.locked(request.workdir):
        _train(request, config, dataset, method, split)


def _train(
    request: Request, config: Config, dataset: Dataset, method: Method, split: splits.Split
) -> None:
    """The training itself, in a work directory that no other process uses."""
    record = protocols.record(dataset, config.data, split)
    if processes.is_first():
        checkpoints.set_damaged_aside(request.workdir)
        workdir.claim(request.workdir, config, record)
    processes.wait("claimed")
    processes.check_same("the data", results.digest(record))
    _log_split(dataset, config, split)
    logging.info("devices: %s", ", ".join(str(d) for d in jax.devices()))
    params = initialize.count(jax.eval_shape(lambda: method.init(config.train.seed))[0])
    logging.info("method %s: %s trainable parameters", config.method.name, f"{params:,}")

    started = time.perf_counter()
    names = {pool: split[pool] for pool in sorted(set(method.streams.values()))}
    size = source.mebibytes(sum(map(len, names.values())), config.data)
    bring = source.read if size <= config.data.resident_mib else source.files
    train_pools = {pool: bring(dataset, listed, config.data) for pool, listed in names.items()}
    pools = loop.TrainingPools(
        train=train_pools,
        val=source.read(dataset, split["val"], config.data),
        probe=_probe(method, dataset, config, split),
        labeled_shares=_labeled_shares(method, train_pools["labeled"], dataset),
    )
    where = "live on the devices" if bring is source.read else "are streamed"
    logging.info(
        "images read in %.1f s; training images (%.0f MiB) %s",
        time.perf_counter() - started,
        size,
        where,
    )
    started = time.perf_counter()
    loop.train(config, request.workdir, pools, dataset.class_names, record, request.profile)
    logging.info("training took %s", loop.duration(time.perf_counter() - started))
    if processes.is_first():
        _conclude(request, config, dataset, method, split, record, params)
    processes.wait("concluded")


def _conclude(
    request: Request,
    config: Config,
    dataset: Dataset,
    method: Method,
    split: splits.Split,
    record: Mapping[str, Any],
    params: int,
) -> None:
    """Scores, the result and pictures of a training that is done."""
    test = source.read(dataset, split["test"], config.data)
    run = _Run(config, request.workdir)
    last = run.restore("latest")
    best = run.restore("best") if checkpoints.has_best(request.workdir) else last
    scored = {"latest": run.score(last, "test", dataset, test)}
    scored["best"] = (
        run.score(best, "test", dataset, test) if best.step != last.step else scored["latest"]
    )
    for name in method.predictors:
        if name != run.predictor:
            scored[name] = run.score(best, "test", dataset, test, predictor=name)
    predicted = run.predict(best, test)
    warnings = workdir.warnings(request.workdir)
    results.write(request.workdir, config, record, params, scored, warnings)
    figures.curves(request.workdir / workdir.METRICS, request.workdir / "curves.png")
    run.contact_sheet(dataset, test, predicted)


def _probe(method: Method, dataset: Dataset, config: Config, parts: splits.Split) -> Pool | None:
    """The unlabeled images on which pseudo-labels are measured, the same for all methods."""
    count = min(config.evaluation.probe_images, len(parts["unlabeled"]))
    if method.probe is None or not count:
        return None
    names = sorted(parts["unlabeled"])
    rows = order.batch_indices(seed=0, stream="probe", step=0, batch=count, size=len(names))
    return source.read(dataset, [names[row] for row in rows], config.data)


def _labeled_shares(method: Method, images: Images, dataset: Dataset) -> dict[str, float]:
    """Class -> percent of the labeled pixels; nothing where nothing is held against it."""
    if method.probe is None:
        return {}
    if isinstance(images, Pool):
        return health.class_shares([images.masks], dataset.class_names)
    return health.class_shares((images.load(n)[1] for n in images.names), dataset.class_names)


def evaluate(request: Request) -> None:
    """Scores checkpoints on the validation and test splits; needs no more than the checkpoints.

    With `request.demo`, each also draws so many test images: `demo/step_<N>.png`.
    """
    steps = checkpoints.find_steps(request.workdir, request.checkpoint)
    run = _restored(request, steps[0])
    _, dataset = _open(run.config)
    record = checkpoints.read_record(request.workdir, steps[0])
    _same_data(record, dataset)
    pools = {part: source.read(dataset, record[part], run.config.data) for part in ("val", "test")}
    for step in steps:
        single = len(steps) == 1 and not request.checkpoint[0].isdigit()
        model = run.restore(request.checkpoint if single else str(step))
        for part, pool in pools.items():
            run.score(model, part, dataset, pool)
        if request.demo:
            run.demo(model, dataset, pools["test"], request.demo)


def predict(request: Request) -> None:
    """Writes masks, overlays and uncertainty maps of the test split or of a folder of images."""
    step = checkpoints.find_step(request.workdir, request.checkpoint)
    run = _restored(request, step)
    model = run.restore(request.checkpoint)
    if request.input is not None:
        run.predict_folder(model, request.input)
        return
    _, dataset = _open(run.config)
    _same_data(model.record, dataset)
    test = source.read(dataset, model.record["test"], run.config.data)
    run.contact_sheet(dataset, test, run.predict(model, test))


def export(request: Request) -> None:
    """Writes a checkpoint as `export/step_<N>.onnx`, preprocessing and class names inside."""
    step = checkpoints.find_step(request.workdir, request.checkpoint)
    _restored(request, step).export(request.checkpoint)


def replay(request: Request) -> None:
    """Repeats the last step whose loss or gradient was not finite, and says where it goes wrong."""
    found = failures.repeat(failures.latest(request.workdir))
    lines = [f"step {found.step}, {'':27s} {'then':>14s} {'now':>14s}"]
    lines += [
        f"  {name:32s} {found.measured.get(name, math.nan):14.6g} {value:14.6g}"
        for name, value in found.repeated.items()
    ]
    for what, wrong in (
        ("not finite before the step", found.before),
        ("gradients that are not finite", found.gradients),
        ("not finite after the forward pass", found.after),
    ):
        if wrong:
            more = f" and {len(wrong) - 5} more" if len(wrong) > 5 else ""
            lines.append(f"{what}: {', '.join(wrong[:5])}{more}")
    if found.origin:
        lines.append(f"first: {found.origin}")
    if found.by_the_update:
        lines.append(
            "Loss and gradients are finite. After the update, at a learning rate of "
            f"{found.repeated['learning_rate']:g}, the norm of the parameters is not."
        )
    lines += [f"images, {stream}: {', '.join(names)}" for stream, names in found.images.items()]
    if not found.failed_again:
        lines.append(
            "The repeated step is finite: another device or version, or an error of the hardware."
        )
    print("\n".join(lines), flush=True)


def split(request: Request) -> None:
    """Writes who would see which image: `split.json` and four lists of names."""
    if request.config is None:
        raise ConfigError("--mode=split needs --config=configs/<dataset>_<method>.py")
    config, dataset = _open(request.config)
    parts = protocols.make_split(dataset, config.data)
    _log_split(dataset, config, parts)
    workdir.write_split(request.workdir, protocols.record(dataset, config.data, parts))
    for part in splits.PARTS:
        text = "".join(f"{name}\n" for name in parts[part])
        files.write_text(request.workdir / f"{part}.txt", text)
    logging.info("written: %s and a .txt for each part", request.workdir / "split.json")


def audit(request: Request) -> None:
    """Looks at a dataset before training: a report, `audit.html` with pictures, `audit.json`.

    Raises:
      DataError, ConfigError: training could not start; the report says why.
    """
    if request.config is None:
        raise ConfigError("--mode=audit needs --config=configs/<dataset>_<method>.py")
    file = request.workdir / "audit.html"
    name = request.config.data.name
    try:
        config, dataset = _open(request.config)
        _, parts = _trainable(config, dataset)
    except USER_ERRORS as error:
        workdir.write_report(file, audit_page.render_refusal(name, error))
        logging.error("the same as a page: %s", file)
        raise
    found = survey.survey(dataset)
    page = audit_page.Page(
        title=name,
        dataset=dataset,
        survey=found,
        findings=auditing.audit(dataset, found, parts, config.data),
        split=parts,
        protocol=config.data.protocol,
    )
    workdir.write_report(file, audit_page.render(page))
    details = [dataclasses.asdict(finding) for finding in page.findings]
    workdir.write_report(request.workdir / "audit.json", json.dumps(details, indent=1) + "\n")
    print(audit_page.text_report(page), flush=True)
    logging.info("with pictures: %s; with all names: %s", file, file.with_suffix(".json"))


MODES: dict[str, Callable[[Request], None]] = {
    "audit": audit,
    "train": train,
    "split": split,
    "evaluate": evaluate,
    "predict": predict,
    "export": export,
    "replay": replay,
}


def _open(config: Config) -> tuple[Config, Dataset]:
    """The checked configuration, and its dataset, built where it has not been."""
    config = config_lib.validate(config)
    dataset = source.open_dataset(config.data)
    return config_lib.with_classes(config, dataset.class_names), dataset


def _same_data(record: Mapping[str, Any], dataset: Dataset) -> None:
    """Checks that a dataset still is what a checkpoint was trained on.

    Raises:
      ConfigError: its classes are others, or images of val and test are gone.
    """
    if list(record["classes"]) != list(dataset.class_names):
        raise ConfigError(
            f"the checkpoint knows the classes {', '.join(record['classes'])}, in this order; "
            f"{dataset.build} has {', '.join(dataset.class_names)}"
        )
    gone = [name for part in ("val", "test") for name in record[part] if name not in dataset.masked]
    if gone:
        raise ConfigError(
            f"{len(gone)} val and test images of the checkpoint are not in {dataset.build} with a "
            f"mask any more, {gone[0]} among them"
        )
    if record["build"] != dataset.build:
        logging.warning(
            "the checkpoint was trained on %s, this is %s: images or masks have changed since",
            record["build"],
            dataset.build,
        )


def _trainable(config: Config, dataset: Dataset) -> tuple[Method, splits.Split]:
    """The method and the split of a training run that can start.

    Raises:
      ConfigError: it cannot; the text says why.
    """
    method = methods.build(config)
    method.predictor(config.evaluation.predictor)
    sharding.check_batches(config, method.streams.values(), sharding.over_devices())
    split = protocols.make_split(dataset, config.data)
    used = {*method.streams.values(), "val", "test"}
    if empty := sorted(part for part in used if not split[part]):
        raise ConfigError(
            f"data.protocol = {config.data.protocol!r} with data.labeled_ratio = "
            f"{config.data.labeled_ratio} and data.labeled_count = {config.data.labeled_count}: "
            f"no {' and no '.join(empty)} images are left, and method {config.method.name} needs "
            "them"
        )
    return method, split


def _log_split(dataset: Dataset, config: Config, parts: splits.Split) -> None:
    """Sizes of the parts, and what about them makes a score look better than it is."""
    sizes = ", ".join(f"{part} {len(names)}" for part, names in parts.items())
    left = len(dataset.position) - len({name for names in parts.values() for name in names})
    if left:
        sizes += f", left out {left}"
    logging.info("%s, protocol %s: %s images", dataset.name, config.data.protocol, sizes)
    if splits.validates_on_test(parts):
        logging.warning(
            "protocol %s has no validation images of its own: the best checkpoint is chosen on "
            "the test images. Report the last one.",
            config.data.protocol,
        )
    if config.data.fit == "pad":
        logging.warning(
            "data.fit = 'pad': of an image larger than %d x %d pixels, the centre alone is trained "
            "on and scored",
            config.data.width,
            config.data.height,
        )
    leaks = {part: count for part, count in splits.leaks(parts, dataset.groups).items() if count}
    if leaks:
        found = ", ".join(f"{count} in {part}" for part, count in leaks.items())
        logging.warning(
            "protocol %s leaks: of %d test images, so many show the same thing as an image of "
            "another part: %s. data.protocol=grouped has none.",
            config.data.protocol,
            len(parts["test"]),
            found,
        )


def _restored(request: Request, step: int) -> _Run:
    """The run as its checkpoint of a step describes it.

    A configuration that is given may say where data are and how to evaluate; in all else it has
    to agree with the checkpoint's.

    Raises:
      ConfigError: it does not; the text shows the difference.
    """
    config = checkpoints.read_config(request.workdir, step)
    if request.config is not None:
        given = config_lib.flatten(request.config)
        given["data.classes"] = given["data.classes"] or config.data.classes
        changed = [
            difference
            for difference in config_lib.differences(config_lib.flatten(config), given)
            if not f"{difference.key}:".startswith(ADJUSTABLE)
        ]
        if changed:
            raise ConfigError(
                f"the checkpoint of step {step} in {request.workdir} is of another run:\n"
                + "\n".join(f"  {config_lib.describe(difference)}" for difference in changed)
                + "\nLeave --config out to use the checkpoint's own configuration."
            )
        config = config_lib.from_flat(given)
    return _Run(config_lib.validate(config), request.workdir)


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Model:
    """One checkpoint of a directory: `which` was asked for, and `step` it is."""

    directory: Path
    which: str
    step: int
    variables: Tree

    @property
    def record(self) -> dict[str, Any]:
        """What it was trained on; the earliest checkpoints do not say that."""
        return checkpoints.read_record(self.directory, self.step)


class _Run:
    """A trained run, read only: compiles its prediction once for all checkpoints and parts."""

    def __init__(self, config: Config, directory: Path) -> None:
        self.config = config
        self._directory = directory
        self._method = methods.build(config)
        self.predictor = config.evaluation.predictor or next(iter(self._method.predictors))
        self._confusions: dict[str, evaluation.ConfusionFunction] = {}

    def restore(self, which: str) -> _Model:
        """Reads a checkpoint: "best", "latest" or a step."""
        step = checkpoints.find_step(self._directory, which)
        like = jax.eval_shape(lambda: self._method.variables(*self._method.init(0)))
        variables = checkpoints.restore_variables(self._directory, step, like)
        return _Model(directory=self._directory, which=which, step=step, variables=variables)

    def score(
        self, model: _Model, part: str, dataset: Dataset, pool: Pool, predictor: str = ""
    ) -> dict[str, Any]:
        """Scores a model on a pool, prints the result, adds it to evaluations.jsonl.

        Args:
          model: whose variables.
          part: name of the pool.
          dataset: it is of.
          pool: images and masks.
          predictor: one of the method's; the configuration's if "".
        """
        config = self.config
        predictor = predictor or self.predictor
        if predictor not in self._confusions:
            self._confusions[predictor] = evaluation.make_confusion_function(
                self._method.predictor(predictor),
                config.data.classes,
                deterministic=config.train.deterministic,
            )
        scores = evaluation.evaluate(
            self._confusions[predictor],
            model.variables,
            pool,
            dataset.class_names,
            config.evaluation.batch_size,
        )
        record = {
            "checkpoint": model.which,
            "step": model.step,
            "part": part,
            "predictor": predictor,
            "dataset": config.data.name,
            "build": dataset.build,
            "protocol": config.data.protocol,
            "labeled": len(model.record["labeled"]),
            "split_seed": config.data.split_seed,
            "method": config.method.name,
            "seed": config.train.seed,
            "device": jax.devices()[0].device_kind,
        }
        workdir.append_jsonl(self._directory / "evaluations.jsonl", record | scores)
        lines = [
            f"{part} scores, checkpoint {model.which} (step {model.step}), "
            f"predictor {predictor}, in percent:"
        ]
        lines += [f"  {name:32s} {scores[name]:6.2f}" for name in HEADLINE]
        lines += [f"  {name:32s} {value:6.2f}" for name, value in scores.items() if "/" in name]
        lines += [
            f"  {int(scores['images'])} images, "
            f"{int(scores['images_without_defect'])} of them without a defect"
        ]
        print("\n".join(lines), flush=True)
        return record | scores

    def predict(self, model: _Model, pool: Pool) -> prediction.Predictions:
        """Writes the predictions of the test split, and returns them."""
        target = self._target(model) / "test"
        found = prediction.make_predictor(self.config, self._method)(model.variables, pool, 0)
        for row, name in enumerate(pool.names):
            prediction.write_one(
                target, name, pool.images[row], found.masks[row], found.uncertainty[row]
            )
        logging.info("predictions: %s", target)
        return found

    def contact_sheet(self, dataset: Dataset, pool: Pool, found: prediction.Predictions) -> None:
        """Draws the contact sheet of the run."""
        sheet = self._directory / "contact_sheet.png"
        figures.contact_sheet(pool, found, dataset.class_names, sheet, rows=SHEET_ROWS)
        logging.info("contact sheet: %s", sheet)

    def demo(self, model: _Model, dataset: Dataset, pool: Pool, count: int) -> None:
        """Draws test images, spread evenly, as the checkpoint segments them."""
        rows = order.evenly(len(pool.names), count)
        few = Pool(
            names=tuple(pool.names[row] for row in rows),
            images=pool.images[rows],
            masks=pool.masks[rows],
        )
        found = prediction.make_predictor(self.config, self._method)(model.variables, few, 0)
        target = self._directory / "demo" / f"step_{model.step}.png"
        target.parent.mkdir(exist_ok=True)
        figures.contact_sheet(few, found, dataset.class_names, target, rows=len(rows))
        logging.info("demo images: %s", target)

    def predict_folder(self, model: _Model, folder: Path) -> None:
        """Writes the predictions of a folder of images."""
        target = self._target(model) / "folder"
        count = prediction.predict_folder(
            self.config, self._method, model.variables, folder, target
        )
        logging.info("%d images predicted: %s", count, target)

    def export(self, which: str) -> None:
        """Writes a checkpoint as an ONNX file; the checkpoint alone is needed."""
        from uaps_jax.inference import export as exporter  # onnx takes a second to import

        model = self.restore(which)
        exact = dataclasses.replace(self.config.model, dtype="float32")
        config = dataclasses.replace(self.config, model=exact)
        about = {
            "method": self.config.method.name,
            "predictor": self.predictor,
            "step": str(model.step),
            "fit": config.data.fit,
            "trained_size": f"{config.data.height} x {config.data.width}",
        }
        file = self._directory / "export" / f"step_{model.step}.onnx"
        difference = exporter.write(
            file, config, methods.build(config), model.variables, model.record["classes"], about
        )
        logging.info(
            "%s: %.1f MiB, probabilities within %.0e of the checkpoint's",
            file,
            file.stat().st_size / 2**20,
            difference,
        )

    def _target(self, model: _Model) -> Path:
        return self._directory / "predictions" / f"step_{model.step}"
